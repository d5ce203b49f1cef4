"""Chains and decisions, pure. Policy §四(一): three tiers, which chain (1 → 2 → 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import HeldDelegation, Viewer
from archive_store.approvals.documents import (
    OPEN_STATUSES,
    UNDECIDED_STATUSES,
    ApprovalPolicy,
    ApprovalRule,
    ChangeRequest,
    Decision,
    RequestStatus,
    RouteStep,
    Tier,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post

POLICY_SECTION = "policy §四(一)"
# The department and those who decide see every request; anyone else sees their own.
REQUEST_READERS = frozenset(
    {
        Post.DIRECTOR,
        Post.DEPUTY_DIRECTOR,
        Post.INFORMATION_GROUP,
        Post.ARCHIVE_GROUP,
        Post.VICE_PRINCIPAL,
        Post.PRINCIPAL,
    }
)


def may_see(viewer: Viewer, request: ChangeRequest) -> bool:
    """The requester, and once it is submitted the readers and all who sign it or are asked to."""
    if request.requested_by == viewer.person_id:
        return True
    if request.status is RequestStatus.DRAFT:
        return False
    posts = {post for step in request.route for post in step.posts}
    delegated = {held.post for held in viewer.delegations if held.covers(request.operation)}
    named = {step.person_id for step in request.route}
    return (
        viewer.holds_any(REQUEST_READERS | posts)
        or not posts.isdisjoint(delegated)
        or viewer.person_id in named
    )


class UngovernedOperationError(RegistrarError):
    """No rule of the policy in effect names the operation, perhaps a newer one: nothing is allowed by omission."""

    def __init__(self, operation: str) -> None:
        super().__init__(ErrorCode.FORBIDDEN, rule=f"approval policy 审批规则: no rule for {operation}")


def rule_of(policy: ApprovalPolicy, operation: str, fields: frozenset[str]) -> ApprovalRule:
    """What the rules that match ask for together: all of their tiers and joint posts."""
    rules = [
        rule
        for rule in policy.rules
        if rule.operation == operation and (rule.fields is None or rule.fields & fields)
    ]
    if not rules:
        raise UngovernedOperationError(operation)
    # Asking for a more guarded field as well must not drop a signature.
    joint = dict.fromkeys(post for rule in rules for post in rule.joint)
    chain = tuple(tier for tier in Tier if any(tier in rule.chain for rule in rules))
    return ApprovalRule(operation=operation, joint=tuple(joint), chain=chain)


def chain_of(policy: ApprovalPolicy, operation: str, fields: frozenset[str]) -> tuple[Tier, ...]:
    """The tiers that decide."""
    return rule_of(policy, operation, fields).chain


def route_of(rule: ApprovalRule, own_posts: frozenset[Post]) -> list[RouteStep]:
    """The steps of a request by somebody who holds these posts; empty where nobody has to sign."""
    tiers = [RouteStep(tier=tier, posts=[tier.post]) for tier in chain_without(rule.chain, own_posts)]
    # An office that asks has had its say; perhaps nobody else holds its post.
    posts = [post for post in rule.joint if post not in own_posts]
    if not posts and not tiers:
        posts = list(rule.joint)
    return [RouteStep(posts=posts), *tiers] if posts else tiers


def chain_without(chain: tuple[Tier, ...], posts: frozenset[Post]) -> tuple[Tier, ...]:
    """The chain of a requester who holds posts of it: without their own tiers, and decided by the next one above.

    Nobody decides on their own request, and the posts of the tiers have one seat each, so a step of their own would
    stay open for ever. The last tier is the one that decides: where it is their own, the next one above does.
    SELF_APPROVAL when nobody is above.
    """
    left = tuple(tier for tier in chain if tier.post not in posts)
    if not chain or chain[-1].post not in posts:
        return left
    tiers = list(Tier)
    above = [tier for tier in tiers[tiers.index(chain[-1]) + 1 :] if tier.post not in posts]
    if not above:
        raise RegistrarError(ErrorCode.SELF_APPROVAL, rule=POLICY_SECTION)
    return (*left, above[0])


@dataclass(frozen=True, slots=True)
class Seat:
    """In which somebody signs: of a post, their own or delegated, or none where the signature is asked of them."""

    post: Post | None = None
    delegation: HeldDelegation | None = None
    stands_in: bool = False  # for all who let the time of the step pass

    @property
    def signed_for(self) -> dict[str, Any]:
        """Whose seat it is where a delegate signs, by the fields in which signatures, receipts and rulings say it."""
        held = self.delegation
        return {
            "for_person_id": held.delegator_id if held else None,
            "for_person_name": held.delegator_name if held else None,
        }


def seat_of(viewer: Viewer, request: ChangeRequest) -> Seat:
    """The seat in which the viewer signs the awaited step; WRONG_STATE, SELF_APPROVAL or FORBIDDEN without one.

    No self-approval, also not by way of the requester's delegate; no two signatures of one person or one seat's holder.
    """
    require_open(request)
    require_uninvolved(viewer, request)
    if viewer.is_service:
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=POLICY_SECTION)
    if request.awaited_person == viewer.person_id and viewer.posts:
        return Seat()
    for post in request.awaited_posts:
        if post in viewer.posts:
            return Seat(post)
    involved = involved_in(request)
    # Who signs a step of their own must not spend their one signature in another's seat.
    own_step = any(not viewer.posts.isdisjoint(step.posts) for step in request.route)
    for delegation in viewer.delegations if not own_step else ():
        is_awaited = delegation.post in request.awaited_posts and delegation.covers(request.operation)
        concerned = not delegation.concerned_ids.isdisjoint(request.concerns)
        if is_awaited and delegation.delegator_id not in involved and not concerned:
            return Seat(delegation.post, delegation)
    for post in request.escalated_posts:
        if post in viewer.posts:
            return Seat(post, stands_in=True)
    raise RegistrarError(ErrorCode.FORBIDDEN, rule=POLICY_SECTION)


def involved_in(request: ChangeRequest) -> set[object]:
    """Who asked, and who signed or was signed for in this round."""
    involved: set[object] = {request.requested_by}
    for step in request.signatures:
        involved |= {step.decided_by, step.for_person_id}
    return involved - {None}


def require_uninvolved(viewer: Viewer, request: ChangeRequest) -> None:
    """SELF_APPROVAL for the requester and their delegates, for who signed already, and for whom it is about."""
    # What somebody is given, or what is said of their child, is not theirs to decide either.
    own = {viewer.person_id} | viewer.ward_ids | viewer.own_student_ids
    is_delegate = any(held.delegator_id == request.requested_by for held in viewer.delegations)
    if viewer.person_id in involved_in(request) or not own.isdisjoint(request.concerns) or is_delegate:
        raise RegistrarError(ErrorCode.SELF_APPROVAL, rule=POLICY_SECTION)


def require_open(request: ChangeRequest) -> None:
    """WRONG_STATE unless a signature is awaited."""
    if request.status not in OPEN_STATUSES:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state=request.status)


def require_requester(
    viewer: Viewer, request: ChangeRequest, statuses: frozenset[RequestStatus] = UNDECIDED_STATUSES
) -> None:
    """WRONG_STATE unless it is in one of the states; FORBIDDEN unless it is one's own."""
    if request.requested_by != viewer.person_id:
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=POLICY_SECTION)
    if request.status not in statuses:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state=request.status)


