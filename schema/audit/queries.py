"""`notifications` and `auditEntries`."""

from __future__ import annotations

from datetime import UTC, datetime

import strawberry
from bson import ObjectId

from archive_store.audit.notifications import list_notifications
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.unit_of_work import Subject
from archive_store.oversight.queries import EntryFilter, search_entries
from schema.audit.types import AuditEntry, Notification
from schema.context import Request
from schema.enums import AuditSubjectType
from schema.nodes import Connection, connection, global_id, key_of, parse_global_id


@strawberry.input(description="Conditions that all hold: who, what, when and which record, never a value.")
class AuditEntryFilter:
    subject_id: strawberry.ID | None = strawberry.field(
        default=None, description="About this record, of any type that an entry can be about."
    )
    subject_type: AuditSubjectType | None = None
    actor_id: strawberry.ID | None = strawberry.field(default=None, description="The person who did it.")
    operation: str | None = strawberry.field(default=None, description="Such as `student.update`.")
    kind: str | None = strawberry.field(default=None, description="Such as `student:status:suspend`.")
    change_request_id: strawberry.ID | None = strawberry.field(
        default=None, description="What applying this change request (变更申请) led to."
    )
    from_: datetime | None = strawberry.field(default=None, name="from", description="From this moment on.")
    to: datetime | None = strawberry.field(default=None, description="Before this moment.")


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


async def resolve_audit_entries(
    info: Request, first: int = 20, after: str | None = None, where: AuditEntryFilter | None = None
) -> Connection[AuditEntry]:
    """Entries about all records, for auditors, newest first."""
    context, told = info.context, where or AuditEntryFilter()
    chosen = EntryFilter(
        subject=_subject(told.subject_id),
        subject_type=told.subject_type,
        actor_id=_key(told.actor_id, "Person", "where.actorId"),
        operation=told.operation,
        kind=told.kind,
        change_request_id=_key(told.change_request_id, "ChangeRequest", "where.changeRequestId"),
        since=_moment(told.from_, "where.from"),
        until=_moment(told.to, "where.to"),
    )
    found = await search_entries(context.store, context.viewer, first=first, after=after, where=chosen)
    return connection(  # type: ignore[no-any-return]
        found.page.rows, found.cursors, has_next=found.page.has_next, after=after
    )


def _key(text: str | None, type_name: str, field: str) -> ObjectId | None:
    return None if text is None else key_of(text, type_name, field=field)


def _subject(text: str | None) -> Subject | None:
    """The record of a global id; NOT_FOUND for what no entry can be about."""
    if text is None:
        return None
    try:
        name, key = parse_global_id(text)
        return Subject(AuditSubjectType(name).value, key)
    except (RegistrarError, ValueError):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="where.subjectId") from None


def _moment(told: datetime | None, field: str) -> datetime | None:
    """In UTC, as which a moment without an offset is taken."""
    try:
        return told and (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        detail = {"detail_zh": "时间超出范围", "detail_en": "the moment is out of range"}
        raise RegistrarError(ErrorCode.INVALID_ARGUMENT, field=field, **detail) from None
