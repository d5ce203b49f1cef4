"""Performing operations: at once, or as a change request that waits for its approval.

In each case the change, its audit entries and its notifications commit together. Decisions are in `decisions.py`,
what a requester does with a request in `requests.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from bson import ObjectId
from pydantic import ValidationError

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ApprovalPolicy, ChangeRequest, Evidence, RequestStatus
from archive_store.approvals.faults import error_of_fault, shown_part
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.approvals.routing import digest_of, notify_awaited, payload_content, placed
from archive_store.approvals.rules import (
    POLICY_SECTION,
    UngovernedOperationError,
    awaiting,
    route_of,
    rule_of,
)
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.versioned import newest_version

REASON_LIMIT = 1000
# Of any text of a payload whose field has no smaller one of its own.
TEXT_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `perform` led to: the result of applying, or the id of a change request that waits."""

    result: Any = None
    change_request_id: ObjectId | None = None

    @property
    def applied(self) -> bool:
        return self.change_request_id is None


@dataclass(frozen=True, slots=True)
class Asking:
    """How an operation is asked for: why, on which evidence (材料), from which day, and whether it is a draft yet.

    A day to come is waited for; from one that is over, a change that applies at once is recorded to hold. What is
    written `beside` it is in the same transaction; it is given the key of the change request, if there is one.
    """

    reason: str | None = None
    evidence: Sequence[Evidence] = ()
    effective_from: date | None = None
    is_draft: bool = False
    beside: Callable[[UnitOfWork, ObjectId | None], Awaitable[None]] | None = None


async def perform(
    store: Store,
    viewer: Viewer,
    name: str,
    payload: Payload,
    *,
    reason: str | None = None,
    asking: Asking | None = None,
) -> Outcome:
    """Apply the operation, or request it where the approval policy names signatures.

    Raises FORBIDDEN without a post that may ask, and whatever the operation's check refuses.
    """
    asked = await prepare(store, viewer, name, payload, asking or Asking(reason))
    result = await governed_transaction(store, viewer.actor, name, asked.work, reason=asked.reason)
    return Outcome(result=result) if asked.applies else Outcome(change_request_id=result)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was checked and may be written: `work` applies the operation, or makes a change request and gives its id."""

    work: Callable[[UnitOfWork], Awaitable[Any]]
    applies: bool
    reason: str | None


async def prepare(store: Store, viewer: Viewer, name: str, payload: Payload, asking: Asking) -> Prepared:
    """`perform` up to its transaction, for who writes something beside it. Raises as it does."""
    asking = replace(asking, reason=(asking.reason or "").strip() or None)
    operation: Operation[Any] = store.operations[name]
    operation.require_asker(viewer)
    check_text(asking.reason, field="reason", limit=REASON_LIMIT, is_one_line=False)
    await check_asked(store, viewer, operation, payload, asking.effective_from)
    policy = await newest_version(store, ApprovalPolicy)
    rule = rule_of(policy, name, operation.fields(payload))
    if not rule.chain and not rule.joint:
        if asking.is_draft or (asking.effective_from and not is_over(store, asking.effective_from)):
            raise RegistrarError(ErrorCode.WRONG_STATE, rule=POLICY_SECTION, state="APPLIES_AT_ONCE")

        async def apply(unit: UnitOfWork) -> Any:
            unit.effective_from = asking.effective_from
            result = await operation.apply(unit, payload)
            if asking.beside is not None:
                await asking.beside(unit, None)
            return result

        return Prepared(apply, applies=True, reason=asking.reason)
    if operation.applies_at_once:
        raise UngovernedOperationError(f"{name} cannot wait for approval")
    require_reason(asking)
    route = route_of(rule, viewer.posts | await operation.excluded_posts(store, payload))
    target = operation.subject(payload)
    content = payload_content(payload)
    request_id = ObjectId()
    status = RequestStatus.DRAFT if asking.is_draft else RequestStatus.SUBMITTED
    first = awaiting(route, 0, status)

    async def submit(unit: UnitOfWork) -> ObjectId:
        current = await operation.current(store, unit.session, payload)
        request = ChangeRequest(
            id=request_id,
            operation=operation.name,
            target_type=target.type,
            target_id=target.id,
            fields=sorted(operation.fields(payload)),
            sealed={"payload": content, "current": bson_value(dict(current)), "reason": asking.reason},
            evidence=list(asking.evidence),
            effective_from=asking.effective_from,
            digest=digest_of(store, (request_id, 1), content, asking.evidence, asking.effective_from),
            policy_version=policy.version,
            chain=[step.tier for step in route if step.tier is not None],
            route=route,
            status=status,
            requested_by=viewer.person_id,
            requested_by_name=viewer.name,
            concerns=sorted({target.id, *operation.concerns(payload)}),
            **await placed(unit, policy, first),
        )
        await unit.insert(request)
        subject = Subject(ChangeRequest.subject_type, request_id)
        unit.audit(subject, "change_request:draft" if asking.is_draft else "change_request:submit")
        if not asking.is_draft:
            notify_awaited(unit, subject, first)
        if asking.beside is not None:
            await asking.beside(unit, request_id)
        return request_id

    return Prepared(submit, applies=False, reason=asking.reason)


def require_reason(asking: Asking) -> None:
    """A draft may go without; whoever decides may not."""
    if not asking.reason and not asking.is_draft:
        raise RegistrarError(ErrorCode.REQUIRED, field="reason", rule=POLICY_SECTION)


def is_over(store: Store, day: date) -> bool:
    return day < school_day(store.clock.now())


async def check_asked(
    store: Store, viewer: Viewer, operation: Operation[Any], payload: Payload, effective_from: date | None
) -> None:
    """What the operation's check refuses, for the day from which it shall hold.

    INVALID_DATE for a day that is over, where the operation cannot be a correction of what was.
    """
    if effective_from is None or not is_over(store, effective_from):
        await operation.check(store, viewer, payload)
    elif operation.check_past is None:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="effective_from", rule=POLICY_SECTION)
    else:
        await operation.check_past(store, viewer, payload, effective_from)


def payload_of(
    payload_type: type[AnyPayload], values: Mapping[str, Any], *, long_texts: frozenset[str] = frozenset()
) -> AnyPayload:
    """Validate an operation's input; the first fault as an error naming its field.

    `long_texts` are the top-level fields that may have several lines.
    """
    try:
        payload = payload_type.model_validate(values)
    except ValidationError as error:
        raise error_of_fault(error) from error
    # After the fields' own limits, so that each is told its own.
    for name, value in payload.model_dump(exclude_unset=True).items():
        if name in long_texts and isinstance(value, str):
            check_text(value, field=name, limit=TEXT_LIMIT, is_one_line=False)
        else:
            _check_texts(value, name)
    return payload


def _check_texts(value: Any, field: str) -> None:
    if isinstance(value, str):
        check_text(value, field=field, limit=TEXT_LIMIT)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            _check_texts(name, field)
            _check_texts(item, f"{field}.{shown_part(name)}" if field else shown_part(name))
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            _check_texts(item, f"{field}.{position}")
    elif isinstance(value, (set, frozenset)):
        for item in value:
            _check_texts(item, field)
