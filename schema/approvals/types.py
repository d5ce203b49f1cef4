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
from archive_store.approvals.contents import RequestContent
from archive_store.approvals.permissions import may_decide, may_revise, may_withdraw
from schema.approvals.steps import ApprovalStep, steps_of
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.enums import Post, RequestStatus, Tier
from schema.errors import camel_case
from schema.loaders import ContentKey
from schema.nodes import Connection, Node, global_id
from schema.permissions import Permission, permission
from schema.scalars import Day, shown_value
from schema.scans.types import Scan


@strawberry.enum(description="What can be done with a change request.")
class ChangeRequestAction(Enum):
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    RETURN = "RETURN"
    ADD_SIGNER = "ADD_SIGNER"
    REVISE = "REVISE"
    WITHDRAW = "WITHDRAW"


@strawberry.type(description="A field as it was and as it is asked to become.")
class RequestedChange:
    field: str
    before: JSON | None = strawberry.field(description="Null where `withheld`.")
    after: JSON | None = strawberry.field(
        description="Null where `withheld`, but not to who asked: they know what they asked for."
    )
    withheld: bool = strawberry.field(description="The viewer may not read this field of this record.")


def _shown(field: str, value: Any) -> Any:
    """A stored value as it is shown: whom a request is about by global id."""
    if field == "student_id" and value is not None:
        return global_id("Student", ObjectId(value))
    return shown_value(value)


def requested_changes(content: RequestContent) -> list[RequestedChange]:
    """The changes as they are shown."""
    return [
        RequestedChange(
            field=camel_case(change.field) or "",
            before=_shown(change.field, change.before),
            after=_shown(change.field, change.after),
            withheld=change.withheld,
        )
        for change in content.changes
    ]


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
    effective_from: Day | None = strawberry.field(
        description="The day from which it holds: one to come, or of a correction one past."
    )
    due_at: datetime | None = strawberry.field(description="When the awaited step has to be signed.")
    escalated_at: datetime | None = strawberry.field(
        description="Since when the next tier may sign in the stead of those who let the time pass."
    )
    blocked_at: datetime | None = strawberry.field(
        description="When its day came and it could not be applied, since the record had changed."
    )
    round: int = strawberry.field(description="Counts its versions from 1; signatures hold for one.")
    digest: str = strawberry.field(description="Of what is asked for; give it back when deciding.")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="The record it is about.")
    def target_id(self) -> strawberry.ID:
        request = _request(self)
        return strawberry.ID(global_id(request.target_type, request.target_id))

    @strawberry.field(description="The tier whose decision is awaited.")
    def awaits(self) -> Tier | None:
        step = _request(self).awaited_step
        return step.tier if step else None

    @strawberry.field(description="Whether the awaited step is late.")
    def is_overdue(self, info: Request) -> bool:
        due = _request(self).due_at
        return due is not None and due <= info.context.store.clock.now()

    @strawberry.field(description="The posts whose signature is awaited.")
    def awaits_posts(self) -> list[Post]:
        request = _request(self)
        return list(request.awaited_posts) if request.awaited_step else []

    @strawberry.field(description="The person whose added signature (加签) is awaited.")
    def awaits_person_name(self) -> str | None:
        step = _request(self).awaited_step
        return step.person_name if step else None

    @strawberry.field(description="材料: the scans it rests on, as far as they may be seen.")
    async def evidence(self, info: Request) -> list[Scan]:
        papers = [paper.scan_id for paper in _request(self).evidence]
        seen = await info.context.loaders.scans.load_many(papers)
        return [view for view in seen if view is not None]  # type: ignore[misc]

    @strawberry.field(description="Decisions taken so far. Comments are for those who see the whole request.")
    async def steps(self, info: Request) -> list[ApprovalStep]:
        request = _request(self)
        return steps_of(request, sees_text=(await _content(info, request)).sees_text)

    @strawberry.field(description="Why it was asked for; null where it could tell of a withheld value.")
    async def reason(self, info: Request) -> str | None:
        return (await _content(info, _request(self))).reason

    @strawberry.field(description="What would change.")
    async def changes(self, info: Request) -> list[RequestedChange]:
        return requested_changes(await _content(info, _request(self)))

    @strawberry.field(description="Whether the viewer may, and else why not.")
    def viewer_can(self, info: Request, action: ChangeRequestAction) -> Permission:
        request, viewer = _request(self), info.context.viewer
        own = {ChangeRequestAction.REVISE: may_revise, ChangeRequestAction.WITHDRAW: may_withdraw}
        return permission(own.get(action, may_decide)(viewer, request))

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
