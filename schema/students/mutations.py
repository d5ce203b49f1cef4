"""`studentUpdate`: asks for a change of a record, which applies when its chain has approved."""

from __future__ import annotations

import strawberry

from archive_store.approvals.operations import payload_of, perform
from archive_store.students.changes import StudentUpdate
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.students.inputs import StudentUpdateInput


@strawberry.type(description="Result of `studentUpdate`.")
class StudentUpdatePayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(StudentUpdatePayload)
async def resolve_student_update(info: Request, input: StudentUpdateInput) -> StudentUpdatePayload:  # noqa: A002
    context = info.context
    student_id = key_of(input.student_id, "Student", field="studentId")
    payload = payload_of(StudentUpdate, {"student_id": student_id, "changes": input.changes.values()})
    outcome = await perform(context.store, context.viewer, "student.update", payload, reason=input.reason)
    if outcome.change_request_id is None:
        return StudentUpdatePayload(applied=True)
    request = await context.loaders.change_requests.load(outcome.change_request_id)
    return StudentUpdatePayload(change_request=request)
