"""Change requests (变更申请) as a viewer may see them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo
from strawberry.scalars import JSON

from archive_store.approvals import documents as stored
from archive_store.approvals.permissions import may_decide, may_withdraw
from archive_store.approvals.queries import RequestContent
from archive_store.approvals.rules import next_tier
from schema.context import Request
from schema.enums import Decision, RequestStatus, Tier
from schema.errors import camel_case
from schema.loaders import ContentKey
from schema.nodes import Node, global_id
from schema.permissions import Permission, permission
from schema.scalars import shown_value


@strawberry.enum(description="What can be done with a change request.")
class ChangeRequestAction(Enum):
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    WITHDRAW = "WITHDRAW"


@strawberry.type(description="审批环节: a decision that was taken.")
class ApprovalStep:
    tier: Tier
    decision: Decision
    decided_by_name: str
    decided_at: datetime
    comment: str | None


@strawberry.type(description="A field as it was and as it is asked to become.")
class RequestedChange:
    field: str
    before: JSON | None = strawberry.field(description="Null where `withheld`.")
    after: JSON | None = strawberry.field(
        description="Null where `withheld`, but not to who asked: they know what they asked for."
    )
    withheld: bool = strawberry.field(description="The viewer may not read this field of this record.")


@strawberry.federation.type(
    keys=["id"],
    authenticated=True,
    description="变更申请: an operation that awaits or had its chain of approval.",
)
class ChangeRequest(Node):
    operation: str
    status: RequestStatus
    chain: list[Tier] = strawberry.field(description="The tiers, in order.")
    requested_by_name: str
    created_at: datetime
    applied_at: datetime | None

    @strawberry.field(description="The record it is about.")
    def target_id(self) -> strawberry.ID:
        request = _request(self)
        return strawberry.ID(global_id(request.target_type, request.target_id))

    @strawberry.field(description="The tier whose decision is awaited.")
    def awaits(self) -> Tier | None:
        return next_tier(_request(self))

    @strawberry.field(description="Decisions taken so far. Comments are for those who see the whole request.")
    async def steps(self, info: Request) -> list[ApprovalStep]:
        request = _request(self)
        sees_text = (await _content(info, request)).sees_text
        return [
            ApprovalStep(
                tier=step.tier,
                decision=step.decision,
                decided_by_name=step.decided_by_name,
                decided_at=step.decided_at,
                comment=step.comment if sees_text else None,
            )
            for step in request.steps
        ]

    @strawberry.field(description="Why it was asked for; null where it could tell of a withheld value.")
    async def reason(self, info: Request) -> str | None:
        return (await _content(info, _request(self))).reason

    @strawberry.field(description="What would change.")
    async def changes(self, info: Request) -> list[RequestedChange]:
        content = await _content(info, _request(self))
        return [
            RequestedChange(
                field=camel_case(change.field) or "",
                before=shown_value(change.before),
                after=shown_value(change.after),
                withheld=change.withheld,
            )
            for change in content.changes
        ]

    @strawberry.field(description="Whether the viewer may, and else why not.")
    def viewer_can(self, info: Request, action: ChangeRequestAction) -> Permission:
        request, viewer = _request(self), info.context.viewer
        withdraws = action is ChangeRequestAction.WITHDRAW
        return permission(may_withdraw(viewer, request) if withdraws else may_decide(viewer, request))

    @classmethod
    async def resolve_reference(cls, info: Request, key: ObjectId) -> stored.ChangeRequest | None:
        return await info.context.loaders.change_requests.load(key)

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.ChangeRequest)


def _request(source: Any) -> stored.ChangeRequest:
    assert isinstance(source, stored.ChangeRequest)  # noqa: S101
    return source


async def _content(info: Request, request: stored.ChangeRequest) -> RequestContent:
    return await info.context.loaders.request_contents.load(ContentKey(request.key, request))
