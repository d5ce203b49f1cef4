"""`disposal.propose`, `disposal.cancel` and `scan.dispose`: destroying what need not be kept any more (销毁).

Policy §四(一), tier 3: the principal decides on a list. Proposing marks the scans at once; the request to dispose of
them carries the same list, so that what is signed is what is destroyed: all of it, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision
from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import WITHDRAWABLE_STATUSES, ChangeRequest
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import REASON_LIMIT
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.preservation.documents import BatchStatus, DisposalBatch, DisposalItem
from archive_store.preservation.rules import (
    BATCH_LIMIT,
    knows_every_scan,
    refuse_kept,
    require_knows_every_scan,
    why_kept,
)
from archive_store.scans.documents import ArchiveFile, Scan, ScanStatus
from archive_store.scans.keys import rotate_archive_file_key
from archive_store.scans.retention import RULE, lock_end, table_in_force

PROPOSERS = frozenset({Post.ARCHIVE_GROUP, Post.DIRECTOR})
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_LIMIT)]


class DisposalList(Payload):
    """Payload of `disposal.propose` and `scan.dispose`: the batch, by which version and day, and its scans."""

    batch_id: PydanticObjectId
    table_version: int
    due_by: date
    items: Annotated[tuple[DisposalItem, ...], Field(min_length=1, max_length=BATCH_LIMIT)]
    reason: Reason


class DisposalCancel(Payload):
    """Payload of `disposal.cancel`."""

    batch_id: PydanticObjectId


def _subject(batch_id: ObjectId) -> Subject:
    return Subject(DisposalBatch.subject_type, batch_id)


async def cited_scans(
    store: Store, session: AsyncClientSession | None = None, scan_ids: Sequence[ObjectId] | None = None
) -> frozenset[ObjectId]:
    """Scans, of these or of all, that requests rest on which are not decided or wait for their day."""
    wanted: Any = {"$exists": True} if scan_ids is None else {"$in": list(scan_ids)}
    query = {
        "status": {"$in": [status.value for status in WITHDRAWABLE_STATUSES]},
        "evidence.scan_id": wanted,
    }
    rows = store.database.collection(ChangeRequest).find(query, {"evidence.scan_id": 1}, session=session)
    return frozenset([paper["scan_id"] for row in await rows.to_list() for paper in row["evidence"]])


async def _due_scans(unit: UnitOfWork, payload: DisposalList, expected: ScanStatus) -> list[Scan]:
    """The scans of the list as of this transaction; CONFLICT that names each which may not be disposed of."""
    scans = [await unit.load(Scan, item.scan_id) for item in payload.items]
    table = (await table_in_force(unit.store)).content
    cited = await cited_scans(unit.store, unit.session, [item.scan_id for item in payload.items])
    today = school_day(unit.at)
    refuse_kept([why_kept(scan, expected=expected, table=table, today=today, cited=cited) for scan in scans])
    return [scan for scan in scans if scan is not None]


async def _change(unit: UnitOfWork, scan: Scan, changes: dict[str, Any], kind: str) -> None:
    await unit.change(scan, changes)
    change = FieldChange("status", bson_value(scan.status), bson_value(changes["status"]))
    unit.audit(Subject(Scan.subject_type, scan.key), kind, [change])


async def _check_propose(store: Store, viewer: Viewer, payload: DisposalList) -> None:
    require_knows_every_scan(viewer, rule="operation disposal.propose")


async def _propose(unit: UnitOfWork, payload: DisposalList) -> ObjectId:
    assert unit.actor.person_id is not None  # noqa: S101 - only people propose
    for scan in await _due_scans(unit, payload, ScanStatus.FILED):
        changes = {"status": ScanStatus.DISPOSAL_PROPOSED, "disposal_batch_id": payload.batch_id}
        await _change(unit, scan, changes, "scan:propose_disposal")
    batch = DisposalBatch(
        id=payload.batch_id,
        table_version=payload.table_version,
        due_by=payload.due_by,
        items=list(payload.items),
        proposed_by=PydanticObjectId(unit.actor.person_id),
        proposed_by_name=unit.actor.name,
        reason=payload.reason,
    )
    await unit.insert(batch)
    told = ("table_version", "due_by", "items")
    changes_told = [FieldChange(name, None, bson_value(getattr(batch, name))) for name in told]
    unit.audit(_subject(batch.key), "disposal_batch:propose", changes_told)
    return batch.key


async def load_proposed(unit: UnitOfWork, batch_id: ObjectId) -> DisposalBatch:
    """The batch; WRONG_STATE unless it is proposed."""
    batch = await unit.load(DisposalBatch, batch_id)
    if batch is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    if batch.status is not BatchStatus.PROPOSED:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=batch.status)
    return batch


async def close(unit: UnitOfWork, batch: DisposalBatch, status: BatchStatus, verb: str) -> None:
    """Write how it ended, and tell who proposed it."""
    await unit.change(batch, {"status": status, "closed_at": unit.at})
    change = FieldChange("status", batch.status.value, status.value)
    unit.audit(_subject(batch.key), f"disposal_batch:{verb}", [change])
    unit.notify(batch.proposed_by, f"disposal_batch:{status.lower()}", _subject(batch.key))


async def cancel_batch(unit: UnitOfWork, batch: DisposalBatch) -> None:
    """Nothing of it is disposed of; scans on hold stay so, the others are filed as before."""
    for item in batch.items:
        scan = await unit.load(Scan, item.scan_id)
        if scan is not None and scan.disposal_batch_id == batch.key:
            status = ScanStatus.FILED if scan.status is ScanStatus.DISPOSAL_PROPOSED else scan.status
            await _change(unit, scan, {"status": status, "disposal_batch_id": None}, "scan:cancel_disposal")
    await close(unit, batch, BatchStatus.CANCELLED, "cancel")


async def _check_cancel(store: Store, viewer: Viewer, payload: DisposalCancel) -> None:
    row = await store.database.collection(DisposalBatch).find_one({"_id": payload.batch_id}, {"status": 1})
    if row is None or not knows_every_scan(viewer):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    if row["status"] != BatchStatus.PROPOSED.value:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=row["status"])


async def _cancel(unit: UnitOfWork, payload: DisposalCancel) -> ObjectId:
    batch = await load_proposed(unit, payload.batch_id)
    await cancel_batch(unit, batch)
    return batch.key


async def _check_dispose(store: Store, viewer: Viewer, payload: DisposalList) -> None:
    require_knows_every_scan(viewer, rule="operation scan.dispose")
    batch = await store.database.collection(DisposalBatch).find_one({"_id": payload.batch_id})
    if batch is None or not _is_the_list(DisposalBatch.model_validate(batch), payload):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="batch_id")
    if batch["status"] != BatchStatus.PROPOSED.value:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="batch_id", rule=RULE, state=batch["status"])


def _is_the_list(batch: DisposalBatch, payload: DisposalList) -> bool:
    return all(
        bson_value(getattr(batch, name)) == bson_value(getattr(payload, name))
        for name in ("table_version", "due_by", "items", "reason")
    )


async def _current(
    store: Store, session: AsyncClientSession | None, payload: DisposalList
) -> Mapping[str, Any]:
    collection = store.database.collection(DisposalBatch)
    row = await collection.find_one({"_id": payload.batch_id}, {"status": 1}, session=session)
    return {"status": row["status"] if row else None}


async def _dispose(unit: UnitOfWork, payload: DisposalList) -> ObjectId:
    batch = await load_proposed(unit, payload.batch_id)
    if not _is_the_list(batch, payload):
        raise AssertionError(f"the list of batch {batch.key} is not the one that was approved")
    scans = await _due_scans(unit, payload, ScanStatus.DISPOSAL_PROPOSED)
    for scan in scans:
        changes = {"status": ScanStatus.DISPOSED, "wrapped_data_key": None, "disposed_at": unit.at}
        changes |= {"thumbnail": None, "preview": None}
        if scan.locked_until is None and scan.created_at is not None:
            # As it was to be locked when it was filed; until then its objects need not be tried.
            changes["locked_until"] = lock_end(scan.retention, school_day(scan.created_at))
        await _change(unit, scan, changes, "scan:dispose")
    # An older copy of a scan holds its wrapped key: what wrapped it must not open any more either.
    for file_id in sorted({scan.archive_file_id for scan in scans}):
        archive_file = await unit.load(ArchiveFile, file_id)
        if archive_file is None:
            raise LookupError(f"there is no archive file {file_id}")
        await rotate_archive_file_key(unit, archive_file)
    await close(unit, batch, BatchStatus.DISPOSED, "dispose")
    return batch.key


async def _decisions(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    return dict.fromkeys(ids, viewer.decide(DisposalBatch)) if knows_every_scan(viewer) else {}


def _students(payload: DisposalList) -> frozenset[ObjectId]:
    return frozenset(item.student_id for item in payload.items)


_LISTED = ("table_version", "due_by", "items")
DISPOSAL_PROPOSE = Operation(
    name="disposal.propose",
    record_type=DisposalBatch,
    payload=DisposalList,
    requesters=PROPOSERS,
    subject=lambda payload: _subject(payload.batch_id),
    requested_values=lambda payload: {name: bson_value(getattr(payload, name)) for name in _LISTED},
    fields=lambda payload: frozenset(_LISTED),
    decisions=_decisions,
    concerns=_students,
    check=_check_propose,
    apply=_propose,
    applies_at_once=True,
)
DISPOSAL_CANCEL = Operation(
    name="disposal.cancel",
    record_type=DisposalBatch,
    payload=DisposalCancel,
    requesters=PROPOSERS,
    subject=lambda payload: _subject(payload.batch_id),
    requested_values=lambda payload: {"status": BatchStatus.CANCELLED.value},
    fields=lambda payload: frozenset({"status"}),
    decisions=_decisions,
    check=_check_cancel,
    apply=_cancel,
    applies_at_once=True,
)
SCAN_DISPOSE = Operation(
    name="scan.dispose",
    record_type=DisposalBatch,
    payload=DisposalList,
    requesters=PROPOSERS,
    subject=lambda payload: _subject(payload.batch_id),
    requested_values=lambda payload: {
        "status": BatchStatus.DISPOSED.value,
        **{name: bson_value(getattr(payload, name)) for name in _LISTED},
    },
    fields=lambda payload: frozenset({"status", *_LISTED}),
    current=_current,
    decisions=_decisions,
    concerns=_students,
    check=_check_dispose,
    apply=_dispose,
)
