"""`retrievalGrants`."""

from __future__ import annotations

import strawberry

from archive_store.retrieval.queries import find_grant, list_grants
from schema.context import Request
from schema.nodes import Connection, connection, global_id, key_of
from schema.retrieval.types import RetrievalGrant


async def resolve_retrieval_grant(info: Request, id: strawberry.ID) -> RetrievalGrant | None:  # noqa: A002
    """One grant; null when there is none to see."""
    key = key_of(id, "RetrievalGrant", field="id")
    return await find_grant(info.context.store, info.context.viewer, key)


async def resolve_retrieval_grants(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[RetrievalGrant]:
    """One's own grants, and for those who decide on them everyone's, newest first."""
    page = await list_grants(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "RetrievalGrant", field="after"),
    )
    cursors = [global_id("RetrievalGrant", grant.key) for grant in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]
