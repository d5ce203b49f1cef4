"""`policyReplace`: asks for a new version of the field-access policy; the principal decides."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.policies.operations import replace_policy
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.policies.types import AccessDifference
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
    if not isinstance(input.rules, dict):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT, field="rules", detail_zh="须为对象", detail_en="must be an object"
        )
    asked = await replace_policy(
        context.store,
        context.viewer,
        rules=input.rules,
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    key = asked.change_request_id
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
        change_request=None if key is None else await context.loaders.change_requests.load(key),
    )
