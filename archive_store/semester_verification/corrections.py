"""What becomes of a mismatch: a change request for `student.update`, or a word of those who handle it.

`request_correction` makes the request of what was reported, `verification.settle` ends a mismatch in another way, and
the clock follows the requests: an applied one resolves its item, any other end gives it back to be verified again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ChangeRequest, RequestStatus
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import Asking, perform
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK, UnitOfWork
from archive_store.semester_verification.campaigns import campaign_by_id
from archive_store.semester_verification.documents import ItemState, MismatchOutcome, VerificationItem
from archive_store.semester_verification.queries import ItemView
from archive_store.semester_verification.reports import reason_of, update_of
from archive_store.semester_verification.rules import CORRECTABLE_FIELDS, HANDLERS, RULE, require_not_own
from archive_store.semester_verification.steps import item_in, item_operation, visible_item, write_item
from archive_store.students.documents import Student

_AT_ONCE = 200
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]


class VerificationSettle(Payload):
    """Payload of `verification.settle`: the mismatch is handled, or not `is_resolved` and to be verified again."""

    item_id: PydanticObjectId
    is_resolved: bool
    answer: _Text


async def _mismatch(store: Store, viewer: Viewer, item_id: ObjectId) -> ItemView:
    """A mismatch in sight that nothing was done about; NOT_FOUND, WRONG_STATE, SELF_APPROVAL."""
    viewer.require_any(HANDLERS, rule=RULE)
    view = await visible_item(store, viewer, item_id)
    _require_unhandled(view.state, view.row["request_id"])
    require_not_own(viewer, view.student_id)
    return view


def _require_unhandled(state: ItemState, request_id: ObjectId | None) -> None:
    if state is not ItemState.MISMATCH or request_id is not None:
        told = state if state is not ItemState.MISMATCH else "REQUESTED"
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=told)


async def request_correction(store: Store, viewer: Viewer, item_id: ObjectId) -> None:
    """Ask for the change of the record that was reported, in the viewer's name; in one transaction with the item.

    REQUIRED where the report names no value that `student.update` changes: it is settled in another way.
    """
    view = await _mismatch(store, viewer, item_id)
    campaign = await campaign_by_id(store, view.row["campaign_id"])
    found = await _found(store, item_id)
    if not found or not found.keys() <= CORRECTABLE_FIELDS:
        raise RegistrarError(ErrorCode.REQUIRED, field="fields", rule=RULE)
    update = update_of(view.student_id, found)

    async def beside(unit: UnitOfWork, request_id: ObjectId | None) -> None:
        item = await item_in(unit, item_id)
        _require_unhandled(item.state, item.request_id)
        values: dict[str, Any] = {"request_id": request_id, "handled_by_name": unit.actor.name}
        if request_id is None:
            values |= {"handled_at": unit.at, **await _resolved(unit, item, MismatchOutcome.APPLIED)}
        await write_item(unit, item, "request_correction", values)

    await perform(store, viewer, "student.update", update, asking=Asking(reason_of(campaign), beside=beside))


async def _found(store: Store, item_id: ObjectId) -> Mapping[str, str]:
    """What was reported, for the request that is made of it; nobody is shown it here."""
    row = await store.database.collection(VerificationItem).find_one({"_id": item_id}, {"found": 1})
    if row is None:
        return {}
    await store.cipher.decrypt_paths([row], {"found.value"} & encrypted_paths(VerificationItem))
    return {held["field"]: held["value"] for held in row["found"]}


async def _resolved(unit: UnitOfWork, item: VerificationItem, outcome: MismatchOutcome) -> dict[str, Any]:
    record = await unit.store.database.collection(Student).find_one(
        {"_id": item.student_id}, {"revision": 1}, session=unit.session
    )
    revision = record["revision"] if record else None
    return {"state": ItemState.RESOLVED, "outcome": outcome, "record_revision": revision}


async def _check_settle(store: Store, viewer: Viewer, payload: VerificationSettle) -> None:
    await _mismatch(store, viewer, payload.item_id)


async def _apply_settle(unit: UnitOfWork, payload: VerificationSettle) -> ObjectId:
    item = await item_in(unit, payload.item_id)
    _require_unhandled(item.state, item.request_id)
    values: dict[str, Any] = {
        "answer": payload.answer,
        "handled_by_name": unit.actor.name,
        "handled_at": unit.at,
    }
    if payload.is_resolved:
        values |= await _resolved(unit, item, MismatchOutcome.SETTLED)
    else:
        values |= {"state": ItemState.PENDING, "outcome": MismatchOutcome.RETURNED}
    subject = await write_item(unit, item, "settle", values)
    if item.reported_by is not None:
        unit.notify(
            item.reported_by, f"verification:{'resolved' if payload.is_resolved else 'returned'}", subject
        )
    return item.key


VERIFICATION_SETTLE = item_operation(
    "verification.settle",
    VerificationSettle,
    HANDLERS,
    lambda payload: payload.item_id,
    _check_settle,
    _apply_settle,
)

_OUTCOMES = {
    RequestStatus.APPLIED: MismatchOutcome.APPLIED,
    RequestStatus.REJECTED: MismatchOutcome.REJECTED,
    RequestStatus.WITHDRAWN: MismatchOutcome.WITHDRAWN,
    RequestStatus.SUPERSEDED: MismatchOutcome.WITHDRAWN,
}


async def follow_requests(store: Store, now: datetime) -> int:
    """The clock's job: items whose change request has come to an end follow it; how many."""
    request: Row = {
        "from": ChangeRequest.Settings.name,
        "localField": "request_id",
        "foreignField": "_id",
        "pipeline": [
            {"$match": {"status": {"$in": [status.value for status in _OUTCOMES]}}},
            {"$project": {"status": 1}},
        ],
        "as": "request",
    }
    steps: list[Row] = [
        {"$match": {"state": ItemState.MISMATCH.value, "request_id": {"$type": "objectId"}}},
        {"$lookup": request},
        {"$match": {"request.0": {"$exists": True}}},
        {"$limit": _AT_ONCE},
        {"$project": {"request": 1}},
    ]
    cursor = await store.database.collection(VerificationItem).aggregate(steps)
    done = 0
    for row in await cursor.to_list():
        (held,) = row["request"]
        outcome = _OUTCOMES[RequestStatus(held["status"])]
        try:
            done += await governed_transaction(
                store, CLOCK, "verification.follow_requests", _follow(row["_id"], held["_id"], outcome)
            )
        except RegistrarError:
            # Somebody changed it meanwhile; the next run looks at it again.
            continue
    return done


def _follow(item_id: ObjectId, request_id: ObjectId, outcome: MismatchOutcome) -> Any:
    async def work(unit: UnitOfWork) -> int:
        item = await unit.load(VerificationItem, item_id)
        if item is None or item.state is not ItemState.MISMATCH or item.request_id != request_id:
            return 0
        is_applied = outcome is MismatchOutcome.APPLIED
        values: dict[str, Any] = {"state": ItemState.PENDING, "outcome": outcome, "handled_at": unit.at}
        if is_applied:
            values |= await _resolved(unit, item, outcome)
        subject = await write_item(unit, item, "follow_request", values)
        if item.reported_by is not None:
            unit.notify(item.reported_by, f"verification:{'resolved' if is_applied else 'returned'}", subject)
        return 1

    return work
