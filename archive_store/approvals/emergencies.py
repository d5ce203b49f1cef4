"""The emergency path (应急处置, policy §四(一)): executed at once, reported, then ratified or reversed.

Each step, its audit entries and its notifications commit in one transaction. What is executed is whitelisted by the
approval policy; having executed it gives no right to read.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.emergency_documents import (
    UNRATIFIED_STATUSES,
    EmergencyAction,
    EmergencyStatus,
    Receipt,
    Ruling,
)
from archive_store.approvals.emergency_rules import (
    EXECUTORS,
    REPORT_POSTS,
    acknowledging_seats,
    concerns,
    deciding_seat,
    is_whitelisted,
    may_see,
    ratifying_seat,
    unacknowledged,
)
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import REASON_LIMIT
from archive_store.approvals.routing import digest_of, payload_content
from archive_store.approvals.rules import POLICY_SECTION, Seat
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.foundation.unit_of_work import CLOCK, Subject, UnitOfWork
from archive_store.foundation.versioned import newest_version


async def execute(
    store: Store, viewer: Viewer, name: str, payload: Payload, *, reason: str | None
) -> ObjectId:
    """Apply a whitelisted operation at once and report it; the emergency action's key.

    Raises FORBIDDEN for anybody but the information group and for what is not whitelisted, SELF_APPROVAL for what
    concerns the viewer or their child, and whatever the operation's check refuses.
    """
    operation: Operation[Any] = store.operations[name]
    viewer.require_any(EXECUTORS & operation.requesters, rule=POLICY_SECTION)
    reason = _required(reason, "reason")
    policy = await newest_version(store, ApprovalPolicy)
    fields = operation.fields(payload)
    if operation.reverse is None or not is_whitelisted(policy, name, fields):
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=POLICY_SECTION)
    target = operation.subject(payload)
    if concerns(viewer, target.id):
        raise RegistrarError(ErrorCode.SELF_APPROVAL, rule=POLICY_SECTION)
    await operation.check(store, viewer, payload)
    action_id = ObjectId()

    async def write(unit: UnitOfWork) -> ObjectId:
        before = bson_value(dict(await operation.current(store, unit.session, payload)))
        await operation.apply(unit, payload)
        sealed = {"payload": payload_content(payload), "before": before, "reason": reason}
        action = EmergencyAction(
            id=action_id,
            operation=name,
            target_type=target.type,
            target_id=target.id,
            fields=sorted(fields),
            sealed=sealed,
            digest=_digest(store, action_id, sealed),
            policy_version=policy.version,
            executed_by=viewer.person_id,
            executed_by_name=viewer.name,
            executed_at=unit.at,
            due_at=unit.at + timedelta(hours=policy.emergency_hours),
            # A post that the executor holds knows of it.
            receipts=[_receipt(unit, viewer, Seat(post)) for post in REPORT_POSTS if post in viewer.posts],
        )
        await unit.insert(action)
        subject = _subject(action)
        unit.audit(subject, "emergency:execute", note=f"{name} {target.type}:{target.id}")
        for post in REPORT_POSTS:
            unit.notify(post, "emergency:executed", subject)
        return action_id

    return await governed_transaction(store, viewer.actor, "emergency.execute", write, reason=reason)


async def acknowledge(store: Store, viewer: Viewer, action_id: ObjectId) -> EmergencyStatus:
    """Give the receipt (签收) of one's post; the last of the two makes it REPORTED. Also once it is decided."""

    async def write(unit: UnitOfWork) -> EmergencyStatus:
        action = await _load_visible(unit, viewer, action_id)
        seats = acknowledging_seats(viewer, action)
        reached = action.model_copy(update=_with_receipts(unit, viewer, action, seats))
        await unit.change(action, {"receipts": reached.receipts, "status": reached.status})
        unit.audit(_subject(action), "emergency:acknowledge", note=_seats_note(seats))
        return EmergencyStatus(reached.status)

    return await governed_transaction(store, viewer.actor, "emergency.acknowledge", write)


async def ratify(
    store: Store, viewer: Viewer, action_id: ObjectId, *, comment: str | None = None
) -> EmergencyStatus:
    """Ratify (追认). Both posts know of it then, or it was escalated."""
    check_text(comment, field="comment", limit=REASON_LIMIT, is_one_line=False)

    async def write(unit: UnitOfWork) -> EmergencyStatus:
        action = await _load_visible(unit, viewer, action_id)
        seat = ratifying_seat(viewer, action)
        return await _close(unit, viewer, action, seat, EmergencyStatus.RATIFIED, comment)

    return await governed_transaction(store, viewer.actor, "emergency.ratify", write, reason=comment)


