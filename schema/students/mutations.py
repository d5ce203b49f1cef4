"""`studentUpdate`: asks for a change of a record, which applies when its chain has approved."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.documents import Evidence
from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.approvals.requests import Revision, revise
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.scans.evidence import evidence_of
from archive_store.students.changes import StudentUpdate
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.students.inputs import StudentUpdateInput, StudentUpdateReviseInput


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
    asking = Asking(
        reason=input.reason,
        evidence=await evidence_given(info, student_id, input.evidence),
        effective_from=input.effective_from,
        is_draft=input.draft,
    )
    outcome = await perform(context.store, context.viewer, "student.update", payload, asking=asking)
    request = await request_of(info, outcome.change_request_id)
    return StudentUpdatePayload(change_request=request, applied=outcome.applied)


@typed_errors(StudentUpdatePayload)
async def resolve_student_update_revise(
    info: Request,
    input: StudentUpdateReviseInput,  # noqa: A002
) -> StudentUpdatePayload:
    context = info.context
    key = key_of(input.id, "ChangeRequest", field="id")
    request = await context.loaders.change_requests.load(key)
    if request is None or request.operation != "student.update":
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    papers = input.evidence
    revision = Revision(
        values=None if input.changes is None else {"changes": input.changes.values()},
        evidence=None if papers is None else await evidence_given(info, request.target_id, papers),
        effective_from=input.effective_from,
        reason=input.reason,
    )
    await revise(context.store, context.viewer, key, revision)
    return StudentUpdatePayload(change_request=await context.loaders.change_requests.load(key))


async def evidence_given(info: Request, student_id: ObjectId, papers: list[strawberry.ID]) -> list[Evidence]:
    """The scans of these ids as evidence."""
    keys = [key_of(paper, "Scan", field="evidence") for paper in papers]
    return await evidence_of(info.context.store, info.context.viewer, student_id, keys) if keys else []
