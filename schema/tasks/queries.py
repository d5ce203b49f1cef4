"""`viewer.tasks`, and the one task of a record. Both ask `list_change_requests` what awaits the viewer."""

from __future__ import annotations

from bson import ObjectId

from archive_store.approvals.queries import list_change_requests
from archive_store.foundation.paging import check_page_size
from schema.context import Context, Request
from schema.nodes import Connection, connection, key_of
from schema.tasks.types import Task, decision_task


async def resolve_tasks(info: Request, first: int = 20, after: str | None = None) -> Connection[Task]:
    """A page of what awaits the viewer. A service account never decides, so that nothing awaits it."""
    context = info.context
    check_page_size(first, context.store.settings.page_size_limit)
    key = None if after is None else key_of(after, "Task", field="after")
    if context.viewer.is_service:
        return connection([], [], has_next=False, after=after)  # type: ignore[no-any-return]
    page = await list_change_requests(context.store, context.viewer, first=first, after=key, awaiting_me=True)
    tasks = [decision_task(request) for request in page.rows]
    cursors = [task.id for task in tasks]
    return connection(tasks, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def task_about(context: Context, request_id: ObjectId) -> Task | None:
    """The task of deciding on this request; None unless it awaits the viewer now."""
    # The list goes from new to old: the first one up to this key is the one itself, or it does not await them.
    page = await list_change_requests(
        context.store, context.viewer, first=1, after=_next_key(request_id), awaiting_me=True
    )
    found = [request for request in page.rows if request.key == request_id]
    return decision_task(found[0]) if found else None


def _next_key(key: ObjectId) -> ObjectId:
    return ObjectId((int.from_bytes(key.binary) + 1).to_bytes(12))
