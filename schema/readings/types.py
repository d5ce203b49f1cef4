"""Access events (查阅记录) of one student, as the family and auditors see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from bson import ObjectId

from archive_store.access import retrieval_grants as stored
from archive_store.access.policy import Withheld
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.paging import foreign_cursor
from archive_store.readings.queries import Access
from schema.audit.proofs import InclusionProof
from schema.context import Request
from schema.directives import directives_of
from schema.enums import Post
from schema.errors import camel_case
from schema.nodes import Connection, connection, global_id, key_of
from schema.readings.loaders import AccessHistoryKey
from schema.scans.types import Scan, note_withheld
from schema.selection import selected_fields


@strawberry.type(description="查阅记录: who looked at which guarded values of one student, and what for.")
class AccessEvent:
    at: datetime = strawberry.field(description="When it was read.")
    actor_name: str = strawberry.field(description="Who read it, by the name they had then.")
    is_own: bool = strawberry.field(description="The viewer read it.")
    by_grant: bool = strawberry.field(description="Read by a retrieval grant (调阅授权).")
    by_team: bool = strawberry.field(description="Read for a crisis team (临时小组).")
    log_index: int | None = strawberry.field(
        description="The entry's place in the audit log, for `inclusionProof`; null until it has one."
    )

    @strawberry.field(description="Posts the reader held then.")
    def actor_posts(self) -> list[Post]:
        return [Post(post) for post in _access(self).actor_posts]

    @strawberry.field(
        description="Fields of the student's record, such as `identityNumber`, `guardians.phone` or "
        "`sanctions.appeal.grounds`."
    )
    def fields(self) -> list[str]:
        return [camel_case(path) or "" for path in _access(self).fields]

    @strawberry.field(description="扫描件 whose content was read.")
    def scans(self, info: Request) -> list[Scan]:
        found = list(_access(self).scans)
        note_withheld(info, found)
        return found  # type: ignore[return-value]

    @strawberry.field(
        description="调阅目的; to the family where it was stated for values of their children alone. Showing it is "
        "recorded as a reading.",
        directives=directives_of(stored.AccessEvent, "purpose"),
    )
    def purpose(self, info: Request) -> str | None:
        access = _access(self)
        if access.why_withheld is not None:
            info.context.withhold({"AccessEvent.purpose": access.why_withheld})
        return access.purpose

    @strawberry.field(description="The audit entry that holds it.")
    def entry_id(self) -> strawberry.ID:
        return strawberry.ID(global_id("AuditEntry", _access(self).entry_id))

    @strawberry.field(description="The entry's number within its record.")
    def entry_sequence(self) -> int:
        return _access(self).sequence

    @strawberry.field(description="The entry's link in the chain.")
    def entry_hash(self) -> str:
        return _access(self).hash

    @strawberry.field(
        description="存在性证明: that the entry is in the audit log; null until a checkpoint covers it."
    )
    async def proof(self, info: Request) -> InclusionProof | None:
        index = _access(self).log_index
        return None if index is None else await info.context.loaders.audit.proofs.load(index)


def _access(source: Any) -> Access:
    assert isinstance(source, Access)  # noqa: S101
    return source


async def access_connection(
    info: Request, student_id: ObjectId, first: int, after: str | None, include_own: bool
) -> Connection[AccessEvent] | None:
    """Who looked at what of a student, as a connection; null, and a redaction, to whom it is not told."""
    wanted = selected_fields(info, ("edges", "node"))
    key = AccessHistoryKey(
        student_id,
        first,
        None if after is None else _cursor(after),
        include_own,
        any(selection.name == "purpose" for selection in wanted),
    )
    page = await info.context.loaders.access_histories.load(key)
    if page is None:
        info.context.withhold({"Student.accessHistory": Withheld.NOT_PERMITTED})
        return None
    cursors = [global_id("AccessEvent", access.event_id) for access in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


def _cursor(text: str) -> ObjectId:
    try:
        return key_of(text, "AccessEvent", field="after")
    except RegistrarError:
        raise foreign_cursor() from None
