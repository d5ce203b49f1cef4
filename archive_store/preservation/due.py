"""What is due for disposal (到期清单), and proposing it: the one call for people, of two operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operations import Asking, payload_of, perform, require_reason
from archive_store.foundation.clock import SCHOOL_TIME, school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.paging import Page, check_page_size
from archive_store.foundation.store import Store
from archive_store.preservation.disposals import PROPOSERS, DisposalCancel, DisposalList, cited_scans
from archive_store.preservation.documents import DisposalItem
from archive_store.preservation.rules import (
    BATCH_LIMIT,
    item_of,
    refuse_kept,
    require_knows_every_scan,
    why_kept,
)
from archive_store.scans.documents import LOCK_YEARS, RetentionClass, Scan, ScanStatus
from archive_store.scans.retention import RetentionContent, table_in_force


async def disposal_due(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[DisposalItem]:
    """Filed scans whose retention has run out by the table in force, in the order in which they were filed.

    Not those on hold, proposed already, kept for good, or evidence of an open request. FORBIDDEN to who does not keep
    the archive.
    """
    require_knows_every_scan(viewer, rule="query disposalDue")
    check_page_size(first, store.settings.page_size_limit)
    found = await _due(store, first + 1, after)
    return Page(found[:first], len(found) > first)


async def _due(store: Store, limit: int, after: ObjectId | None = None) -> list[DisposalItem]:
    table = (await table_in_force(store)).content
    conditions = _due_by(table, school_day(store.clock.now()))
    if not conditions:
        return []
    key: Row = {"$nin": sorted(await cited_scans(store))}
    if after is not None:
        key["$gt"] = after
    query = {"status": ScanStatus.FILED.value, "_id": key, "$or": conditions}
    rows = await store.database.collection(Scan).find(query).sort("_id", 1).limit(limit).to_list()
    items = [item_of(Scan.model_validate(row), table) for row in rows]
    return [item for item in items if item is not None]


def _due_by(table: RetentionContent, today: date) -> list[Row]:
    """One condition for each period that ends: what it covers, filed so early that it has run out."""
    conditions: list[Row] = []
    for retention, years in LOCK_YEARS.items():
        if retention is RetentionClass.PERMANENT:
            continue
        # `due_on` is the first day of the year `years + 1` after that of filing.
        filed_before = datetime.combine(date(today.year - years, 1, 1), time(), SCHOOL_TIME)
        filed: Row = {"created_at": {"$lt": filed_before}}
        conditions += [{"document_type": types, **filed} for types in table.types_kept(retention)]
    return conditions


@dataclass(frozen=True, slots=True)
class Proposal:
    """The list, and of what was asked for the batch and the request; None of a dry run."""

    items: Sequence[DisposalItem]
    batch_id: ObjectId | None = None
    change_request_id: ObjectId | None = None


async def propose_disposal(
    store: Store,
    viewer: Viewer,
    *,
    scan_ids: Sequence[ObjectId] | None,
    reason: str | None,
    dry_run: bool,
) -> Proposal:
    """Propose these scans, or the first `BATCH_LIMIT` that are due; with `dry_run` only show the list.

    FORBIDDEN without a post that may, CONFLICT that names each scan which is not due, NOTHING_TO_CHANGE where none is.
    """
    viewer.require_any(PROPOSERS, rule="operation disposal.propose")
    require_knows_every_scan(viewer, rule="operation disposal.propose")
    table = await table_in_force(store)
    today = school_day(store.clock.now())
    if scan_ids is None:
        items = await _due(store, BATCH_LIMIT)
    else:
        items = await _named(store, list(dict.fromkeys(scan_ids)), table.content, today)
    if not items:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="scan_ids")
    if dry_run:
        return Proposal(items)
    require_reason(Asking(reason and reason.strip()))
    told = {
        "batch_id": ObjectId(),
        "table_version": table.version,
        "due_by": today,
        "items": tuple(items),
        "reason": reason,
    }
    payload = payload_of(DisposalList, told, long_texts=frozenset({"reason"}))
    await perform(store, viewer, "disposal.propose", payload, reason=payload.reason)
    try:
        outcome = await perform(store, viewer, "scan.dispose", payload, reason=payload.reason)
    except RegistrarError:
        # Where not even this is reached, the job `disposal.cancel_unasked` does it.
        await perform(store, viewer, "disposal.cancel", DisposalCancel(batch_id=payload.batch_id))
        raise
    return Proposal(items, payload.batch_id, outcome.change_request_id)


async def _named(
    store: Store, scan_ids: Sequence[ObjectId], table: RetentionContent, today: date
) -> list[DisposalItem]:
    if len(scan_ids) > BATCH_LIMIT:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="scan_ids", least=1, most=BATCH_LIMIT)
    rows = await store.database.collection(Scan).find({"_id": {"$in": list(scan_ids)}}).to_list()
    found = {row["_id"]: Scan.model_validate(row) for row in rows}
    cited = await cited_scans(store, None, scan_ids)
    filed = ScanStatus.FILED
    refuse_kept(
        [why_kept(found.get(key), expected=filed, table=table, today=today, cited=cited) for key in scan_ids]
    )
    items = [item_of(found[key], table) for key in scan_ids]
    return [item for item in items if item is not None]
