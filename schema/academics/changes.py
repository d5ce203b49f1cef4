"""Changes of courses and arrangements (课程安排调整), which the department head signs."""

from __future__ import annotations

from typing import Any

import strawberry

from archive_store.academics.changes import CourseArrangementChange, CourseArrangementClose, CourseChange
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of, perform
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.scalars import Day


@strawberry.input(description="Input of `courseChange`: a name, credits, or both.")
class CourseChangeInput:
    id: strawberry.ID
    from_term_id: strawberry.ID = strawberry.field(
        description="The first term in which it holds, which has not begun."
    )
    name: str | None = None
    credits: float | None = None
    reason: str | None = None


@strawberry.input(description="Input of `courseArrangementChange`.")
class CourseArrangementChangeInput:
    id: strawberry.ID
    teacher_id: strawberry.ID = strawberry.field(description="任课教师, a person who holds the post.")
    teacher_from: Day = strawberry.field(
        description="The day, in China, from which they teach it; the earlier teacher reads its grades until then."
    )
    reason: str | None = None


@strawberry.input(description="Input of `courseArrangementClose`.")
class CourseArrangementCloseInput:
    id: strawberry.ID
    reason: str | None = None


@strawberry.type(description="Result of a change of a course or an arrangement.")
class CourseChangePayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _ask(info: Request, name: str, payload: Payload, reason: str | None) -> CourseChangePayload:
    outcome = await perform(info.context.store, info.context.viewer, name, payload, reason=reason)
    request = await request_of(info, outcome.change_request_id)
    return CourseChangePayload(change_request=request, applied=outcome.applied)


@typed_errors(CourseChangePayload)
async def resolve_course_change(info: Request, input: CourseChangeInput) -> CourseChangePayload:  # noqa: A002
    given: dict[str, Any] = {"name": input.name, "credits": input.credits}
    keys = {
        "course_id": key_of(input.id, "Course", field="id"),
        "from_term_id": key_of(input.from_term_id, "Term", field="fromTermId"),
    }
    told = {name: value for name, value in given.items() if value is not None}
    return await _ask(info, "course.change", payload_of(CourseChange, {**keys, **told}), input.reason)


@typed_errors(CourseChangePayload)
async def resolve_course_arrangement_change(
    info: Request,
    input: CourseArrangementChangeInput,  # noqa: A002
) -> CourseChangePayload:
    told = {
        "arrangement_id": key_of(input.id, "CourseArrangement", field="id"),
        "teacher_id": key_of(input.teacher_id, "Person", field="teacherId"),
        "teacher_from": input.teacher_from,
    }
    payload = payload_of(CourseArrangementChange, told)
    return await _ask(info, "course_arrangement.change", payload, input.reason)


@typed_errors(CourseChangePayload)
async def resolve_course_arrangement_close(
    info: Request,
    input: CourseArrangementCloseInput,  # noqa: A002
) -> CourseChangePayload:
    told = {"arrangement_id": key_of(input.id, "CourseArrangement", field="id")}
    payload = payload_of(CourseArrangementClose, told)
    return await _ask(info, "course_arrangement.close", payload, input.reason)


@strawberry.type
class CourseChangeMutations:
    course_change: CourseChangePayload = strawberry.field(
        resolver=resolve_course_change,
        description="Ask for another name or other credits of a course in coming terms (课程调整).",
    )
    course_arrangement_change: CourseChangePayload = strawberry.field(
        resolver=resolve_course_arrangement_change,
        description="Ask for another teacher of an arrangement from a day on (更换任课教师).",
    )
    course_arrangement_close: CourseChangePayload = strawberry.field(
        resolver=resolve_course_arrangement_close,
        description="Ask to cancel an arrangement that has no grades (取消课程安排).",
    )
