"""`gradePointScale` and `gradePointScaleReplace` (绩点标准)."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry.scalars import JSON

from archive_store.academics.scales import stored_scale
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.policies.grade_points import replace_grade_point_scale
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.scalars import Day


@strawberry.type(description="绩点标准, by which averages are told.")
class GradePointScale:
    version: int = strawberry.field(
        description="0 of the default scale, which holds until the school sets one."
    )
    effective_from: Day
    rules: JSON = strawberry.field(description="In the shape that `gradePointScaleReplace` takes.")


@strawberry.input(description="Input of `gradePointScaleReplace`.")
class GradePointScaleReplaceInput:
    rules: JSON = strawberry.field(description="The whole scale, in the shape of `gradePointScale.rules`.")
    effective_from: Day = strawberry.field(description="The day from which it holds, in China.")
    reason: str | None = None
    dry_run: bool = strawberry.field(default=False, description="Only say which parts would change.")


@strawberry.type(description="Result of `gradePointScaleReplace`.")
class GradePointScaleReplacePayload:
    differences: list[str] = strawberry.field(
        default_factory=list, description="Parts of the scale that would say something else."
    )
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


async def resolve_grade_point_scale(info: Request, version: int | None = None) -> GradePointScale | None:
    """The version in effect today, or one of before by its number; null without it."""
    try:
        held = await stored_scale(info.context.store, version)
    except RegistrarError as error:
        if error.code is ErrorCode.NOT_FOUND:
            return None
        raise
    return GradePointScale(
        version=held.version, effective_from=Day(held.effective_from), rules=bson_value(held.rules)
    )


@typed_errors(GradePointScaleReplacePayload)
async def resolve_grade_point_scale_replace(
    info: Request,
    input: GradePointScaleReplaceInput,  # noqa: A002
) -> GradePointScaleReplacePayload:
    rules: Any = input.rules
    if not isinstance(rules, dict):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT, field="rules", detail_zh="须为对象", detail_en="must be an object"
        )
    differences, request_id = await replace_grade_point_scale(
        info.context.store,
        info.context.viewer,
        rules=rules,
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    return GradePointScaleReplacePayload(
        differences=differences,
        change_request=await request_of(info, request_id),
    )


@strawberry.type
class GradePointScaleQueries:
    grade_point_scale: GradePointScale | None = strawberry.field(
        resolver=resolve_grade_point_scale,
        description="绩点标准 in effect, or a version of before by its number.",
    )


@strawberry.type
class GradePointScaleMutations:
    grade_point_scale_replace: GradePointScaleReplacePayload = strawberry.field(
        resolver=resolve_grade_point_scale_replace,
        description="Ask for a new scale of grade points, which the principal decides on.",
    )
