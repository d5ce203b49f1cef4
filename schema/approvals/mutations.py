"""Deciding on change requests, and what a requester does with one's own."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from archive_store.approvals import decisions, requests
from archive_store.approvals.documents import Decision
from archive_store.approvals.routing import ConflictError
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, camel_case, typed_errors, user_error
from schema.nodes import global_id, key_of
from schema.scalars import shown_value


@strawberry.input(description="Input of `changeRequestApprove`.")
class ChangeRequestApproveInput:
    id: strawberry.ID
    comment: str | None = None
    digest: str | None = strawberry.field(
        default=None, description="Of the request as it was seen; it is refused if it was revised since."
    )


@strawberry.input(description="Input of `changeRequestReject`.")
class ChangeRequestRejectInput:
    id: strawberry.ID
    comment: str = strawberry.field(description="Why it is refused.")


@strawberry.input(description="Input of `changeRequestReturn`.")
class ChangeRequestReturnInput:
    id: strawberry.ID
    comment: str = strawberry.field(description="What is missing.")


@strawberry.input(description="Input of `changeRequestAddSigner`.")
class ChangeRequestAddSignerInput:
    id: strawberry.ID
    person_id: strawberry.ID
    comment: str = strawberry.field(description="Why their signature is asked for.")


@strawberry.input(description="Input of `changeRequestWithdraw`.")
class ChangeRequestWithdrawInput:
    id: strawberry.ID


@strawberry.input(description="Input of `changeRequestSubmit`.")
class ChangeRequestSubmitInput:
    id: strawberry.ID


@strawberry.input(description="Input of `changeRequestsApprove`.")
class ChangeRequestsApproveInput:
    ids: list[strawberry.ID]
    comment: str | None = None


@strawberry.type(description="A field that changed since it was asked to change.")
class FieldConflict:
    field: str
    before: JSON | None = strawberry.field(description="When it was asked for.")
    current: JSON | None = strawberry.field(description="Now.")
    requested: JSON | None = strawberry.field(description="As it was to become.")


@strawberry.type(description="Result of a decision on a change request.")
class ChangeRequestPayload:
    change_request: ChangeRequest | None = None
    conflicts: list[FieldConflict] = strawberry.field(
        default_factory=list, description="Both changes, where the record changed meanwhile."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="What became of one request of a batch.")
class ChangeRequestResult:
    id: strawberry.ID
    change_request: ChangeRequest | None
    errors: list[UserError]


@strawberry.type(description="Result of a batch; one that is refused leaves the others decided.")
class ChangeRequestsPayload:
    results: list[ChangeRequestResult] = strawberry.field(default_factory=list)
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _decide(
    info: Request, node_id: str, decision: Decision, comment: str | None, digest: str | None = None
) -> ChangeRequestPayload:
    context = info.context
    key = key_of(node_id, "ChangeRequest", field="id")
    try:
        await decisions.decide(context.store, context.viewer, key, decision, comment=comment, digest=digest)
    except ConflictError as conflict:
        return ChangeRequestPayload(
            change_request=await context.loaders.change_requests.load(key),
            conflicts=[
                FieldConflict(
                    field=camel_case(held.field) or "",
                    before=shown_value(held.before),
                    current=shown_value(held.current),
                    requested=shown_value(held.requested),
                )
                for held in conflict.conflicts
            ],
            errors=[user_error(conflict)],
        )
    return ChangeRequestPayload(change_request=await context.loaders.change_requests.load(key))


@typed_errors(ChangeRequestPayload)
async def resolve_approve(info: Request, input: ChangeRequestApproveInput) -> ChangeRequestPayload:  # noqa: A002
    return await _decide(info, input.id, Decision.APPROVED, input.comment, input.digest)


@typed_errors(ChangeRequestPayload)
async def resolve_reject(info: Request, input: ChangeRequestRejectInput) -> ChangeRequestPayload:  # noqa: A002
    return await _decide(info, input.id, Decision.REJECTED, input.comment)


@typed_errors(ChangeRequestPayload)
async def resolve_return(info: Request, input: ChangeRequestReturnInput) -> ChangeRequestPayload:  # noqa: A002
    return await _decide(info, input.id, Decision.RETURNED, input.comment)


@typed_errors(ChangeRequestsPayload)
async def resolve_approve_each(info: Request, input: ChangeRequestsApproveInput) -> ChangeRequestsPayload:  # noqa: A002
    context = info.context
    keys = [key_of(node_id, "ChangeRequest", field="ids") for node_id in input.ids]
    decided = await decisions.decide_each(
        context.store, context.viewer, keys, Decision.APPROVED, comment=input.comment
    )
    requested = await context.loaders.change_requests.load_many([held.request_id for held in decided])
    return ChangeRequestsPayload(
        results=[
            ChangeRequestResult(
                id=strawberry.ID(global_id("ChangeRequest", held.request_id)),
                change_request=request,
                errors=[user_error(held.refusal)] if held.refusal else [],
            )
            for held, request in zip(decided, requested, strict=True)
        ]
    )


@typed_errors(ChangeRequestPayload)
async def resolve_add_signer(info: Request, input: ChangeRequestAddSignerInput) -> ChangeRequestPayload:  # noqa: A002
    context = info.context
    key = key_of(input.id, "ChangeRequest", field="id")
    person = key_of(input.person_id, "Person", field="personId")
    await decisions.add_signer(context.store, context.viewer, key, person, comment=input.comment)
    return ChangeRequestPayload(change_request=await context.loaders.change_requests.load(key))


@typed_errors(ChangeRequestPayload)
async def resolve_submit(info: Request, input: ChangeRequestSubmitInput) -> ChangeRequestPayload:  # noqa: A002
    key = key_of(input.id, "ChangeRequest", field="id")
    await requests.submit_draft(info.context.store, info.context.viewer, key)
    return ChangeRequestPayload(change_request=await info.context.loaders.change_requests.load(key))


@typed_errors(ChangeRequestPayload)
async def resolve_withdraw(info: Request, input: ChangeRequestWithdrawInput) -> ChangeRequestPayload:  # noqa: A002
    key = key_of(input.id, "ChangeRequest", field="id")
    await requests.withdraw(info.context.store, info.context.viewer, key)
    return ChangeRequestPayload(change_request=await info.context.loaders.change_requests.load(key))
