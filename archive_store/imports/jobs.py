"""Jobs of imports: batches that run or are being undone go on, and what nobody ran in time is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

from bson import ObjectId

from archive_store.approvals.documents import OPEN_STATUSES, ChangeRequest
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK, UnitOfWork
from archive_store.imports.batch_steps import load_batch, write
from archive_store.imports.documents import (
    BLOCKS,
    ENDED_STATUSES,
    STAGED_STATUSES,
    WORKING_STATUSES,
    BatchStatus,
    ImportBatch,
)
from archive_store.imports.running import advance
from archive_store.imports.staging import remove_blocks


async def run_due(store: Store, now: datetime) -> int:
    """`import.run`: go on with every batch that is asked for, the oldest first; how many.

    One that cannot go on keeps no other from it; what it raised is raised in the end.
    """
    query = {"status": {"$in": sorted(WORKING_STATUSES)}}
    rows = await store.database.collection(ImportBatch).find(query, {"_id": 1}).sort("_id", 1).to_list()
    done, failure = 0, None
    for row in rows:
        try:
            done += await advance(store, row["_id"])
        except Exception as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return done


async def expire(store: Store, now: datetime) -> int:
    """`import.expire`: batches that nobody ran in time, and blocks that no batch needs; how many batches and blocks."""
    before = now - timedelta(hours=store.settings.import_expiry_hours)
    query = {"status": {"$in": sorted(STAGED_STATUSES)}, "updated_at": {"$lte": before}}
    stale = await store.database.collection(ImportBatch).find(query, {"_id": 1}).to_list()
    for row in stale:
        await _expire(store, row["_id"], before)
    left = 0
    for key in await store.database.mongo[BLOCKS].distinct("batch_id"):
        batch = await store.database.collection(ImportBatch).find_one({"_id": key}, {"status": 1})
        # Of a process that ended while it read the file; another may be reading one now.
        is_orphan = batch is None and key.generation_time <= before
        if is_orphan or (batch is not None and BatchStatus(batch["status"]) in ENDED_STATUSES):
            await remove_blocks(store, key)
            left += 1
    return len(stale) + left


async def _expire(store: Store, batch_id: ObjectId, before: datetime) -> None:
    # Who has to sign may take longer.
    open_request = {"target_id": batch_id, "status": {"$in": sorted(OPEN_STATUSES)}}
    if await store.database.collection(ChangeRequest).find_one(open_request, {"_id": 1}):
        return

    async def step(unit: UnitOfWork) -> None:
        batch = await load_batch(unit, batch_id)
        if batch.status in STAGED_STATUSES and batch.updated_at is not None and batch.updated_at <= before:
            await write(unit, batch, "expire", {"status": BatchStatus.EXPIRED, "ended_at": unit.at})

    await governed_transaction(store, CLOCK, "import.expire", step)
