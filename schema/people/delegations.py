"""Delegations (代理审批): `delegations`, `delegationGive`, `delegationEnd`."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.approvals.operations import payload_of, perform
from archive_store.people import delegations as stored
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.enums import Post
from schema.errors import UserError, typed_errors
from schema.nodes import Connection, Node, connection, global_id, key_of
from schema.scalars import Day


@strawberry.type(description="委托: who signs in whose seat, from day to day.")
class Delegation(Node):
    delegator_name: str
    delegate_name: str
    post: Post
    operations: list[str] | None = strawberry.field(description="Of these operations; null: of all.")
    valid_from: Day
    valid_to: Day = strawberry.field(description="The last day.")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.Delegation)


@strawberry.input(description="Input of `delegationGive`.")
class DelegationGiveInput:
    delegate_id: strawberry.ID = strawberry.field(description="The person, by global id.")
    post: Post
    operations: list[str] | None = None
    valid_from: Day
    valid_to: Day


@strawberry.input(description="Input of `delegationEnd`.")
class DelegationEndInput:
    id: strawberry.ID


@strawberry.type(description="Result of a change of a delegation.")
class DelegationPayload:
    delegation_id: strawberry.ID | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


async def resolve_delegations(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[Delegation]:
    """Those from and to the viewer, newest first."""
    page = await stored.list_delegations(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "Delegation", field="after"),
    )
    cursors = [global_id("Delegation", held.key) for held in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


@typed_errors(DelegationPayload)
async def resolve_delegation_give(info: Request, input: DelegationGiveInput) -> DelegationPayload:  # noqa: A002
    key = ObjectId()
    payload = payload_of(
        stored.DelegationGive,
        {
            "delegation_id": key,
            "delegate_id": key_of(input.delegate_id, "Person", field="delegateId"),
            "post": input.post,
            "operations": input.operations,
            "valid_from": input.valid_from,
            "valid_to": input.valid_to,
        },
    )
    await perform(info.context.store, info.context.viewer, "delegation.give", payload)
    return DelegationPayload(delegation_id=strawberry.ID(global_id("Delegation", key)))


@typed_errors(DelegationPayload)
async def resolve_delegation_end(info: Request, input: DelegationEndInput) -> DelegationPayload:  # noqa: A002
    key = key_of(input.id, "Delegation", field="id")
    payload = stored.DelegationEnd(delegation_id=key)
    await perform(info.context.store, info.context.viewer, "delegation.end", payload)
    return DelegationPayload(delegation_id=input.id)
