"""`studentMerge`, `studentUnmerge`, `duplicateDismiss` and `duplicateReopen`."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.duplicates.candidates import ordered
from archive_store.duplicates.dismissals import DuplicateDismiss, DuplicatePair
from archive_store.duplicates.merging import merge_students
from archive_store.duplicates.unmerging import unmerge_students
from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, snake_case, typed_errors
from schema.nodes import key_of


@strawberry.input(description="Input of `studentMerge`.")
class StudentMergeInput:
    survivor_id: strawberry.ID = strawberry.field(description="The record that goes on.")
    merged_id: strawberry.ID = strawberry.field(description="The record that is voided (注销).")
    fields: list[str] = strawberry.field(
        default_factory=list, description="What the record that goes on takes of the other."
    )
    reason: str


@strawberry.input(description="Input of `studentUnmerge`.")
class StudentUnmergeInput:
    id: strawberry.ID = strawberry.field(description="The merge.")
    reason: str


@strawberry.input(description="Input of `duplicateDismiss`.")
class DuplicateDismissInput:
    student_ids: list[strawberry.ID] = strawberry.field(description="The two records.")
    reason: str


@strawberry.input(description="Input of `duplicateReopen`.")
class DuplicateReopenInput:
    student_ids: list[strawberry.ID] = strawberry.field(description="The two records.")


@strawberry.type(description="Result of `studentMerge` and `studentUnmerge`.")
class StudentMergePayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that awaits approval."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `duplicateDismiss` and `duplicateReopen`.")
class DuplicatePayload:
    done: bool = False
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(StudentMergePayload)
async def resolve_merge(info: Request, input: StudentMergeInput) -> StudentMergePayload:  # noqa: A002
    outcome = await merge_students(
        info.context.store,
        info.context.viewer,
        survivor_id=key_of(input.survivor_id, "Student", field="survivorId"),
        merged_id=key_of(input.merged_id, "Student", field="mergedId"),
        fields=[snake_case(name) for name in input.fields],
        asking=Asking(input.reason),
    )
    return StudentMergePayload(change_request=await request_of(info, outcome.change_request_id))


@typed_errors(StudentMergePayload)
async def resolve_unmerge(info: Request, input: StudentUnmergeInput) -> StudentMergePayload:  # noqa: A002
    key = key_of(input.id, "MergeCase", field="id")
    outcome = await unmerge_students(info.context.store, info.context.viewer, key, Asking(input.reason))
    return StudentMergePayload(change_request=await request_of(info, outcome.change_request_id))


def _pair(student_ids: list[strawberry.ID]) -> dict[str, ObjectId]:
    if len(student_ids) != 2:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="studentIds",
            detail_zh="须为两份学籍",
            detail_en="name two records",
        )
    one, other = (
        key_of(text, "Student", field=f"studentIds.{place}") for place, text in enumerate(student_ids)
    )
    first, second = ordered(one, other)
    return {"first_id": first, "second_id": second}


@typed_errors(DuplicatePayload)
async def resolve_dismiss(info: Request, input: DuplicateDismissInput) -> DuplicatePayload:  # noqa: A002
    values = {**_pair(input.student_ids), "dismissal_id": ObjectId(), "why": input.reason}
    payload = payload_of(DuplicateDismiss, values)
    await perform(info.context.store, info.context.viewer, "duplicate.dismiss", payload)
    return DuplicatePayload(done=True)


@typed_errors(DuplicatePayload)
async def resolve_reopen(info: Request, input: DuplicateReopenInput) -> DuplicatePayload:  # noqa: A002
    payload = payload_of(DuplicatePair, _pair(input.student_ids))
    await perform(info.context.store, info.context.viewer, "duplicate.reopen", payload)
    return DuplicatePayload(done=True)


@strawberry.type
class DuplicateMutations:
    """Asked for of duplicates."""

    student_merge: StudentMergePayload = strawberry.field(
        resolver=resolve_merge, description="Ask for the merge of two records of one person (合并)."
    )
    student_unmerge: StudentMergePayload = strawberry.field(
        resolver=resolve_unmerge, description="Ask for the reversal of a merge (撤销合并)."
    )
    duplicate_dismiss: DuplicatePayload = strawberry.field(
        resolver=resolve_dismiss, description="Say that two records are of two persons (非重复)."
    )
    duplicate_reopen: DuplicatePayload = strawberry.field(
        resolver=resolve_reopen, description="Have a pair looked at anew (重新核对)."
    )
