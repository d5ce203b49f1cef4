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
    """Chain of an operation; with `fields`, only where the operation touches one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: str
    fields: frozenset[str] | None = None
    chain: tuple[Tier, ...]


class ApprovalPolicy(Record):
    """A version of the approval policy (审批规则). The newest decides; a running request keeps its chain."""

    subject_type: ClassVar[str] = "ApprovalPolicy"

    version: Annotated[int, F0]
    effective_from: Annotated[date, F0]
    rules: Annotated[tuple[ApprovalRule, ...], F0]

    class Settings:
        name = "approval_policies"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012


class RequestStatus(StrEnum):
    SUBMITTED = "SUBMITTED"  # 已提交
    IN_REVIEW = "IN_REVIEW"  # 审批中: a step approved, another to come
    REJECTED = "REJECTED"  # 驳回
    WITHDRAWN = "WITHDRAWN"  # 撤回
    APPLIED = "APPLIED"  # 已生效


OPEN_STATUSES = frozenset({RequestStatus.SUBMITTED, RequestStatus.IN_REVIEW})


class Decision(StrEnum):
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class ApprovalStep(BaseModel):
    """审批环节: one decision of the chain."""

    tier: Annotated[Tier, F0]
    decision: Annotated[Decision, F0]
    decided_by: Annotated[PydanticObjectId, F0]
    decided_by_name: Annotated[str, F0]
    decided_at: Annotated[datetime, F0]
    comment: Annotated[str | None, F3] = None


class ChangeRequest(Record):
    """A request for an operation.

    `sealed` holds `{payload, current, reason}`: the input, the values of the touched fields when it was made,
    and why. `payload_digest` is a keyed digest of the payload, which decisions are bound to.
    """

    subject_type: ClassVar[str] = "ChangeRequest"

    operation: Annotated[str, F0]
    target_type: Annotated[str, F0]
    target_id: Annotated[PydanticObjectId, F0]
    fields: Annotated[list[str], F0]
    sealed: Annotated[dict[str, Any], F3]
    payload_digest: Annotated[str, F1]
    policy_version: Annotated[int, F0]
    chain: Annotated[list[Tier], F0]
    steps: list[ApprovalStep] = Field(default_factory=list)
    status: Annotated[RequestStatus, F0] = RequestStatus.SUBMITTED
    requested_by: Annotated[PydanticObjectId, F0]
    requested_by_name: Annotated[str, F0]
    applied_at: Annotated[datetime | None, F0] = None

    class Settings:
        name = "change_requests"
        indexes = [  # noqa: RUF012
            IndexModel([("status", 1), ("_id", -1)]),
            IndexModel([("target_id", 1), ("_id", -1)]),
            IndexModel([("requested_by", 1), ("_id", -1)]),
        ]
