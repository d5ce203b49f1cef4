"""`changeRequest` and `changeRequests`."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals import queries as store
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.enums import RequestStatus
from schema.nodes import Connection, connection, global_id, key_of


@strawberry.input(description="Conditions that all hold.")
class ChangeRequestFilter:
    status: RequestStatus | None = None
    student_id: strawberry.ID | None = None
    awaiting_me: bool = strawberry.field(default=False, description="Only those whose next decision is mine.")


async def resolve_change_request(info: Request, id: strawberry.ID) -> ChangeRequest | None:  # noqa: A002
    """One request; null when there is none to see."""
    key = key_of(id, "ChangeRequest", field="id")
    return await info.context.loaders.change_requests.load(key)


async def request_of(info: Request, key: ObjectId | None) -> ChangeRequest | None:
    """The request that asking for an operation led to; null where it was applied at once."""
    return None if key is None else await info.context.loaders.change_requests.load(key)


async def resolve_change_requests(
    info: Request, first: int = 20, after: str | None = None, where: ChangeRequestFilter | None = None
) -> Connection[ChangeRequest]:
    """Requests the viewer may see, newest first."""
    context = info.context
    chosen = where or ChangeRequestFilter()
    page = await store.list_change_requests(
        context.store,
        context.viewer,
        first=first,
        after=None if after is None else key_of(after, "ChangeRequest", field="after"),
        status=chosen.status,
        target_id=key_of(chosen.student_id, "Student", field="where.studentId")
        if chosen.student_id
        else None,
        awaiting_me=chosen.awaiting_me,
    )
    cursors = [global_id("ChangeRequest", request.key) for request in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]
