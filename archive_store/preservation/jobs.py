"""What is done without anybody asking: the object store follows what the records say. Each job may be done again.

The records decide; what the object store refuses keeps its mark and is tried again, and where the store is away the
whole run fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from bson import ObjectId

from archive_store.approvals.documents import WITHDRAWABLE_STATUSES, ChangeRequest
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.object_store import ObjectStoreError
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK, FieldChange, Subject, UnitOfWork
from archive_store.preservation.disposals import cancel_batch, load_proposed
from archive_store.preservation.documents import BatchStatus, DisposalBatch
from archive_store.preservation.objects import hold_objects
from archive_store.scans.documents import LOCK_YEARS, RetentionClass, Scan, ScanStatus
from archive_store.scans.locks import lock_scan
from archive_store.scans.removal import remove_objects
from archive_store.scans.retention import RetentionContent, RetentionTable, lock_end

log = structlog.get_logger("registrar.preservation")

# Of one kind in one run, so that a long list keeps no other job waiting.
AT_ONCE = 200
REFUSED_AT_ONCE = 1_000
# A proposal has its request right after it; this long is for a clock that is off.
UNASKED_AFTER = timedelta(minutes=10)


async def follow_holds(store: Store, now: datetime) -> int:
    """`scan.hold_objects`: hold in the bucket what is on hold, and end it there for what is not; how many scans."""

    async def follow(scan: Scan) -> dict[str, Any]:
        await hold_objects(store, scan.key, is_held=scan.status is ScanStatus.ON_HOLD)
        return {"is_store_hold_due": False}

    return await _each(store, {"is_store_hold_due": True}, follow, "scan:hold_objects")


async def lock_filed(store: Store, now: datetime) -> int:
    """`scan.lock_objects`: lock what is not known to be locked, then what a newer table keeps longer; how many scans.

    A lock is never shortened: it is the longest of what the tables said since filing.
    """
    table = await _newest_table(store, now)

    async def lock(scan: Scan) -> dict[str, Any]:
        assert scan.created_at is not None  # noqa: S101 - it is stored
        classes = (
            {scan.retention, table.content.rule_for(scan.document_type).retention}
            if table
            else {scan.retention}
        )
        ends = [lock_end(held, school_day(scan.created_at)) for held in classes]
        until = max([*ends, *([scan.locked_until] if scan.locked_until else [])])
        await lock_scan(store, scan, until)
        return {"locked_until": until}

    kept: Row = {"status": {"$ne": ScanStatus.DISPOSED.value}}
    done = await _each(store, {"locked_until": None, **kept}, lock, "scan:lock")
    if table is None or table.locks_extended_at is not None:
        return done
    shorter = {"$and": [kept, {"locked_until": {"$ne": None}}, {"$or": _shorter_than(table.content)}]}
    done += await _each(store, shorter, lock, "scan:lock")
    if await store.database.collection(Scan).find_one(shorter, {"_id": 1}) is None:
        await _mark_extended(store, table)
    return done


async def _newest_table(store: Store, now: datetime) -> RetentionTable | None:
    """As stored, not as remembered; None where the default holds."""
    query = {"effective_from": {"$lte": school_day(now).isoformat()}}
    row = await store.database.collection(RetentionTable).find_one(query, sort=[("version", -1)])
    return None if row is None else RetentionTable.model_validate(row)


def _shorter_than(table: RetentionContent) -> list[Row]:
    """Conditions of the scans whose lock ends before what the table says, as `lock_end` tells it."""
    filed_year = {"$year": {"date": "$created_at", "timezone": "+08:00"}}
    conditions: list[Row] = []
    for retention, years in LOCK_YEARS.items():
        whole = years if retention is RetentionClass.PERMANENT else years + 1
        end = {"$dateFromParts": {"year": {"$add": [filed_year, whole]}, "timezone": "+08:00"}}
        is_shorter: Row = {"$expr": {"$lt": ["$locked_until", end]}}
        conditions += [{"document_type": types, **is_shorter} for types in table.types_kept(retention)]
    return conditions


async def _mark_extended(store: Store, table: RetentionTable) -> None:
    async def mark(unit: UnitOfWork) -> None:
        held = await unit.load(RetentionTable, table.key)
        if held is not None and held.locks_extended_at is None:
            await unit.change(held, {"locks_extended_at": unit.at})
            change = FieldChange("locks_extended_at", None, unit.at)
            unit.audit(
                Subject(RetentionTable.subject_type, held.key), "retention_table:extend_locks", [change]
            )

    await governed_transaction(store, CLOCK, "scan.lock_objects", mark)


async def remove_disposed(store: Store, now: datetime) -> int:
    """`scan.remove_disposed`: remove the objects of what was disposed of, once their lock is over; how many scans.

    Until then they are ciphertext of which the key is gone.
    """

    async def remove(scan: Scan) -> dict[str, Any]:
        await hold_objects(store, scan.key, is_held=False)  # of a hold that ended before
        await remove_objects(store.objects, scan.key)
        return {"objects_removed_at": store.clock.now()}

    query = {
        "status": ScanStatus.DISPOSED.value,
        "objects_removed_at": None,
        "locked_until": {"$lte": now},
    }
    return await _each(store, query, remove, "scan:remove_objects")


async def _each(store: Store, query: Row, do: Callable[[Scan], Awaitable[dict[str, Any]]], kind: str) -> int:
    """Do it to scans of the query, and write what it returns unless the scan was changed meanwhile."""
    done = refused = 0
    async for row in store.database.collection(Scan).find(query).sort("_id", 1):
        # Those that the store refuses each time must not keep the others waiting.
        if done == AT_ONCE or refused == REFUSED_AT_ONCE:
            break
        scan = Scan.model_validate(row)
        try:
            changes = await do(scan)
        except ObjectStoreError as error:
            await store.objects.probe()  # where the store is away, this run has failed; else the next may do
            log.warning("object_store_behind", job=kind, scan=str(scan.key), error=str(error))
            refused += 1
            continue

        async def write(unit: UnitOfWork, scan: Scan = scan, changes: dict[str, Any] = changes) -> None:
            await unit.change(scan, changes)
            told = [
                FieldChange(name, bson_value(getattr(scan, name)), bson_value(value))
                for name, value in changes.items()
            ]
            unit.audit(Subject(Scan.subject_type, scan.key), kind, told)

        try:
            await governed_transaction(store, CLOCK, kind.replace(":", "."), write)
        except RegistrarError:
            # It was changed while the store was told; the next run looks at it again.
            continue
        done += 1
    return done


async def cancel_unasked(store: Store, now: datetime) -> int:
    """`disposal.cancel_unasked`: cancel the batches that no request asks for any more, rejected ones too; how many."""
    query = {"status": BatchStatus.PROPOSED.value, "created_at": {"$lt": now - UNASKED_AFTER}}
    batches = await store.database.collection(DisposalBatch).find(query, {"_id": 1}).limit(AT_ONCE).to_list()
    done = 0
    for row in batches:

        async def cancel(unit: UnitOfWork, key: ObjectId = row["_id"]) -> bool:
            asked = {
                "target_id": key,
                "status": {"$in": [status.value for status in WITHDRAWABLE_STATUSES]},
            }
            collection = store.database.collection(ChangeRequest)
            if await collection.find_one(asked, {"_id": 1}, session=unit.session):
                return False
            await cancel_batch(unit, await load_proposed(unit, key))
            return True

        try:
            done += await governed_transaction(store, CLOCK, "disposal.cancel", cancel)
        except RegistrarError:
            continue
    return done
