"""What a viewer may ask for or decide, said before they try, by the rules that trying would meet. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import (
    WITHDRAWABLE_STATUSES,
    ApprovalPolicy,
    ChangeRequest,
    Tier,
)
from archive_store.approvals.emergency_documents import EmergencyAction
from archive_store.approvals.emergency_rules import acknowledging_seats, deciding_seat, ratifying_seat
from archive_store.approvals.operation import Operation
from archive_store.approvals.rules import chain_of, chain_without, require_requester, seat_of
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.posts import Post


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether an action is allowed. `refusal` is what trying it would raise, `tiers` are those whose approval it needs.

    How to obtain it: `posts` are those whose holders may, `operation` is one by which the right can be asked for.
    """

    refusal: RegistrarError | None = None
    tiers: tuple[Tier, ...] = ()
    posts: frozenset[Post] = frozenset()
    operation: str | None = None


def may_ask(
    policy: ApprovalPolicy, viewer: Viewer, operation: Operation[Any], fields: frozenset[str] = frozenset()
) -> Permission:
    """Whether the viewer may ask for the operation, and who would decide."""
    chain: tuple[Tier, ...] = ()
    try:
        chain = chain_of(policy, operation.name, fields)
        operation.require_asker(viewer)
        return Permission(tiers=chain_without(chain, viewer.posts))
    except RegistrarError as refusal:
        return Permission(refusal, chain, operation.requesters)


def may_decide(viewer: Viewer, request: ChangeRequest) -> Permission:
    """Whether the awaited step of the request is the viewer's to sign."""
    return _permission(lambda: seat_of(viewer, request))


def may_revise(viewer: Viewer, request: ChangeRequest) -> Permission:
    """Whether the request is the viewer's own and undecided."""
    return _permission(lambda: require_requester(viewer, request))


def may_withdraw(viewer: Viewer, request: ChangeRequest) -> Permission:
    """Whether the request is the viewer's own and not in force."""
    return _permission(lambda: require_requester(viewer, request, WITHDRAWABLE_STATUSES))


def _permission(require: Callable[[], object]) -> Permission:
    try:
        require()
    except RegistrarError as refusal:
        return Permission(refusal)
    return Permission()


def may_acknowledge(viewer: Viewer, action: EmergencyAction) -> Permission:
    """Whether a receipt of the viewer's post is awaited."""
    return _permission(lambda: acknowledging_seats(viewer, action))


def may_ratify(viewer: Viewer, action: EmergencyAction) -> Permission:
    """Whether the emergency action is the viewer's to ratify."""
    return _permission(lambda: ratifying_seat(viewer, action))


def may_reverse(viewer: Viewer, action: EmergencyAction) -> Permission:
    """Whether the emergency action is the viewer's to reverse. A later change may still stand against it."""
    return _permission(lambda: deciding_seat(viewer, action))
