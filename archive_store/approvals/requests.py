"""What a requester does with a request of their own: submit a draft, revise, withdraw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import (
    WITHDRAWABLE_STATUSES,
    ApprovalPolicy,
    ChangeRequest,
    Evidence,
    RequestStatus,
    RouteStep,
)
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import REASON_LIMIT, check_asked, payload_of
from archive_store.approvals.routing import (
    digest_of,
    load_visible,
    notify_awaited,
    payload_content,
    placed,
    tell_not_applied,
)
from archive_store.approvals.rules import POLICY_SECTION, awaiting, require_requester, route_of, rule_of
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.versioned import newest_version


@dataclass(frozen=True, slots=True)
class Revision:
    """What a request shall ask for from now on; None leaves a part as it is.

    `values` replace fields of the payload by name.
    """

    values: Mapping[str, Any] | None = None
    evidence: Sequence[Evidence] | None = None
    effective_from: date | None = None
    reason: str | None = None


async def revise(store: Store, viewer: Viewer, request_id: ObjectId, revision: Revision) -> RequestStatus:
    """Change one's own request. All signatures are void, and it is submitted anew (a draft stays a draft).

    Who signs is what the policy of the day says, which is what the check holds it against. Raises what the operation's
    check refuses, and WRONG_STATE where nobody signs it any more.
    """
    check_text(revision.reason, field="reason", limit=REASON_LIMIT, is_one_line=False)
    held = await _own(store, viewer, request_id)
    operation: Operation[Any] = store.operations[held.operation]
    operation.require_asker(viewer)
    payload = _revised(operation, held, revision)
    # The day that stands is checked anew where the rules of it depend on what is asked for.
    day = held.effective_from if operation.check_past is not None else None
    await check_asked(store, viewer, operation, payload, revision.effective_from or day)
    if operation.subject(payload) != Subject(held.target_type, held.target_id):
        raise RegistrarError(ErrorCode.INVALID_ARGUMENT, field="changes", **_OTHER_TARGET)
    excluded = viewer.posts | await operation.excluded_posts(store, payload)

    async def write(unit: UnitOfWork) -> RequestStatus:
        request = await load_visible(unit, viewer, request_id)
        require_requester(viewer, request)
        status = RequestStatus.DRAFT if request.status is RequestStatus.DRAFT else RequestStatus.SUBMITTED
        policy, route = await _laid_down(store, operation, payload, excluded)
        first = awaiting(route, 0, status)
        content = payload_content(payload)
        evidence = request.evidence if revision.evidence is None else list(revision.evidence)
        day = revision.effective_from or request.effective_from
        reason = revision.reason or request.sealed["reason"]
        current = await operation.current(store, unit.session, payload)
        await unit.change(
            request,
            {
                "fields": sorted(operation.fields(payload)),
                "sealed": {"payload": content, "current": bson_value(dict(current)), "reason": reason},
                "evidence": evidence,
                "effective_from": day,
                "digest": digest_of(store, (request.key, request.round + 1), content, evidence, day),
                "policy_version": policy.version,
                "chain": [step.tier for step in route if step.tier is not None],
                "route": route,
                "round": request.round + 1,
                "status": status,
                **await placed(unit, policy, first),
            },
        )
        subject = Subject(ChangeRequest.subject_type, request_id)
        unit.audit(subject, "change_request:revise")
        if status is RequestStatus.SUBMITTED:
            notify_awaited(unit, subject, first)
        return status

    return await governed_transaction(
        store, viewer.actor, "change_request.revise", write, reason=revision.reason
    )


_OTHER_TARGET = {"detail_zh": "申请的对象不能更改", "detail_en": "it is about another record"}


async def _laid_down(
    store: Store, operation: Operation[Any], payload: Payload, excluded: frozenset[Post]
) -> tuple[ApprovalPolicy, list[RouteStep]]:
    """The policy of the day and the route by it; WRONG_STATE where it asks for no signature: it is asked for anew."""
    policy = await newest_version(store, ApprovalPolicy)
    route = route_of(rule_of(policy, operation.name, operation.fields(payload)), excluded)
    if not route:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state="APPLIES_AT_ONCE")
    return policy, route


async def _own(store: Store, viewer: Viewer, request_id: ObjectId) -> ChangeRequest:
    async def load(unit: UnitOfWork) -> ChangeRequest:
        request = await load_visible(unit, viewer, request_id)
        require_requester(viewer, request)
        return request

    return await governed_transaction(store, viewer.actor, "change_request.revise", load)


def _revised(operation: Operation[Any], request: ChangeRequest, revision: Revision) -> Payload:
    content: dict[str, Any] = request.sealed["payload"]
    if revision.values is None:
        payload: Payload = operation.payload.model_validate(content)
        return payload
    payload_type: type[Payload] = operation.payload
    return payload_of(payload_type, content | dict(revision.values))


async def submit_draft(store: Store, viewer: Viewer, request_id: ObjectId) -> RequestStatus:
    """Submit one's own draft, as it stands."""
    held = await _own(store, viewer, request_id)
    operation: Operation[Any] = store.operations[held.operation]
    operation.require_asker(viewer)
    asked = operation.payload.model_validate(held.sealed["payload"])
    await check_asked(store, viewer, operation, asked, held.effective_from)
    excluded = viewer.posts | await operation.excluded_posts(store, asked)

    async def submit(unit: UnitOfWork) -> RequestStatus:
        request = await load_visible(unit, viewer, request_id)
        require_requester(viewer, request, frozenset({RequestStatus.DRAFT}))
        if not request.sealed["reason"]:
            raise RegistrarError(ErrorCode.REQUIRED, field="reason", rule=POLICY_SECTION)
        payload = operation.payload.model_validate(request.sealed["payload"])
        # What the record says today is what the change starts from.
        current = bson_value(dict(await operation.current(store, unit.session, payload)))
        # And who signs is what the policy of the day says.
        policy, route = await _laid_down(store, operation, payload, excluded)
        first = awaiting(route, 0, RequestStatus.SUBMITTED)
        await unit.change(
            request,
            {
                "status": RequestStatus.SUBMITTED,
                "sealed": request.sealed | {"current": current},
                "policy_version": policy.version,
                "chain": [step.tier for step in route if step.tier is not None],
                "route": route,
                **await placed(unit, policy, first),
            },
        )
        subject = Subject(ChangeRequest.subject_type, request_id)
        unit.audit(subject, "change_request:submit")
        notify_awaited(unit, subject, first)
        return RequestStatus.SUBMITTED

    return await governed_transaction(store, viewer.actor, "change_request.submit", submit)


