"""Deciding on change requests, and withdrawing one's own."""

from __future__ import annotations

import strawberry

from archive_store.approvals import operations
from archive_store.approvals.documents import Decision
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of


@strawberry.input(description="Input of `changeRequestApprove`.")
class ChangeRequestApproveInput:
    id: strawberry.ID
    comment: str | None = None


@strawberry.input(description="Input of `changeRequestReject`.")
class ChangeRequestRejectInput:
    id: strawberry.ID
    comment: str = strawberry.field(description="Why it is refused.")


@strawberry.input(description="Input of `changeRequestWithdraw`.")
class ChangeRequestWithdrawInput:
    id: strawberry.ID


@strawberry.type(description="Result of a decision on a change request.")
class ChangeRequestPayload:
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _decide(
    info: Request, node_id: str, decision: Decision, comment: str | None
) -> ChangeRequestPayload:
    key = key_of(node_id, "ChangeRequest", field="id")
    await operations.decide(info.context.store, info.context.viewer, key, decision, comment=comment)
    return ChangeRequestPayload(change_request=await info.context.loaders.change_requests.load(key))


@typed_errors(ChangeRequestPayload)
async def resolve_approve(info: Request, input: ChangeRequestApproveInput) -> ChangeRequestPayload:  # noqa: A002
    return await _decide(info, input.id, Decision.APPROVED, input.comment)


@typed_errors(ChangeRequestPayload)
async def resolve_reject(info: Request, input: ChangeRequestRejectInput) -> ChangeRequestPayload:  # noqa: A002
    return await _decide(info, input.id, Decision.REJECTED, input.comment)


@typed_errors(ChangeRequestPayload)
async def resolve_withdraw(info: Request, input: ChangeRequestWithdrawInput) -> ChangeRequestPayload:  # noqa: A002
    key = key_of(input.id, "ChangeRequest", field="id")
    await operations.withdraw(info.context.store, info.context.viewer, key)
    return ChangeRequestPayload(change_request=await info.context.loaders.change_requests.load(key))
