"""`scan.hold` and `scan.release_hold`: legal holds (冻结). A hold is placed at once; its end is signed.

What the store says holds at once, whatever the bucket does: the bucket is told right after, and again by the job
`scan.hold_objects` until it has answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import structlog
from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import REASON_LIMIT, Outcome, payload_of, perform
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStoreError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.preservation.documents import LegalHold
from archive_store.preservation.objects import hold_objects
from archive_store.preservation.rules import BATCH_LIMIT, knows_every_scan
from archive_store.scans.documents import Scan, ScanStatus
from archive_store.scans.queries import scans_by_id

log = structlog.get_logger("registrar.preservation")

RULE = "operation scan.hold"
HOLDERS = frozenset({Post.DIRECTOR, Post.VICE_PRINCIPAL})
RELEASERS = HOLDERS | {Post.ARCHIVE_GROUP}
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_LIMIT)]


class ScanHold(Payload):
    """Payload of `scan.hold`: scans of one student."""

    hold_id: PydanticObjectId
    student_id: PydanticObjectId
    scan_ids: Annotated[tuple[PydanticObjectId, ...], Field(min_length=1, max_length=BATCH_LIMIT)]
    reason: Reason


class ScanReleaseHold(Payload):
    """Payload of `scan.release_hold`; the student is that of the hold, so that their own people decide nothing."""

    hold_id: PydanticObjectId
    student_id: PydanticObjectId


async def hold_scans(store: Store, viewer: Viewer, scan_ids: Sequence[ObjectId], reason: str) -> Outcome:
    """Put scans of one student on hold; the hold's key is the result, where no approval is asked for.

    FORBIDDEN without a post that may, NOT_FOUND for a scan that is not in sight, WRONG_STATE for one that is disposed
    of, INVALID_ARGUMENT where they are of several students.
    """
    viewer.require_any(HOLDERS, rule=RULE)
    ids = list(dict.fromkeys(scan_ids))
    if not 0 < len(ids) <= BATCH_LIMIT:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="scan_ids", least=1, most=BATCH_LIMIT)
    views = await scans_by_id(store, viewer, ids)
    students = {view.student_id for view in views if view is not None}
    if None in views or None in students:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="scan_ids")
    if len(students) > 1:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="scan_ids",
            detail_zh="须为同一名学生的扫描件",
            detail_en="they must be of one student",
        )
    told = {"hold_id": ObjectId(), "student_id": students.pop(), "scan_ids": ids, "reason": reason}
    payload = payload_of(ScanHold, told, long_texts=frozenset({"reason"}))
    outcome = await perform(store, viewer, SCAN_HOLD.name, payload, reason=payload.reason)
    if outcome.applied:
        for scan_id in ids:
            try:
                await hold_objects(store, scan_id, is_held=True)
            except ObjectStoreError:
                log.warning("scan_not_held", scan=str(scan_id))  # the job tries again
    return outcome


async def release_hold(store: Store, viewer: Viewer, hold_id: ObjectId, reason: str) -> Outcome:
    """End a hold, or ask for its end. NOT_FOUND where there is none to see, WRONG_STATE where it has ended."""
    viewer.require_any(RELEASERS, rule="operation scan.release_hold")
    row = await store.database.collection(LegalHold).find_one({"_id": hold_id}, {"student_id": 1})
    if row is None or not knows_every_scan(viewer):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    payload = ScanReleaseHold(hold_id=PydanticObjectId(hold_id), student_id=row["student_id"])
    return await perform(store, viewer, SCAN_RELEASE_HOLD.name, payload, reason=reason)


async def decisions_of_keepers(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    """What a request about holds shows: its values to those who know of every scan."""
    return dict.fromkeys(ids, viewer.decide(LegalHold)) if knows_every_scan(viewer) else {}


async def _check_hold(store: Store, viewer: Viewer, payload: ScanHold) -> None:
    views = await scans_by_id(store, viewer, payload.scan_ids)
    if any(view is None or view.student_id != payload.student_id for view in views):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="scan_ids")
    query = {"_id": {"$in": list(payload.scan_ids)}, "status": ScanStatus.DISPOSED.value}
    if await store.database.collection(Scan).find_one(query, {"_id": 1}):
        raise _wrong_state(ScanStatus.DISPOSED)


def _wrong_state(state: str) -> RegistrarError:
    return RegistrarError(ErrorCode.WRONG_STATE, field="scan_ids", rule=RULE, state=state)


async def _load(unit: UnitOfWork, scan_id: ObjectId) -> Scan:
    scan = await unit.load(Scan, scan_id)
    if scan is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="scan_ids")
    return scan


async def _change(unit: UnitOfWork, scan: Scan, hold_ids: list[PydanticObjectId], kind: str) -> None:
    status = ScanStatus.ON_HOLD if hold_ids else ScanStatus.FILED
    await unit.change(scan, {"status": status, "hold_ids": hold_ids, "is_store_hold_due": True})
    change = FieldChange("status", bson_value(scan.status), status.value)
    unit.audit(Subject(Scan.subject_type, scan.key), kind, [change])


async def _hold(unit: UnitOfWork, payload: ScanHold) -> ObjectId:
    assert unit.actor.person_id is not None  # noqa: S101 - only people hold
    for scan_id in payload.scan_ids:
        scan = await _load(unit, scan_id)
        if scan.status is ScanStatus.DISPOSED:
            raise _wrong_state(scan.status)
        # A proposal to dispose of it cannot be applied any more.
        await _change(unit, scan, [*scan.hold_ids, payload.hold_id], "scan:hold")
    hold = LegalHold(
        id=payload.hold_id,
        student_id=payload.student_id,
        scan_ids=list(payload.scan_ids),
        reason=payload.reason,
        placed_by=PydanticObjectId(unit.actor.person_id),
        placed_by_name=unit.actor.name,
    )
    await unit.insert(hold)
    changes = [
        FieldChange(name, None, bson_value(getattr(hold, name))) for name in ("student_id", "scan_ids")
    ]
    subject = Subject(LegalHold.subject_type, hold.key)
    unit.audit(subject, "legal_hold:place", changes)
    unit.notify(Post.ARCHIVE_GROUP, "legal_hold:placed", subject)
    return hold.key


async def _check_release(store: Store, viewer: Viewer, payload: ScanReleaseHold) -> None:
    query = {"_id": payload.hold_id, "student_id": payload.student_id}
    row = await store.database.collection(LegalHold).find_one(query, {"released_at": 1})
    if row is None or not knows_every_scan(viewer):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    if row["released_at"] is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="RELEASED")


async def _current_release(
    store: Store, session: AsyncClientSession | None, payload: ScanReleaseHold
) -> Mapping[str, Any]:
    collection = store.database.collection(LegalHold)
    row = await collection.find_one({"_id": payload.hold_id}, {"released_at": 1}, session=session)
    return {"released_at": row["released_at"] if row else None}


async def _release(unit: UnitOfWork, payload: ScanReleaseHold) -> ObjectId:
    hold = await unit.load(LegalHold, payload.hold_id)
    if hold is None or hold.released_at is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="RELEASED")
    for scan_id in hold.scan_ids:
        scan = await _load(unit, scan_id)
        left = [key for key in scan.hold_ids if key != hold.key]
        await _change(unit, scan, left, "scan:release_hold")
    await unit.change(hold, {"released_at": unit.at, "released_by_name": unit.actor.name})
    subject = Subject(LegalHold.subject_type, hold.key)
    unit.audit(subject, "legal_hold:release", [FieldChange("released_at", None, unit.at)])
    for recipient in (hold.placed_by, Post.ARCHIVE_GROUP):
        unit.notify(recipient, "legal_hold:released", subject)
    return hold.key


SCAN_HOLD = Operation(
    name="scan.hold",
    record_type=LegalHold,
    payload=ScanHold,
    requesters=HOLDERS,
    subject=lambda payload: Subject(LegalHold.subject_type, payload.hold_id),
    requested_values=lambda payload: {
        "scan_ids": bson_value(payload.scan_ids),
        "reason": payload.reason,
    },
    fields=lambda payload: frozenset({"scan_ids", "reason"}),
    decisions=decisions_of_keepers,
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check_hold,
    apply=_hold,
)
SCAN_RELEASE_HOLD = Operation(
    name="scan.release_hold",
    record_type=LegalHold,
    payload=ScanReleaseHold,
    requesters=RELEASERS,
    subject=lambda payload: Subject(LegalHold.subject_type, payload.hold_id),
    requested_values=lambda payload: {},
    fields=lambda payload: frozenset({"released_at"}),
    current=_current_release,
    decisions=decisions_of_keepers,
    # Why it may end tells of why it was placed.
    reason_fields=frozenset({"reason"}),
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check_release,
    apply=_release,
)
