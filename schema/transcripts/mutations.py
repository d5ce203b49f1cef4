"""`transcriptIssue` and `transcriptRevoke`."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.operations import payload_of, perform
from archive_store.transcripts.operations import TranscriptIssue, TranscriptRevoke, capacity_of, student_of
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.transcripts.loaders import transcript_node
from schema.transcripts.types import Transcript


@strawberry.input(description="Input of `transcriptIssue`.")
class TranscriptIssueInput:
    student_id: strawberry.ID
    purpose: str | None = strawberry.field(
        default=None,
        description="用途, which is not printed. Whoever is not family states one, here or as `Registrar-Purpose`.",
    )


@strawberry.input(description="Input of `transcriptRevoke`.")
class TranscriptRevokeInput:
    id: strawberry.ID
    reason: str | None = strawberry.field(default=None, description="Why (撤销原因); it is needed.")


@strawberry.type(description="Result of `transcriptIssue`.")
class TranscriptIssuePayload:
    transcript: Transcript | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `transcriptRevoke`.")
class TranscriptRevokePayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(TranscriptIssuePayload)
async def resolve_issue(info: Request, input: TranscriptIssueInput) -> TranscriptIssuePayload:  # noqa: A002
    viewer, student_id = info.context.viewer, key_of(input.student_id, "Student", field="studentId")
    told = {
        "transcript_id": ObjectId(),
        "student_id": student_id,
        "capacity": capacity_of(viewer, student_id),
        "purpose": input.purpose or viewer.reading.purpose,
    }
    payload = payload_of(TranscriptIssue, told)
    outcome = await perform(info.context.store, viewer, "transcript.issue", payload)
    return TranscriptIssuePayload(transcript=await transcript_node(info, outcome.result, "transcript"))


@typed_errors(TranscriptRevokePayload)
async def resolve_revoke(info: Request, input: TranscriptRevokeInput) -> TranscriptRevokePayload:  # noqa: A002
    store, viewer = info.context.store, info.context.viewer
    key = key_of(input.id, "Transcript", field="id")
    told = {"transcript_id": key, "student_id": await student_of(store, viewer, key)}
    payload = payload_of(TranscriptRevoke, told)
    outcome = await perform(store, viewer, "transcript.revoke", payload, reason=input.reason)
    request = await request_of(info, outcome.change_request_id)
    return TranscriptRevokePayload(change_request=request, applied=outcome.applied)


@strawberry.type
class TranscriptMutations:
    transcript_issue: TranscriptIssuePayload = strawberry.field(
        resolver=resolve_issue,
        description="Issue a certified transcript (成绩单) of a student whose grades the viewer reads, at once.",
    )
    transcript_revoke: TranscriptRevokePayload = strawberry.field(
        resolver=resolve_revoke, description="Ask for the revocation of a transcript (撤销)."
    )
