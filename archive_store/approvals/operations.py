"""Performing operations, and deciding on requests for them.

A chain without tiers applies at once; any other operation becomes a change request that applies when its last
step approves. In each case the change, its audit entries and its notifications commit together.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from bson import ObjectId
from pydantic import ValidationError

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import (
    ApprovalPolicy,
    ApprovalStep,
    ChangeRequest,
    Decision,
    RequestStatus,
    Tier,
)
from archive_store.approvals.faults import error_of_fault, shown_part
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.approvals.rules import (
    POLICY_SECTION,
    UngovernedOperationError,
    chain_of,
    chain_without,
    may_see,
    require_decider,
    require_requester,
    status_after,
)
from archive_store.audit.governed_transaction import governed_transaction
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


async def perform(
    store: Store, viewer: Viewer, name: str, payload: Payload, *, reason: str | None = None
) -> Outcome:
    """Apply the operation, or request it where the approval policy names tiers.

    Raises FORBIDDEN without a post that may ask, and whatever the operation's check refuses.
    """
    operation: Operation[Any] = store.operations[name]
    viewer.require_any(operation.requesters, rule=f"operation {name}")
    check_text(reason, field="reason", limit=REASON_LIMIT, is_one_line=False)
    await operation.check(store, viewer, payload)
    policy = await newest_version(store, ApprovalPolicy)
    fields = operation.fields(payload)
    chain = chain_of(policy, name, fields)
    if not chain:

        async def apply(unit: UnitOfWork) -> Any:
            return await operation.apply(unit, payload)

        return Outcome(result=await governed_transaction(store, viewer.actor, name, apply, reason=reason))
    if operation.applies_at_once:
        raise UngovernedOperationError(f"{name} cannot wait for approval")
    if not reason:
        raise RegistrarError(ErrorCode.REQUIRED, field="reason", rule=POLICY_SECTION)
    chain = chain_without(chain, viewer.posts)
    return Outcome(
        change_request_id=await _submit(store, viewer, operation, payload, chain, policy.version, reason)
    )


async def _submit(
    store: Store,
    viewer: Viewer,
    operation: Operation[Any],
    payload: Payload,
    chain: tuple[Tier, ...],
    policy_version: int,
    reason: str,
) -> ObjectId:
    target = operation.subject(payload)
    content = _payload_content(payload)
    request_id = ObjectId()

    async def submit(unit: UnitOfWork) -> ObjectId:
        current = await operation.current(store, unit.session, payload)
        request = ChangeRequest(
            id=request_id,
            operation=operation.name,
            target_type=target.type,
            target_id=target.id,
            fields=sorted(operation.fields(payload)),
            sealed={"payload": content, "current": bson_value(dict(current)), "reason": reason},
            payload_digest=_digest(store, content),
            policy_version=policy_version,
            chain=list(chain),
            requested_by=viewer.person_id,
            requested_by_name=viewer.name,
        )
        await unit.insert(request)
        subject = Subject(ChangeRequest.subject_type, request_id)
        unit.audit(subject, "change_request:submit")
        unit.notify(chain[0].post, "change_request:awaits_decision", subject)
        return request_id

    return await governed_transaction(store, viewer.actor, operation.name, submit, reason=reason)


async def decide(
    store: Store,
    viewer: Viewer,
    request_id: ObjectId,
    decision: Decision,
    *,
    comment: str | None = None,
) -> RequestStatus:
    """Decide the awaited step; the last approval applies the operation in the same transaction.

    Raises NOT_FOUND, WRONG_STATE, SELF_APPROVAL, FORBIDDEN (another tier's step), and CONFLICT when a touched
    field changed since the request was made; then nothing is written and the request stays open.
    """
    check_text(comment, field="comment", limit=REASON_LIMIT, is_one_line=False)
    if decision is Decision.REJECTED and not comment:
        raise RegistrarError(ErrorCode.REQUIRED, field="comment", rule=POLICY_SECTION)

    async def step(unit: UnitOfWork) -> RequestStatus:
        request = await _load_visible(unit, viewer, request_id)
        tier = require_decider(viewer, request)
        status = status_after(request, decision)
        taken = ApprovalStep(
            tier=tier,
            decision=decision,
            decided_by=viewer.person_id,
            decided_by_name=viewer.name,
            decided_at=unit.at,
            comment=comment,
        )
        applied_at = unit.at if status is RequestStatus.APPLIED else None
        await unit.change(
            request, {"steps": [*request.steps, taken], "status": status, "applied_at": applied_at}
        )
        subject = Subject(ChangeRequest.subject_type, request_id)
        unit.audit(subject, f"change_request:{'approve' if decision is Decision.APPROVED else 'reject'}")
        if status is RequestStatus.APPLIED:
            await _apply(unit, request)
        if status is RequestStatus.IN_REVIEW:
            following = request.chain[len(request.steps) + 1]
            unit.notify(following.post, "change_request:awaits_decision", subject)
        else:
            unit.notify(request.requested_by, f"change_request:{status.lower()}", subject)
        return status

    return await governed_transaction(store, viewer.actor, "change_request.decide", step, reason=comment)


async def withdraw(store: Store, viewer: Viewer, request_id: ObjectId) -> RequestStatus:
    """Withdraw (撤回) one's own open request."""

    async def step(unit: UnitOfWork) -> RequestStatus:
        request = await _load_visible(unit, viewer, request_id)
        tier = require_requester(viewer, request)
        await unit.change(request, {"status": RequestStatus.WITHDRAWN})
        subject = Subject(ChangeRequest.subject_type, request_id)
        unit.audit(subject, "change_request:withdraw")
        unit.notify(tier.post, "change_request:withdrawn", subject)
        return RequestStatus.WITHDRAWN

    return await governed_transaction(store, viewer.actor, "change_request.withdraw", step)


async def _load_visible(unit: UnitOfWork, viewer: Viewer, request_id: ObjectId) -> ChangeRequest:
    request = await unit.load(ChangeRequest, request_id)
    if request is None or not may_see(viewer, request.requested_by):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    return request


async def _apply(unit: UnitOfWork, request: ChangeRequest) -> None:
    operation: Operation[Any] = unit.store.operations[request.operation]
    content = request.sealed["payload"]
    if not hmac.compare_digest(_digest(unit.store, content), request.payload_digest):
        raise AssertionError(f"payload of {request.id} is not the one that was approved")
    payload = operation.payload.model_validate(content)
    current = bson_value(dict(await operation.current(unit.store, unit.session, payload)))
    before: Mapping[str, Any] = request.sealed["current"]
    if changed := sorted(name for name in current if current[name] != before.get(name)):
        raise RegistrarError(
            ErrorCode.CONFLICT, field=changed[0], rule=POLICY_SECTION, fields=", ".join(changed)
        )
    unit.change_request = request.key
    unit.reason = request.sealed["reason"]
    await operation.apply(unit, payload)


def _payload_content(payload: Payload) -> dict[str, Any]:
    content: dict[str, Any] = bson_value(payload.model_dump(exclude_unset=True))
    return content


def _digest(store: Store, content: Mapping[str, Any]) -> str:
    canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS, default=str)
    return hmac.new(store.keyring.audit, b"payload\0" + canonical, hashlib.sha256).hexdigest()


def payload_of(payload_type: type[AnyPayload], values: Mapping[str, Any]) -> AnyPayload:
    """Validate an operation's input; the first fault as an error naming its field."""
    try:
        payload = payload_type.model_validate(values)
    except ValidationError as error:
        raise error_of_fault(error) from error
    # After the fields' own limits, so that each is told its own.
    _check_texts(payload.model_dump(exclude_unset=True), "")
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
