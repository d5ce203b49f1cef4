"""What the clock does with change requests: reminders, escalation, and changes whose day has come.

Each is a job of the one worker, and safe to run again: what it did is written in the same transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from bson import ObjectId

from archive_store.approvals.documents import OPEN_STATUSES, ChangeRequest, RequestStatus
from archive_store.approvals.routing import apply_request, notify_awaited, policy_of
from archive_store.approvals.rules import Progress, stand_ins
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK, Subject, UnitOfWork

# Of one round; what is left comes with the next.
_AT_ONCE = 200
_OPEN = {"$in": [status.value for status in OPEN_STATUSES]}
# No policy reminds earlier; each request is then judged by its own.
_EARLIEST_REMINDER = timedelta(days=31)

log = structlog.get_logger("registrar.approvals")


async def remind(store: Store, now: datetime) -> int:
    """Tell those who are awaited, once a step, that its time runs out."""
    query = {"status": _OPEN, "due_at": {"$lte": now + _EARLIEST_REMINDER}, "reminded_at": None}

    async def write(unit: UnitOfWork, request: ChangeRequest) -> bool:
        hours = (await policy_of(unit, request.policy_version)).reminder_hours
        if request.due_at is None or request.reminded_at or now < request.due_at - timedelta(hours=hours):
            return False
        await unit.change(request, {"reminded_at": unit.at})
        subject = Subject(ChangeRequest.subject_type, request.key)
        unit.audit(subject, "change_request:remind")
        notify_awaited(unit, subject, _awaited(request), "change_request:due_soon")
        return True

    return await _each(store, "change_request.remind", query, write)


async def escalate(store: Store, now: datetime) -> int:
    """Let the next tier sign a step that is overdue, and tell them, the requester and those who let it pass."""
    query = {"status": _OPEN, "due_at": {"$lte": now}, "escalated_at": None}

    async def write(unit: UnitOfWork, request: ChangeRequest) -> bool:
        if request.due_at is None or now < request.due_at or request.escalated_at:
            return False
        posts = stand_ins(request)
        await unit.change(request, {"escalated_at": unit.at, "escalated_posts": list(posts)})
        subject = Subject(ChangeRequest.subject_type, request.key)
        unit.audit(subject, "change_request:escalate")
        for post in posts:
            unit.notify(post, "change_request:escalated", subject)
        notify_awaited(unit, subject, _awaited(request), "change_request:overdue")
        unit.notify(request.requested_by, "change_request:overdue", subject)
        return True

    return await _each(store, "change_request.escalate", query, write)


def _awaited(request: ChangeRequest) -> Progress:
    return Progress(request.status, request.position, tuple(request.awaited_posts), request.awaited_person)


async def apply_due(store: Store, now: datetime) -> int:
    """Apply approved changes whose day has come. One that no longer fits stays approved, and its requester is told."""
    query = {
        "status": RequestStatus.APPROVED.value,
        "effective_from": {"$lte": school_day(now).isoformat()},
        "blocked_at": None,
    }

    async def write(unit: UnitOfWork, request: ChangeRequest) -> bool:
        if request.status is not RequestStatus.APPROVED:
            return False
        await unit.change(request, {"status": RequestStatus.APPLIED, "applied_at": unit.at})
        subject = Subject(ChangeRequest.subject_type, request.key)
        unit.audit(subject, "change_request:apply")
        await apply_request(unit, request)
        unit.notify(request.requested_by, "change_request:applied", subject)
        return True

    async def block(unit: UnitOfWork, request: ChangeRequest) -> bool:
        await unit.change(request, {"blocked_at": unit.at})
        subject = Subject(ChangeRequest.subject_type, request.key)
        unit.audit(subject, "change_request:block")
        unit.notify(request.requested_by, "change_request:blocked", subject)
        return True

    return await _each(store, "change_request.apply", query, write, block)


Write = Callable[[UnitOfWork, ChangeRequest], Awaitable[bool]]


async def _each(
    store: Store, operation: str, query: Row, write: Write, on_refusal: Write | None = None
) -> int:
    """Run `write` on each request found, in a transaction of its own; how many it changed."""
    found = store.database.collection(ChangeRequest).find(query, {"_id": 1}).limit(_AT_ONCE)
    # After days without a worker, too, what holds from an earlier day is applied before what holds from a later one.
    found = found.sort([("effective_from", 1), ("_id", 1)])
    changed = 0
    for row in await found.to_list():
        key: ObjectId = row["_id"]
        try:
            changed += await _once(store, operation, key, write)
        except RegistrarError as refusal:
            if refusal.code is ErrorCode.TRY_AGAIN or on_refusal is None:
                # Somebody decides on it at this moment; the next round looks again.
                continue
            log.warning("change_request_blocked", request=str(key), code=refusal.code)
            await _once(store, operation, key, on_refusal)
    return changed


async def _once(store: Store, operation: str, key: ObjectId, write: Write) -> bool:
    async def work(unit: UnitOfWork) -> bool:
        request = await unit.load(ChangeRequest, key)
        return request is not None and await write(unit, request)

    return await governed_transaction(store, CLOCK, operation, work)
