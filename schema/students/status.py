"""`studentSuspend` and `studentResume`: ask for a change of status, which applies when its chain has approved."""

from __future__ import annotations

import strawberry

from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.approvals.requests import Revision, revise
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.status import STUDENT_RESUME, STUDENT_SUSPEND, StatusChange
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.scalars import Day
from schema.students.mutations import evidence_given

_OPERATIONS = frozenset({STUDENT_RESUME.name, STUDENT_SUSPEND.name})


@strawberry.input(description="Input of `studentSuspend` and `studentResume`.")
class StudentStatusInput:
    student_id: strawberry.ID
    effective_from: Day = strawberry.field(
        description="The day, in China, from which the status holds; a day to come is waited for."
    )
    reason: str | None = strawberry.field(
        default=None,
        description="Why, for those who approve and for those who may read of the student's health; a draft may go "
        "without.",
    )
    evidence: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="材料: scans of the student that it rests on."
    )
    draft: bool = strawberry.field(
        default=False, description="Keep it as a draft (草稿), shown to nobody else."
    )


@strawberry.input(description="Input of `studentStatusRevise`. What is left out stays as it was asked for.")
class StudentStatusReviseInput:
    id: strawberry.ID = strawberry.field(description="The change request.")
    effective_from: Day | None = None
    reason: str | None = None
    evidence: list[strawberry.ID] | None = None


@strawberry.type(description="Result of asking for a change of status.")
class StudentStatusPayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _ask(info: Request, operation: str, asked: StudentStatusInput) -> StudentStatusPayload:
    context = info.context
    student_id = key_of(asked.student_id, "Student", field="studentId")
    day = asked.effective_from
    payload = payload_of(StatusChange, {"student_id": student_id, "effective_from": day})
    asking = Asking(
        reason=asked.reason,
        evidence=await evidence_given(info, student_id, asked.evidence),
        effective_from=_to_wait_for(info, day),
        is_draft=asked.draft,
    )
    outcome = await perform(context.store, context.viewer, operation, payload, asking=asking)
    request = await request_of(info, outcome.change_request_id)
    return StudentStatusPayload(change_request=request, applied=outcome.applied)


def _to_wait_for(info: Request, day: Day) -> Day | None:
    """The day, if it is still to come."""
    return day if day > school_day(info.context.store.clock.now()) else None


@typed_errors(StudentStatusPayload)
async def resolve_student_suspend(info: Request, input: StudentStatusInput) -> StudentStatusPayload:  # noqa: A002
    return await _ask(info, STUDENT_SUSPEND.name, input)


@typed_errors(StudentStatusPayload)
async def resolve_student_resume(info: Request, input: StudentStatusInput) -> StudentStatusPayload:  # noqa: A002
    return await _ask(info, STUDENT_RESUME.name, input)


@typed_errors(StudentStatusPayload)
async def resolve_student_status_revise(
    info: Request,
    input: StudentStatusReviseInput,  # noqa: A002
) -> StudentStatusPayload:
    context = info.context
    key = key_of(input.id, "ChangeRequest", field="id")
    request = await context.loaders.change_requests.load(key)
    if request is None or request.operation not in _OPERATIONS:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    papers, day = input.evidence, input.effective_from
    revision = Revision(
        values=None if day is None else {"effective_from": day},
        evidence=None if papers is None else await evidence_given(info, request.target_id, papers),
        # The day that the request waits for; one that is over cannot be named, and today waits for nothing.
        effective_from=None if day is None else max(day, Day(school_day(context.store.clock.now()))),
        reason=input.reason,
    )
    await revise(context.store, context.viewer, key, revision)
    return StudentStatusPayload(change_request=await context.loaders.change_requests.load(key))
