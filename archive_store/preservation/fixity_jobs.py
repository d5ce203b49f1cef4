"""The check in the background: every scan is read again before `fixity_days` are over, whatever was read longest ago
first, and a few in each round."""

from __future__ import annotations

from datetime import datetime, timedelta

from pymongo import UpdateOne

from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK
from archive_store.preservation.fixity import check_scan
from archive_store.preservation.fixity_documents import CHECKS
from archive_store.preservation.fixity_runs import record_check
from archive_store.scans.documents import Scan

A_FEW = 4
# Of the time in which it must be read again; the rest is for a server that was off, and for many at once.
_DUE_AFTER = 0.9
_WATERMARKS = "fixity_watermarks"
# Longer than a transaction can take between naming its time and becoming visible.
_OVERLAP = timedelta(minutes=5)
_ENROLLED_AT_ONCE = 1000


async def check_due(store: Store, now: datetime) -> int:
    """`archive.check`: read a few scans again that were not read for long; how many. None of `fixity_days` 0."""
    if not store.settings.fixity_days:
        return 0
    await _enrol(store)
    due_before = now - timedelta(days=store.settings.fixity_days) * _DUE_AFTER
    query = {"checked_at": {"$lte": due_before}}
    rows = (
        await store.database.mongo[CHECKS]
        .find(query, {"_id": 1})
        .sort("checked_at", 1)
        .limit(A_FEW)
        .to_list()
    )
    for row in rows:
        damages = await check_scan(store, row["_id"])
        await record_check(store, CLOCK, row["_id"], damages)
    return len(rows)


async def _enrol(store: Store) -> None:
    """Count filing as the first check of a scan: its digest was taken then."""
    watermarks = store.database.mongo[_WATERMARKS]
    enrolled = await watermarks.find_one({"_id": "enrolled"})
    query = {} if enrolled is None else {"created_at": {"$gte": enrolled["until"] - _OVERLAP}}
    scans = store.database.collection(Scan).find(query, {"created_at": 1}).sort("created_at", 1)
    batch: list[UpdateOne] = []
    async for row in scans:
        first = {"checked_at": row["created_at"], "damages": []}
        batch.append(UpdateOne({"_id": row["_id"]}, {"$setOnInsert": first}, upsert=True))
        if len(batch) == _ENROLLED_AT_ONCE:
            await _write(store, batch, row["created_at"])
    if batch:
        await _write(store, batch, row["created_at"])


async def _write(store: Store, batch: list[UpdateOne], until: datetime) -> None:
    await store.database.mongo[CHECKS].bulk_write(batch, ordered=False)  # house-rule: no records
    await store.database.mongo[_WATERMARKS].update_one(  # house-rule: no record
        {"_id": "enrolled"}, {"$set": {"until": until}}, upsert=True
    )
    batch.clear()
