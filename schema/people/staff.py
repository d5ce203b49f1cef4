"""`staff`: the directory of those who hold a post."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from archive_store.people import queries as store
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.enums import Post
from schema.nodes import Connection, Node, connection, global_id, key_of


@strawberry.type(name="Person", description="工作人员: who holds a post today.")
class StaffMember(Node):
    name: str
    posts: list[Post]
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, store.StaffMember)


async def resolve_staff(
    info: Request, first: int = 20, after: str | None = None, post: Post | None = None
) -> Connection[StaffMember]:
    """Holders of posts, to those who hold one themselves."""
    page = await store.list_staff(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "Person", field="after"),
        post=post,
    )
    cursors = [global_id("Person", member.id) for member in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]
