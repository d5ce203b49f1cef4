"""Who executes, acknowledges, ratifies, reverses and sees emergency actions, pure. Policy §四(一), "Emergency"."""

from __future__ import annotations

from collections.abc import Collection

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.emergency_documents import (
    UNRATIFIED_STATUSES,
    EmergencyAction,
    EmergencyStatus,
)
from archive_store.approvals.rules import POLICY_SECTION, Seat
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post

EXECUTORS = frozenset({Post.INFORMATION_GROUP})
# To whom it is reported (报备).
REPORT_POSTS = (Post.DIRECTOR, Post.VICE_PRINCIPAL)
READERS = frozenset({Post.DIRECTOR, Post.DEPUTY_DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL})


def is_whitelisted(policy: ApprovalPolicy, operation: str, fields: frozenset[str]) -> bool:
    """Whether the policy opens the emergency path to the operation on these fields."""
    return any(
        rule.operation == operation and (rule.fields is None or fields <= rule.fields)
        for rule in policy.emergency
    )


def unacknowledged(action: EmergencyAction) -> list[Post]:
    """The posts whose receipt is awaited."""
    given = {receipt.post for receipt in action.receipts}
    return [post for post in REPORT_POSTS if post not in given]


def deciding_posts(action: EmergencyAction) -> tuple[Post, ...]:
    """Who ratifies or reverses: once it is escalated, the principal as well."""
    return REPORT_POSTS if action.escalated_at is None else (*REPORT_POSTS, Post.PRINCIPAL)


def may_see(viewer: Viewer, action: EmergencyAction) -> bool:
    """The readers, who executed it, and the delegates of those who decide."""
    return (
        viewer.person_id == action.executed_by
        or viewer.holds_any(READERS)
        or any(_delegated_seats(viewer, action, deciding_posts(action)))
    )


def acknowledging_seats(viewer: Viewer, action: EmergencyAction) -> list[Seat]:
    """The seats in which the viewer acknowledges it; WRONG_STATE, SELF_APPROVAL or FORBIDDEN without one.

    All of their own, or one as a delegate; who executed it or gave a receipt already gives no other.
    """
    _require_person(viewer)
    awaited = unacknowledged(action)
    if not awaited:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state=action.status)
    if viewer.person_id in {action.executed_by, *(receipt.acknowledged_by for receipt in action.receipts)}:
        raise RegistrarError(ErrorCode.SELF_APPROVAL, rule=POLICY_SECTION)
    if own := [Seat(post) for post in awaited if post in viewer.posts]:
        return own
    if delegated := _delegated_seats(viewer, action, awaited):
        return delegated[:1]
    raise RegistrarError(ErrorCode.FORBIDDEN, rule=POLICY_SECTION)


def deciding_seat(viewer: Viewer, action: EmergencyAction) -> Seat:
    """The seat in which the viewer ratifies or reverses it; WRONG_STATE, SELF_APPROVAL or FORBIDDEN without one.

    Not who executed it, not their delegate, and nobody on what concerns themselves or their child.
    """
    if action.status not in UNRATIFIED_STATUSES:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state=action.status)
    _require_person(viewer)
    is_delegate = any(held.delegator_id == action.executed_by for held in viewer.delegations)
    if viewer.person_id == action.executed_by or is_delegate or concerns(viewer, action.target_id):
        raise RegistrarError(ErrorCode.SELF_APPROVAL, rule=POLICY_SECTION)
    posts = deciding_posts(action)
    own = [Seat(post) for post in posts if post in viewer.posts]
    for seat in own or _delegated_seats(viewer, action, posts):
        return seat
    raise RegistrarError(ErrorCode.FORBIDDEN, rule=POLICY_SECTION)


def ratifying_seat(viewer: Viewer, action: EmergencyAction) -> Seat:
    """As `deciding_seat`; WRONG_STATE while a post does not know of it, unless it was escalated.

    Who ratifies knows, so their own receipt is not awaited.
    """
    seat = deciding_seat(viewer, action)
    if action.escalated_at is None and set(unacknowledged(action)) - {seat.post}:
        state = EmergencyStatus.EXECUTED
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state=state)
    return seat


def concerns(viewer: Viewer, target_id: object) -> bool:
    """Whether it is about the viewer or their child."""
    return target_id in {viewer.person_id} | viewer.ward_ids | viewer.own_student_ids


def _require_person(viewer: Viewer) -> None:
    if viewer.is_service:
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=POLICY_SECTION)


def _delegated_seats(viewer: Viewer, action: EmergencyAction, posts: Collection[Post]) -> list[Seat]:
    return [
        Seat(held.post, held)
        for held in viewer.delegations
        if held.post in posts and held.covers(action.operation) and action.target_id not in held.concerned_ids
    ]