async def reverse(
    store: Store, viewer: Viewer, action_id: ObjectId, *, comment: str | None
) -> EmergencyStatus:
    """Reverse (撤销): restore what was before, by a change of its own; CONFLICT where it was changed since.

    It need not wait until both posts know: what was wrong is put right at once.
    """
    comment = _required(comment, "comment")

    async def write(unit: UnitOfWork) -> EmergencyStatus:
        action = await _load_visible(unit, viewer, action_id)
        seat = deciding_seat(viewer, action)
        if not hmac.compare_digest(_digest(store, action_id, action.sealed), action.digest):
            raise AssertionError(f"what {action_id} holds is not what was executed")
        operation: Operation[Any] = unit.store.operations[action.operation]
        assert operation.reverse is not None  # noqa: S101 - else it was not executed
        before: Mapping[str, Any] = action.sealed["before"]
        payload = operation.payload.model_validate(action.sealed["payload"])
        await operation.reverse(unit, payload, before, school_day(action.executed_at))
        return await _close(unit, viewer, action, seat, EmergencyStatus.REVERSED, comment)

    return await governed_transaction(store, viewer.actor, "emergency.reverse", write, reason=comment)


async def escalate_overdue(store: Store, now: datetime) -> int:
    """Tell the principal, once, of each action that nobody ratified or reversed in time; how many there were."""
    found = store.database.collection(EmergencyAction).find(
        {
            "status": {"$in": [status.value for status in UNRATIFIED_STATUSES]},
            "due_at": {"$lt": now},
            "escalated_at": None,
        },
        {"_id": 1},
    )
    escalated = 0
    for row in await found.to_list():
        try:
            escalated += await _escalate(store, row["_id"], now)
        except RegistrarError as error:
            # Somebody else had it in hand; the next run looks again.
            if error.code is not ErrorCode.TRY_AGAIN:
                raise
    return escalated


async def _escalate(store: Store, action_id: ObjectId, now: datetime) -> bool:
    async def write(unit: UnitOfWork) -> bool:
        action = await unit.load(EmergencyAction, action_id)
        if action is None or action.status not in UNRATIFIED_STATUSES or action.escalated_at is not None:
            return False
        await unit.change(action, {"escalated_at": now})
        unit.audit(_subject(action), "emergency:escalate")
        unit.notify(Post.PRINCIPAL, "emergency:escalated", _subject(action))
        return True

    return await governed_transaction(store, CLOCK, "emergency.escalate", write)


async def _close(
    unit: UnitOfWork,
    viewer: Viewer,
    action: EmergencyAction,
    seat: Seat,
    status: EmergencyStatus,
    comment: str | None,
) -> EmergencyStatus:
    assert seat.post is not None  # noqa: S101 - no seat here is without
    ruling = Ruling(
        post=seat.post,
        decided_by=PydanticObjectId(viewer.person_id),
        decided_by_name=viewer.name,
        decided_at=unit.at,
        comment=comment,
        **seat.signed_for,
    )
    # Who decides knows of it.
    seats = [seat] if seat.post in unacknowledged(action) else []
    receipts = _with_receipts(unit, viewer, action, seats)["receipts"]
    await unit.change(action, {"receipts": receipts, "status": status, "ruling": ruling})
    subject = _subject(action)
    kind = "emergency:ratify" if status is EmergencyStatus.RATIFIED else "emergency:reverse"
    unit.audit(subject, kind, note=_seats_note([seat]))
    for recipient in (action.executed_by, *REPORT_POSTS):
        unit.notify(recipient, f"emergency:{status.lower()}", subject)
    return status


def _with_receipts(
    unit: UnitOfWork, viewer: Viewer, action: EmergencyAction, seats: list[Seat]
) -> dict[str, Any]:
    """The receipts with those of the seats, and the status that follows."""
    receipts = [*action.receipts, *(_receipt(unit, viewer, seat) for seat in seats)]
    reached = {receipt.post for receipt in receipts}.issuperset(REPORT_POSTS)
    is_reported = reached and action.status is EmergencyStatus.EXECUTED
    return {"receipts": receipts, "status": EmergencyStatus.REPORTED if is_reported else action.status}


def _receipt(unit: UnitOfWork, viewer: Viewer, seat: Seat) -> Receipt:
    assert seat.post is not None  # noqa: S101 - no seat here is without
    return Receipt(
        post=seat.post,
        acknowledged_by=PydanticObjectId(viewer.person_id),
        acknowledged_by_name=viewer.name,
        acknowledged_at=unit.at,
        **seat.signed_for,
    )


def _digest(store: Store, action_id: ObjectId, sealed: Mapping[str, Any]) -> str:
    return digest_of(store, (action_id, 1), sealed)


def _subject(action: EmergencyAction) -> Subject:
    return Subject(EmergencyAction.subject_type, action.key)


def _seats_note(seats: list[Seat]) -> str:
    return ", ".join(seat.post.value for seat in seats if seat.post is not None)


def _required(text: str | None, field: str) -> str:
    check_text(text, field=field, limit=REASON_LIMIT, is_one_line=False)
    if not (text or "").strip():
        raise RegistrarError(ErrorCode.REQUIRED, field=field, rule=POLICY_SECTION)
    return str(text)


async def _load_visible(unit: UnitOfWork, viewer: Viewer, action_id: ObjectId) -> EmergencyAction:
    """The action; NOT_FOUND where the viewer may not know of it."""
    action = await unit.load(EmergencyAction, action_id)
    if action is None or not may_see(viewer, action):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    return action