async def withdraw(store: Store, viewer: Viewer, request_id: ObjectId) -> RequestStatus:
    """Withdraw (撤回) one's own request while it is undecided, or approved for a day to come."""

    async def step(unit: UnitOfWork) -> RequestStatus:
        request = await load_visible(unit, viewer, request_id)
        require_requester(viewer, request, WITHDRAWABLE_STATUSES)
        await withdraw_in(unit, request)
        return RequestStatus.WITHDRAWN

    return await governed_transaction(store, viewer.actor, "change_request.withdraw", step)


async def withdraw_in(unit: UnitOfWork, request: ChangeRequest) -> None:
    """Withdraw a request that may be, as part of something else."""
    told: list[ObjectId | Post] = [*request.awaited_posts]
    if request.awaited_person is not None:
        told.append(request.awaited_person)
    await unit.change(
        request,
        {
            "status": RequestStatus.WITHDRAWN,
            "awaited_posts": [],
            "awaited_person": None,
            "due_at": None,
        },
    )
    subject = Subject(ChangeRequest.subject_type, request.key)
    unit.audit(subject, "change_request:withdraw")
    await tell_not_applied(unit, request, RequestStatus.WITHDRAWN)
    for recipient in told if request.status is not RequestStatus.DRAFT else ():
        unit.notify(recipient, "change_request:withdrawn", subject)
