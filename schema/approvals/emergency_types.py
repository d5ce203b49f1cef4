"""Emergency actions (应急处置) as a viewer may see them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from archive_store.approvals import emergency_documents as stored
from archive_store.approvals.contents import RequestContent
from archive_store.approvals.permissions import may_acknowledge, may_ratify, may_reverse
from schema.approvals.types import RequestedChange, requested_changes
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.enums import EmergencyStatus, Post
from schema.loaders import EmergencyKey
from schema.nodes import Connection, Node, global_id
from schema.permissions import Permission, permission


@strawberry.enum(description="What can be done with an emergency action.")
class EmergencyStep(Enum):
    ACKNOWLEDGE = "ACKNOWLEDGE"
    RATIFY = "RATIFY"
    REVERSE = "REVERSE"


_PERMISSIONS = {
    EmergencyStep.ACKNOWLEDGE: may_acknowledge,
    EmergencyStep.RATIFY: may_ratify,
    EmergencyStep.REVERSE: may_reverse,
}


@strawberry.type(description="签收: that a post knows of an emergency action.")
class EmergencyReceipt:
    post: Post
    acknowledged_by_name: str
    on_behalf_of_name: str | None = strawberry.field(description="In whose seat a delegate (受托人) did.")
    acknowledged_at: datetime


@strawberry.type(description="The ratification (追认) or the reversal (撤销).")
class EmergencyRuling:
    post: Post
    decided_by_name: str
    on_behalf_of_name: str | None = strawberry.field(description="In whose seat a delegate (受托人) did.")
    decided_at: datetime
    comment: str | None = strawberry.field(description="For those who see the whole action.")


@strawberry.type(description="应急处置: an operation executed at once, to be ratified or reversed.")
class EmergencyAction(Node):
    operation: str
    status: EmergencyStatus
    executed_by_name: str
    executed_at: datetime
    due_at: datetime = strawberry.field(description="By when it is to be ratified or reversed.")
    escalated_at: datetime | None = strawberry.field(
        description="When the principal was told that it was not."
    )
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="The record it is about.")
    def target_id(self) -> strawberry.ID:
        action = _action(self)
        return strawberry.ID(global_id(action.target_type, action.target_id))

    @strawberry.field(description="Who acknowledged it, in order.")
    def receipts(self) -> list[EmergencyReceipt]:
        return [
            EmergencyReceipt(
                post=receipt.post,
                acknowledged_by_name=receipt.acknowledged_by_name,
                on_behalf_of_name=receipt.for_person_name,
                acknowledged_at=receipt.acknowledged_at,
            )
            for receipt in _action(self).receipts
        ]

    @strawberry.field(description="How it was decided; null while it is not.")
    async def ruling(self, info: Request) -> EmergencyRuling | None:
        action = _action(self)
        held = action.ruling
        if held is None:
            return None
        sees_text = (await _content(info, action)).sees_text
        return EmergencyRuling(
            post=held.post,
            decided_by_name=held.decided_by_name,
            on_behalf_of_name=held.for_person_name,
            decided_at=held.decided_at,
            comment=held.comment if sees_text else None,
        )

    @strawberry.field(description="Why it was executed; null where it could tell of a withheld value.")
    async def reason(self, info: Request) -> str | None:
        return (await _content(info, _action(self))).reason

    @strawberry.field(description="What it changed.")
    async def changes(self, info: Request) -> list[RequestedChange]:
        return requested_changes(await _content(info, _action(self)))

    @strawberry.field(description="Whether the viewer may, and else why not.")
    def viewer_can(self, info: Request, action: EmergencyStep) -> Permission:
        return permission(_PERMISSIONS[action](info.context.viewer, _action(self)))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.EmergencyAction)


def _action(source: Any) -> stored.EmergencyAction:
    assert isinstance(source, stored.EmergencyAction)  # noqa: S101
    return source


async def _content(info: Request, action: stored.EmergencyAction) -> RequestContent:
    return await info.context.loaders.emergency_contents.load(EmergencyKey(action.key, action))
