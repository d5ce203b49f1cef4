"""`emergencyAction` and `emergencyActions`."""

from __future__ import annotations

import strawberry

from archive_store.approvals.emergency_queries import list_emergency_actions
from schema.approvals.emergency_types import EmergencyAction
from schema.context import Request
from schema.enums import EmergencyStatus
from schema.nodes import Connection, connection, global_id, key_of


@strawberry.input(description="Conditions that all hold.")
class EmergencyActionFilter:
    status: EmergencyStatus | None = None
    overdue: bool | None = strawberry.field(
        default=None, description="Whether it was neither ratified nor reversed in time."
    )


async def resolve_emergency_action(info: Request, id: strawberry.ID) -> EmergencyAction | None:  # noqa: A002
    """One action; null when there is none to see."""
    key = key_of(id, "EmergencyAction", field="id")
    return await info.context.loaders.emergency_actions.load(key)


async def resolve_emergency_actions(
    info: Request, first: int = 20, after: str | None = None, where: EmergencyActionFilter | None = None
) -> Connection[EmergencyAction]:
    """Actions the viewer may see, newest first."""
    context = info.context
    chosen = where or EmergencyActionFilter()
    page = await list_emergency_actions(
        context.store,
        context.viewer,
        first=first,
        after=None if after is None else key_of(after, "EmergencyAction", field="after"),
        status=chosen.status,
        is_overdue=chosen.overdue,
    )
    cursors = [global_id("EmergencyAction", action.key) for action in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]
