"""The approval policy and change requests (变更申请) as stored."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record
from archive_store.foundation.working_days import Period

F0, F1, F2, F3, F4 = FieldClass


class Tier(StrEnum):
    """审批级别, policy §四(一)."""

    DEPARTMENT_HEAD = "DEPARTMENT_HEAD"  # 部门负责人
    VICE_PRINCIPAL = "VICE_PRINCIPAL"  # 分管副校长
    PRINCIPAL = "PRINCIPAL"  # 校长

    @property
    def post(self) -> Post:
        return _POST_OF_TIER[self]


_POST_OF_TIER = {
    Tier.DEPARTMENT_HEAD: Post.DIRECTOR,
    Tier.VICE_PRINCIPAL: Post.VICE_PRINCIPAL,
    Tier.PRINCIPAL: Post.PRINCIPAL,
}


class ApprovalRule(BaseModel):
    """Chain of an operation; with `fields`, only where the operation touches one of them.

    `joint` are posts that sign together (会签), in any order, before the first tier.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: str
    fields: frozenset[str] | None = None
    joint: tuple[Post, ...] = ()
    chain: tuple[Tier, ...]


class EmergencyRule(BaseModel):
    """An operation that the emergency path is open to; with `fields`, only where it touches no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: str
    fields: frozenset[str] | None = None


# §四(一): sudden illness that needs an immediate change of status; and reaching the family.
DEFAULT_EMERGENCY_RULES = (
    EmergencyRule(operation="student.suspend"),
    EmergencyRule(
        operation="student.update",
        fields=frozenset({"phone", "address", "postal_code", "email", "guardians"}),
    ),
)


class ApprovalPolicy(Record):
    """A version of the approval policy (审批规则). The newest decides; a running request keeps its chain.

    `emergency` is what can be done at once and ratified within `emergency_hours`, counted by the clock.
    """

    subject_type: ClassVar[str] = "ApprovalPolicy"

    version: Annotated[int, F0]
    effective_from: Annotated[date, F0]
    rules: Annotated[tuple[ApprovalRule, ...], F0]
    # Each step of a request: how long it may wait, and how long before its end a reminder goes out.
    step_period: Annotated[Period, F0] = Period(working_days=3)
    reminder_hours: Annotated[int, F0] = 24
    emergency: Annotated[tuple[EmergencyRule, ...], F0] = DEFAULT_EMERGENCY_RULES
    emergency_hours: Annotated[int, F0, Field(ge=1)] = 24

    class Settings:
        name = "approval_policies"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012


class RequestStatus(StrEnum):
    DRAFT = "DRAFT"  # 草稿: the requester's alone
    SUBMITTED = "SUBMITTED"  # 已提交
    IN_REVIEW = "IN_REVIEW"  # 审批中: a step is signed, another to come
    RETURNED = "RETURNED"  # 退回补正
    REJECTED = "REJECTED"  # 驳回
    WITHDRAWN = "WITHDRAWN"  # 撤回
    APPROVED = "APPROVED"  # 已批准: waits for the day from which it holds
    APPLIED = "APPLIED"  # 已生效
    SUPERSEDED = "SUPERSEDED"  # 已被取代: a later request changed the same fields


OPEN_STATUSES = frozenset({RequestStatus.SUBMITTED, RequestStatus.IN_REVIEW})
# What the requester may still change.
UNDECIDED_STATUSES = OPEN_STATUSES | {RequestStatus.DRAFT, RequestStatus.RETURNED}
# What the requester may still withdraw: also what is approved for a day to come.
WITHDRAWABLE_STATUSES = UNDECIDED_STATUSES | {RequestStatus.APPROVED}


class Decision(StrEnum):
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"


class RouteStep(BaseModel):
    """审批环节 as laid down: a tier, posts that all sign (会签), or a person whose signature was added (加签)."""

    tier: Annotated[Tier | None, F0] = None
    posts: Annotated[list[Post], F0] = Field(default_factory=list)
    person_id: Annotated[PydanticObjectId | None, F0] = None
    person_name: Annotated[str | None, F0] = None


class ApprovalStep(BaseModel):
    """审批意见: one signature.

    `for_person_id` is whose seat a delegate (受托人) signed in, `digest` what was signed, `round` counts the versions
    of the request: a signature of an earlier round is void.
    """

    position: Annotated[int, F0]
    round: Annotated[int, F0]
    tier: Annotated[Tier | None, F0] = None
    post: Annotated[Post | None, F0] = None
    decision: Annotated[Decision, F0]
    decided_by: Annotated[PydanticObjectId, F0]
    decided_by_name: Annotated[str, F0]
    for_person_id: Annotated[PydanticObjectId | None, F0] = None
    for_person_name: Annotated[str | None, F0] = None
    decided_at: Annotated[datetime, F0]
    digest: Annotated[str, F1]
    comment: Annotated[str | None, F3] = None


class Evidence(BaseModel):
    """材料: a filed scan that the request rests on, by its content."""

    scan_id: Annotated[PydanticObjectId, F1]
    sha256: Annotated[str, F2]


class ChangeRequest(Record):
    """A request for an operation.

    `sealed` holds `{payload, current, reason}`: the input, the values of the touched fields when it was made,
    and why. `digest` is a keyed digest of payload, evidence and day, which signatures are bound to. `awaited_posts`
    and `awaited_person` are who has still to sign the step at `position` of the `route`, due at `due_at`; once it is
    overdue, `escalated_posts` may sign in their stead. `blocked_at` is when its day came and it could not be applied.
    """

    subject_type: ClassVar[str] = "ChangeRequest"

    operation: Annotated[str, F0]
    target_type: Annotated[str, F0]
    target_id: Annotated[PydanticObjectId, F0]
    # The target, and students whom it is about beside it: who is one of them, or theirs, decides nothing.
    concerns: Annotated[list[PydanticObjectId], F0]
    fields: Annotated[list[str], F0]
    sealed: Annotated[dict[str, Any], F3]
    evidence: list[Evidence] = Field(default_factory=list)
    effective_from: Annotated[date | None, F0] = None
    digest: Annotated[str, F1]
    policy_version: Annotated[int, F0]
    chain: Annotated[list[Tier], F0]
    route: list[RouteStep]
    position: Annotated[int, F0] = 0
    round: Annotated[int, F0] = 1
    awaited_posts: Annotated[list[Post], F0] = Field(default_factory=list)
    awaited_person: Annotated[PydanticObjectId | None, F0] = None
    due_at: Annotated[datetime | None, F0] = None
    reminded_at: Annotated[datetime | None, F0] = None
    escalated_at: Annotated[datetime | None, F0] = None
    escalated_posts: Annotated[list[Post], F0] = Field(default_factory=list)
    blocked_at: Annotated[datetime | None, F0] = None
    steps: list[ApprovalStep] = Field(default_factory=list)
    status: Annotated[RequestStatus, F0] = RequestStatus.SUBMITTED
    requested_by: Annotated[PydanticObjectId, F0]
    requested_by_name: Annotated[str, F0]
    applied_at: Annotated[datetime | None, F0] = None
    superseded_by: Annotated[PydanticObjectId | None, F0] = None

    class Settings:
        name = "change_requests"
        indexes = [  # noqa: RUF012
            IndexModel([("status", 1), ("_id", -1)]),
            IndexModel([("target_id", 1), ("_id", -1)]),
            IndexModel([("requested_by", 1), ("_id", -1)]),
            IndexModel([("status", 1), ("awaited_posts", 1), ("_id", -1)]),
            IndexModel([("status", 1), ("awaited_person", 1), ("_id", -1)]),
            IndexModel([("status", 1), ("effective_from", 1)]),
            IndexModel([("status", 1), ("due_at", 1)]),
        ]

    @property
    def awaited_step(self) -> RouteStep | None:
        """The step that has to be signed next; None when nothing is awaited."""
        return self.route[self.position] if self.status in OPEN_STATUSES else None

    @property
    def signatures(self) -> list[ApprovalStep]:
        """Those that count: of this round."""
        return [step for step in self.steps if step.round == self.round]