def stand_ins(request: ChangeRequest) -> tuple[Post, ...]:
    """Who may sign an overdue step: the next tier of the route, else the one above; nobody above the principal."""
    later = [step.tier for step in request.route[request.position + 1 :] if step.tier is not None]
    if later:
        return (later[0].post,)
    tiers = list(Tier)
    reached = [step.tier for step in request.route[: request.position + 1] if step.tier is not None]
    above = tiers[tiers.index(reached[-1]) + 1 :] if reached else tiers
    return (above[0].post,) if above else ()


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a request stands after a signature; `is_decided` when the last step is signed."""

    status: RequestStatus
    position: int
    awaited_posts: tuple[Post, ...]
    awaited_person: ObjectId | None
    is_decided: bool = False


def awaiting(route: Sequence[RouteStep], position: int, status: RequestStatus) -> Progress:
    """A request that waits for the step at this position."""
    step = route[position]
    return Progress(status, position, tuple(step.posts), step.person_id)


def after(request: ChangeRequest, seat: Seat, decision: Decision) -> Progress:
    """What a signature in this seat leads to. All of a step's posts sign; one who refuses or returns ends the step."""
    if decision is Decision.REJECTED:
        return Progress(RequestStatus.REJECTED, request.position, (), None)
    if decision is Decision.RETURNED:
        return Progress(RequestStatus.RETURNED, request.position, (), None)
    left = tuple(post for post in request.awaited_posts if post is not seat.post)
    if left and seat.post is not None and not seat.stands_in:
        return Progress(RequestStatus.IN_REVIEW, request.position, left, None)
    following = request.position + 1
    if seat.stands_in:
        # Nobody signs twice: who stands in for a tier below has signed for their own as well.
        own = [place for place, step in enumerate(request.route) if step.posts == [seat.post]]
        following = max([following, *(place + 1 for place in own)])
    if following < len(request.route):
        return awaiting(request.route, following, RequestStatus.IN_REVIEW)
    return Progress(RequestStatus.APPROVED, following, (), None, is_decided=True)
