"""Acknowledging, ratifying and reversing emergency actions. Executing one is beside the operation's own mutation."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals import emergencies
from schema.approvals.emergency_types import EmergencyAction
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of


@strawberry.input(description="Input of `emergencyAcknowledge`.")
class EmergencyAcknowledgeInput:
    id: strawberry.ID


@strawberry.input(description="Input of `emergencyRatify`.")
class EmergencyRatifyInput:
    id: strawberry.ID
    comment: str | None = None


@strawberry.input(description="Input of `emergencyReverse`.")
class EmergencyReverseInput:
    id: strawberry.ID
    comment: str = strawberry.field(description="Why it is undone.")


@strawberry.type(description="Result of executing an emergency action, or of a step on one.")
class EmergencyPayload:
    emergency_action: EmergencyAction | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


async def emergency_payload(info: Request, key: ObjectId) -> EmergencyPayload:
    """The action as the viewer may see it now."""
    return EmergencyPayload(emergency_action=await info.context.loaders.emergency_actions.load(key))


@typed_errors(EmergencyPayload)
async def resolve_acknowledge(info: Request, input: EmergencyAcknowledgeInput) -> EmergencyPayload:  # noqa: A002
    key = key_of(input.id, "EmergencyAction", field="id")
    await emergencies.acknowledge(info.context.store, info.context.viewer, key)
    return await emergency_payload(info, key)


@typed_errors(EmergencyPayload)
async def resolve_ratify(info: Request, input: EmergencyRatifyInput) -> EmergencyPayload:  # noqa: A002
    key = key_of(input.id, "EmergencyAction", field="id")
    await emergencies.ratify(info.context.store, info.context.viewer, key, comment=input.comment)
    return await emergency_payload(info, key)


@typed_errors(EmergencyPayload)
async def resolve_reverse(info: Request, input: EmergencyReverseInput) -> EmergencyPayload:  # noqa: A002
    key = key_of(input.id, "EmergencyAction", field="id")
    await emergencies.reverse(info.context.store, info.context.viewer, key, comment=input.comment)
    return await emergency_payload(info, key)
