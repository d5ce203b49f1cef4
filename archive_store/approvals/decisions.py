"""Deciding on change requests: approving, rejecting, returning, and asking for another signature (加签)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import (
    ApprovalStep,
    ChangeRequest,
    Decision,
    RequestStatus,
    RouteStep,
)
from archive_store.approvals.operations import REASON_LIMIT
from archive_store.approvals.routing import (
    DECIDING,
    ConflictError,
    apply_request,
    digest_of_request,
    load_visible,
    notify_awaited,
    placed,
    policy_of,
    tell_not_applied,
)
from archive_store.approvals.rules import (
    POLICY_SECTION,
    Seat,
    after,
    awaiting,
    involved_in,
    seat_of,
)
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.terms import in_force_on
from archive_store.foundation.texts import check_text
from archive_store.foundation.unit_of_work import Subject, UnitOfWork

_KINDS = {
    Decision.APPROVED: "change_request:approve",
    Decision.REJECTED: "change_request:reject",
    Decision.RETURNED: "change_request:return",
}
BATCH_LIMIT = 100
# Signatures that may be asked for beside the route's own.
ADDED_STEPS_LIMIT = 5


async def decide(
    store: Store,
    viewer: Viewer,
    request_id: ObjectId,
    decision: Decision,
    *,
    comment: str | None = None,
    digest: str | None = None,
) -> RequestStatus:
    """Sign the awaited step; the last approval applies the operation with it, or has it wait for its day.

    `digest` is that of the request as the decider saw it. Raises NOT_FOUND, WRONG_STATE, SELF_APPROVAL, FORBIDDEN
    (another's step), CONFLICT where the request was changed since, and ConflictError where the record was; then nothing
    is written and the request stays open.
    """
    check_text(comment, field="comment", limit=REASON_LIMIT, is_one_line=False)
    comment = (comment or "").strip() or None
    if decision is not Decision.APPROVED and not comment:
        raise RegistrarError(ErrorCode.REQUIRED, field="comment", rule=POLICY_SECTION)

    async def sign(unit: UnitOfWork) -> RequestStatus:
        request = await load_visible(unit, viewer, request_id)
        seat = seat_of(viewer, request)
        if digest is not None and digest != request.digest:
            raise RegistrarError(ErrorCode.CONFLICT, field="digest", rule=POLICY_SECTION, fields="digest")
        progress = after(request, seat, decision)
        signed = _signature(unit, viewer, request, seat, decision, comment)
        day = school_day(unit.at)
        waits = request.effective_from is not None and request.effective_from > day
        applies = progress.is_decided and not waits
        status = RequestStatus.APPLIED if applies else progress.status
        changes: dict[str, Any] = {
            "steps": [*request.steps, signed],
            "status": status,
            "applied_at": unit.at if applies else None,
        }
        if progress.position == request.position and status is RequestStatus.IN_REVIEW:
            # Others of a joint step have still to sign, in the time that they have.
            changes["awaited_posts"] = list(progress.awaited_posts)
        else:
            changes |= await placed(unit, await policy_of(unit, request.policy_version), progress)
        await unit.change(request, changes)
        request = request.model_copy(update=changes | {"position": request.position})
        subject = Subject(ChangeRequest.subject_type, request_id)
        unit.audit(subject, _KINDS[decision])
        if applies:
            await apply_request(unit, request)
        if status in (RequestStatus.REJECTED, RequestStatus.RETURNED):
            await tell_not_applied(unit, request, status)
        if status is not RequestStatus.IN_REVIEW:
            unit.notify(request.requested_by, f"change_request:{status.lower()}", subject)
        elif progress.position > request.position or progress.awaited_person is not None:
            notify_awaited(unit, subject, progress)
        return status

    try:
        return await governed_transaction(store, viewer.actor, "change_request.decide", sign, reason=comment)
    except ConflictError as conflict:
        # It shows the record as it is, and the transaction that would have said so is undone.
        shown = frozenset(leaf for held in conflict.conflicts for leaf in held.leaves)
        read = ReadRows(shown & encrypted_paths(conflict.record_type), [conflict.target_id])
        await record_reading(store, viewer, conflict.record_type, [read], purpose=DECIDING)
        raise


def _signature(
    unit: UnitOfWork,
    viewer: Viewer,
    request: ChangeRequest,
    seat: Seat,
    decision: Decision,
    comment: str | None,
) -> ApprovalStep:
    return ApprovalStep(
        position=request.position,
        round=request.round,
        tier=request.route[request.position].tier,
        post=seat.post,
        decision=decision,
        decided_by=PydanticObjectId(viewer.person_id),
        decided_by_name=viewer.name,
        decided_at=unit.at,
        digest=digest_of_request(unit.store, request),
        comment=comment,
        **seat.signed_for,
    )


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one request of a batch."""

    request_id: ObjectId
    status: RequestStatus | None
    refusal: RegistrarError | None


async def decide_each(
    store: Store,
    viewer: Viewer,
    request_ids: Sequence[ObjectId],
    decision: Decision,
    *,
    comment: str | None = None,
) -> list[Decided]:
    """Decide on each by itself: one that is refused leaves the others decided. At most BATCH_LIMIT."""
    if not 0 < len(request_ids) <= BATCH_LIMIT:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="ids", least=1, most=BATCH_LIMIT)
    results = []
    for request_id in dict.fromkeys(request_ids):
        try:
            status = await decide(store, viewer, request_id, decision, comment=comment)
        except RegistrarError as refusal:
            results.append(Decided(request_id, None, refusal))
        else:
            results.append(Decided(request_id, status, None))
    return results


