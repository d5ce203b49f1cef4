"""`retrievalGrantRequest` and `retrievalGrantRevoke`."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.operations import payload_of, perform
from archive_store.retrieval.operations import RetrievalGrantGive, RetrievalGrantRevoke, ask_for_grant
from archive_store.retrieval.queries import find_grant
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.enums import Secrecy
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.retrieval.types import RetrievalGrant


@strawberry.input(description="Input of `retrievalGrantRequest`. Give a student, a document type, or both.")
class RetrievalGrantRequestInput:
    secrecy: Secrecy
    purpose: str = strawberry.field(description="调阅目的; those who decide are told, and it is recorded.")
    student_id: strawberry.ID | None = None
    document_type: str | None = None
    days: int = strawberry.field(description="How long it shall last, from its approval on.")
    views: int = strawberry.field(description="How many views it shall allow.")


@strawberry.type(description="Result of `retrievalGrantRequest`.")
class RetrievalGrantRequestPayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input(description="Input of `retrievalGrantRevoke`.")
class RetrievalGrantRevokeInput:
    id: strawberry.ID
    reason: str


@strawberry.type(description="Result of `retrievalGrantRevoke`.")
class RetrievalGrantRevokePayload:
    retrieval_grant: RetrievalGrant | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(RetrievalGrantRequestPayload)
async def resolve_retrieval_grant_request(
    info: Request,
    input: RetrievalGrantRequestInput,  # noqa: A002
) -> RetrievalGrantRequestPayload:
    context = info.context
    student = input.student_id
    payload = payload_of(
        RetrievalGrantGive,
        {
            "grant_id": ObjectId(),
            "grantee_id": context.viewer.person_id,
            "grantee_name": context.viewer.name,
            "purpose": input.purpose,
            "student_id": None if student is None else key_of(student, "Student", field="studentId"),
            "document_type": input.document_type,
            "days": input.days,
            "views": input.views,
        },
    )
    outcome = await ask_for_grant(context.store, context.viewer, payload, input.secrecy)
    request = await request_of(info, outcome.change_request_id)
    return RetrievalGrantRequestPayload(change_request=request, applied=outcome.applied)


@typed_errors(RetrievalGrantRevokePayload)
async def resolve_retrieval_grant_revoke(
    info: Request,
    input: RetrievalGrantRevokeInput,  # noqa: A002
) -> RetrievalGrantRevokePayload:
    context = info.context
    key = key_of(input.id, "RetrievalGrant", field="id")
    payload = RetrievalGrantRevoke(grant_id=key)
    await perform(context.store, context.viewer, "retrieval_grant.revoke", payload, reason=input.reason)
    grant = await find_grant(context.store, context.viewer, key)
    return RetrievalGrantRevokePayload(retrieval_grant=grant)
