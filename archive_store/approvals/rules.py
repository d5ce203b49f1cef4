"""Chains and decisions, pure. Policy §四(一): three tiers, which chain (1 → 2 → 3)."""

from __future__ import annotations

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import (
    OPEN_STATUSES,
    ApprovalPolicy,
    ApprovalRule,
    ChangeRequest,
    Decision,
    RequestStatus,
    Tier,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post

POLICY_SECTION = "policy §四(一)"
_HEAD = (Tier.DEPARTMENT_HEAD,)
_HEAD_AND_VICE_PRINCIPAL = (Tier.DEPARTMENT_HEAD, Tier.VICE_PRINCIPAL)
_ALL_TIERS = tuple(Tier)

# 关键信息: key identity fields are a major operation (重大操作), decided by the vice principal.
KEY_IDENTITY_FIELDS = frozenset(
    {"name", "birth_date", "identity_document_type", "identity_number", "national_student_number"}
)

DEFAULT_APPROVAL_RULES = (
    ApprovalRule(operation="student.update", chain=_HEAD),
    ApprovalRule(operation="student.update", fields=KEY_IDENTITY_FIELDS, chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="role_grant.give", chain=_HEAD_AND_VICE_PRINCIPAL),
    # §三(二): whom the department head authorises; sealed material one tier higher.
    ApprovalRule(operation="retrieval_grant.give", chain=_HEAD),
    ApprovalRule(operation="retrieval_grant.give_sealed", chain=_HEAD_AND_VICE_PRINCIPAL),
    ApprovalRule(operation="retrieval_grant.revoke", chain=()),
    # §四(一): changes of school policy.
    ApprovalRule(operation="policy.replace", chain=_ALL_TIERS),
    # Entry by the information group after the qualification review, §三(一); filing by the archive group, §二(一).
    ApprovalRule(operation="roster.import", chain=()),
    ApprovalRule(operation="scan.file", chain=()),
)


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


def may_see(viewer: Viewer, requested_by: object) -> bool:
    return viewer.holds_any(REQUEST_READERS) or viewer.person_id == requested_by


class UngovernedOperationError(LookupError):
    """No rule names the operation. Nothing is allowed by omission."""


def chain_of(policy: ApprovalPolicy, operation: str, fields: frozenset[str]) -> tuple[Tier, ...]:
    """The longest chain of the rules that match."""
    chains = [
        rule.chain
        for rule in policy.rules
        if rule.operation == operation and (rule.fields is None or rule.fields & fields)
    ]
    if not chains:
        raise UngovernedOperationError(operation)
    return max(chains, key=len)


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


def next_tier(request: ChangeRequest) -> Tier | None:
    """The tier whose decision is awaited; None when the request is closed."""
    return request.chain[len(request.steps)] if request.status in OPEN_STATUSES else None


def require_open(request: ChangeRequest) -> Tier:
    tier = next_tier(request)
    if tier is None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state=request.status)
    return tier


def require_other_person(request: ChangeRequest, person_id: object) -> None:
    """No self-approval, no two steps by one person."""
    if person_id == request.requested_by or any(step.decided_by == person_id for step in request.steps):
        raise RegistrarError(ErrorCode.SELF_APPROVAL, rule=POLICY_SECTION)


def require_decider(viewer: Viewer, request: ChangeRequest) -> Tier:
    """The awaited tier, whose step is the viewer's; WRONG_STATE, SELF_APPROVAL or FORBIDDEN otherwise."""
    tier = require_open(request)
    require_other_person(request, viewer.person_id)
    # What somebody is given, or what is said of their child, is not theirs to decide either.
    if request.target_id in {viewer.person_id} | viewer.ward_ids | viewer.own_student_ids:
        raise RegistrarError(ErrorCode.SELF_APPROVAL, rule=POLICY_SECTION)
    viewer.require_any(frozenset({tier.post}), rule=POLICY_SECTION)
    return tier


def require_requester(viewer: Viewer, request: ChangeRequest) -> Tier:
    """The awaited tier of one's own request; WRONG_STATE or FORBIDDEN otherwise."""
    tier = require_open(request)
    if request.requested_by != viewer.person_id:
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=POLICY_SECTION)
    return tier


def status_after(request: ChangeRequest, decision: Decision) -> RequestStatus:
    """Status once the awaited step is decided so."""
    if decision is Decision.REJECTED:
        return RequestStatus.REJECTED
    is_last = len(request.steps) + 1 == len(request.chain)
    return RequestStatus.APPLIED if is_last else RequestStatus.IN_REVIEW