async def add_signer(
    store: Store, viewer: Viewer, request_id: ObjectId, person_id: ObjectId, *, comment: str
) -> RequestStatus:
    """Ask another person to sign before one's own step is signed (前加签). Only whose step it is may ask."""
    check_text(comment, field="comment", limit=REASON_LIMIT, is_one_line=False)
    if not comment.strip():
        raise RegistrarError(ErrorCode.REQUIRED, field="comment", rule=POLICY_SECTION)

    async def add(unit: UnitOfWork) -> RequestStatus:
        request = await load_visible(unit, viewer, request_id)
        seat_of(viewer, request)
        name = await _name_of(unit, person_id)
        involved = involved_in(request) | {viewer.person_id, *request.concerns}
        if person_id in involved or await _signs_otherwise(unit, request, person_id):
            raise RegistrarError(ErrorCode.SELF_APPROVAL, field="person_id", rule=POLICY_SECTION)
        added = [step for step in request.route if step.person_id is not None]
        if len(added) >= ADDED_STEPS_LIMIT:
            raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="person_id", least=0, most=ADDED_STEPS_LIMIT)
        if request.awaited_posts != request.route[request.position].posts:
            # Some of a joint step have signed already; the other signature would come between them.
            raise RegistrarError(
                ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state="PARTLY_SIGNED"
            )
        step = RouteStep(person_id=PydanticObjectId(person_id), person_name=name)
        route = [*request.route[: request.position], step, *request.route[request.position :]]
        progress = awaiting(route, request.position, RequestStatus.IN_REVIEW)
        place = await placed(unit, await policy_of(unit, request.policy_version), progress)
        await unit.change(request, {"route": route, "status": RequestStatus.IN_REVIEW, **place})
        subject = Subject(ChangeRequest.subject_type, request_id)
        unit.audit(subject, "change_request:add_signer", note=str(person_id))
        notify_awaited(unit, subject, progress)
        return RequestStatus.IN_REVIEW

    return await governed_transaction(store, viewer.actor, "change_request.add_signer", add, reason=comment)


async def _name_of(unit: UnitOfWork, person_id: ObjectId) -> str:
    # Named here, not imported: the people's room stands above this one.
    persons, grants = unit.store.database.mongo["persons"], unit.store.database.mongo["role_grants"]
    person = await persons.find_one({"_id": person_id, "kind": "HUMAN"}, {"name": 1}, session=unit.session)
    in_force = {
        "person_id": person_id,
        "post": {"$ne": Post.ANALYSIS_GROUP.value},
        **in_force_on(school_day(unit.at)),
    }
    holds_post = await grants.find_one(in_force, {"_id": 1}, session=unit.session)
    if person is None or holds_post is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="person_id")
    return str(person["name"])


async def _signs_otherwise(unit: UnitOfWork, request: ChangeRequest, person_id: ObjectId) -> bool:
    """Whether a step to come can be signed by nobody else, or they stand in for the requester.

    Nobody signs twice, so the request could not be decided any more.
    """
    left = request.route[request.position :]
    if any(step.person_id == person_id for step in left):
        return True
    in_force = in_force_on(school_day(unit.at))
    mongo = unit.store.database.mongo
    posts = sorted({post for step in left for post in step.posts})
    holders: dict[str, set[object]] = {post: set() for post in posts}
    async for grant in mongo["role_grants"].find({"post": {"$in": posts}, **in_force}, session=unit.session):
        holders[grant["post"]].add(grant["person_id"])
    if any(held - involved_in(request) == {person_id} for held in holders.values()):
        return True
    delegation = {"delegate_id": person_id, "delegator_id": request.requested_by, **in_force}
    return await mongo["delegations"].find_one(delegation, {"_id": 1}, session=unit.session) is not None
