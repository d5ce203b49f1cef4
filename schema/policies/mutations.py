"""`policyReplace`, `approvalPolicyReplace` and `retentionTableReplace` ask for a version; the principal decides."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry.scalars import JSON

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.policies.approvals import replace_approval_policy
from archive_store.policies.operations import replace_policy
from archive_store.policies.retention import replace_retention_table
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, camel_case, typed_errors
from schema.policies.types import (
    AccessDifference,
    RequirementDifference,
    RetentionDifference,
    RouteDifference,
)
from schema.scalars import Day


@strawberry.input(description="Input of `policyReplace`.")
class PolicyReplaceInput:
    rules: JSON = strawberry.field(
        description="The whole content, in the shape of `fieldAccessPolicy.rules`."
    )
    effective_from: Day = strawberry.field(description="The day from which it holds, in China.")
    reason: str | None = None
    dry_run: bool = strawberry.field(
        default=False, description="Only say who would gain or lose which fields."
    )


@strawberry.type(description="Result of `policyReplace`.")
class PolicyReplacePayload:
    differences: list[AccessDifference] = strawberry.field(default_factory=list)
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(PolicyReplacePayload)
async def resolve_policy_replace(info: Request, input: PolicyReplaceInput) -> PolicyReplacePayload:  # noqa: A002
    context = info.context
    asked = await replace_policy(
        context.store,
        context.viewer,
        rules=_object(input.rules, "rules"),
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    return PolicyReplacePayload(
        differences=[
            AccessDifference(
                post=held.post,
                relationship=held.relationship,
                purpose_stated=held.purpose_stated,
                gains=list(held.gains),
                loses=list(held.loses),
            )
            for held in asked.differences
        ],
        change_request=await request_of(info, asked.change_request_id),
    )


@strawberry.input(description="Input of `approvalPolicyReplace`.")
class ApprovalPolicyReplaceInput:
    content: JSON = strawberry.field(
        description="The whole content, in the shape of `approvalPolicy.content`."
    )
    effective_from: Day = strawberry.field(description="The day from which it holds, in China.")
    reason: str | None = None
    dry_run: bool = strawberry.field(default=False, description="Only say whose signatures would change.")


@strawberry.type(description="Result of `approvalPolicyReplace`.")
class ApprovalPolicyReplacePayload:
    differences: list[RouteDifference] = strawberry.field(default_factory=list)
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(ApprovalPolicyReplacePayload)
async def resolve_approval_policy_replace(
    info: Request,
    input: ApprovalPolicyReplaceInput,  # noqa: A002
) -> ApprovalPolicyReplacePayload:
    context = info.context
    asked = await replace_approval_policy(
        context.store,
        context.viewer,
        content=_object(input.content, "content"),
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    return ApprovalPolicyReplacePayload(
        differences=[
            RouteDifference(
                operation=held.operation,
                fields=[camel_case(name) or "" for name in held.fields],
                joint_before=list(held.joint_before),
                tiers_before=list(held.tiers_before),
                joint_after=list(held.joint_after),
                tiers_after=list(held.tiers_after),
            )
            for held in asked.differences
        ],
        change_request=await request_of(info, asked.change_request_id),
    )


@strawberry.input(description="Input of `retentionTableReplace`.")
class RetentionTableReplaceInput:
    content: JSON = strawberry.field(
        description="The whole content, in the shape of `retentionTable.content`."
    )
    effective_from: Day = strawberry.field(description="The day from which it holds, in China.")
    reason: str | None = None
    dry_run: bool = strawberry.field(
        default=False, description="Only say which periods and required documents would change."
    )


@strawberry.type(description="Result of `retentionTableReplace`.")
class RetentionTableReplacePayload:
    differences: list[RetentionDifference] = strawberry.field(default_factory=list)
    requirements: list[RequirementDifference] = strawberry.field(default_factory=list)
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(RetentionTableReplacePayload)
async def resolve_retention_table_replace(
    info: Request,
    input: RetentionTableReplaceInput,  # noqa: A002
) -> RetentionTableReplacePayload:
    context = info.context
    asked = await replace_retention_table(
        context.store,
        context.viewer,
        content=_object(input.content, "content"),
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    return RetentionTableReplacePayload(
        differences=[
            RetentionDifference(document_type=held.document_type, before=held.before, after=held.after)
            for held in asked.differences
        ],
        requirements=[
            RequirementDifference(status=held.status, gains=list(held.gains), loses=list(held.loses))
            for held in asked.requirements
        ],
        change_request=await request_of(info, asked.change_request_id),
    )


def rules_given(value: object) -> list[Any]:
    """The rules of a replacement; INVALID_ARGUMENT for what is no list, which would be a replacement by nothing."""
    if not isinstance(value, list):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT, field="rules", detail_zh="须为列表", detail_en="must be a list"
        )
    return value


def _object(value: object, field: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT, field=field, detail_zh="须为对象", detail_en="must be an object"
        )
    return value
