"""Audit entries (审计) and notifications (通知) as a viewer may see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from bson import ObjectId
from strawberry.scalars import JSON

from archive_store.audit.notifications import Notification as StoredNotification
from archive_store.audit.queries import HistoryChange, HistoryEntry
from archive_store.foundation.paging import foreign_cursor
from schema.context import Request
from schema.enums import Post
from schema.errors import camel_case
from schema.loaders import HistoryKey
from schema.nodes import Connection, connection, global_id
from schema.scalars import Day, shown_value


@strawberry.type(description="One field's change. Values are null where `withheld`.")
class AuditChange:
    withheld: bool = strawberry.field(description="The viewer may not read this field.")

    @strawberry.field(description="Field name, as the type spells it.")
    def field(self) -> str:
        return camel_case(_change(self).field) or ""

    @strawberry.field(description="The value before; null where there was none.")
    def before(self) -> JSON | None:
        return JSON(shown_value(_change(self).before))

    @strawberry.field(description="The value after; null where it was cleared.")
    def after(self) -> JSON | None:
        return JSON(shown_value(_change(self).after))


@strawberry.type(description="审计条目: who did what, when and why.")
class AuditEntry:
    sequence: int = strawberry.field(description="1, 2, 3 … within the record.")
    at: datetime
    actor_name: str
    operation: str
    kind: str = strawberry.field(description="What happened, such as `student:update`.")
    reason: str | None = strawberry.field(description="Why; null where it could tell of a withheld value.")
    changes: list[AuditChange]
    effective_from: Day | None = strawberry.field(
        description="The day from which the changes hold, where one was named; else that of the entry."
    )
    hash: str = strawberry.field(description="The entry's link in the chain.")

    @strawberry.field(description="Posts the actor held then.")
    def actor_posts(self) -> list[Post]:
        return [Post(post) for post in _entry(self).actor_posts]

    @strawberry.field(description="The change request that was applied, if one was.")
    def change_request_id(self) -> strawberry.ID | None:
        key = _entry(self).change_request_id
        return None if key is None else strawberry.ID(global_id("ChangeRequest", key))


@strawberry.type(description="通知: that something happened, never what a value is.")
class Notification:
    kind: str = strawberry.field(description="What happened, such as `change_request:awaits_decision`.")
    at: datetime

    @strawberry.field(description="The same wherever it is told, so that it can be known again.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(global_id("Notification", _notification(self).id))

    @strawberry.field(description="What it is about; null unless the viewer may see that now.")
    async def subject_id(self, info: Request) -> strawberry.ID | None:
        subject = _notification(self).subject
        if not await info.context.loaders.visible_subjects.load(subject):
            return None
        return strawberry.ID(global_id(subject.type, subject.id))


def _notification(source: Any) -> StoredNotification:
    assert isinstance(source, StoredNotification)  # noqa: S101
    return source


def _entry(source: Any) -> HistoryEntry:
    assert isinstance(source, HistoryEntry)  # noqa: S101
    return source


def _change(source: Any) -> HistoryChange:
    assert isinstance(source, HistoryChange)  # noqa: S101
    return source


async def audit_connection(
    info: Request, student_id: ObjectId, first: int, after: str | None
) -> Connection[AuditEntry] | None:
    """The history of a student as a connection; the cursor is the sequence number."""
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 10):
        raise foreign_cursor()
    key = HistoryKey(student_id, first, None if after is None else int(after))
    page = await info.context.loaders.histories.load(key)
    if page is None:
        return None
    cursors = [str(entry.sequence) for entry in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]
