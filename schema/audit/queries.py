"""`notifications`."""

from __future__ import annotations

from archive_store.audit.notifications import list_notifications
from schema.audit.types import Notification
from schema.context import Request
from schema.nodes import Connection, connection, global_id, key_of


async def resolve_notifications(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[Notification]:
    """A page of what was told to the viewer."""
    context = info.context
    page = await list_notifications(
        context.store,
        context.viewer,
        first=first,
        after=None if after is None else key_of(after, "Notification", field="after"),
    )
    cursors = [global_id("Notification", notification.id) for notification in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]
