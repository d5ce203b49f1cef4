"""Legal holds (冻结), disposal batches (销毁批次) and completeness (档案完整率)."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.preservation import completeness
from archive_store.preservation import documents as stored
from archive_store.preservation.permissions import may_cancel, may_release
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.enums import BatchStatus, RetentionClass
from schema.nodes import Connection, Node, global_id
from schema.permissions import Permission, permission
from schema.scalars import Day
from schema.scans.types import Scan, note_withheld


@strawberry.enum(description="What can be asked for about a legal hold.")
class LegalHoldAction(Enum):
    RELEASE = "RELEASE"


@strawberry.enum(description="What can be done with a disposal batch.")
class DisposalBatchAction(Enum):
    CANCEL = "CANCEL"


@strawberry.type(description="冻结: scans of one student that must not be disposed of until it is released.")
class LegalHold(Node):
    placed_by_name: str
    created_at: datetime
    released_at: datetime | None
    released_by_name: str | None
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="Why it was placed; for a stated purpose only.")
    async def reason(self, info: Request) -> str | None:
        return await info.context.loaders.hold_reasons.load(_hold(self).key)

    @strawberry.field(description="Whose scans they are.")
    def student_id(self) -> strawberry.ID:
        return strawberry.ID(global_id("Student", _hold(self).student_id))

    @strawberry.field(description="The scans, as far as they are in sight.")
    async def scans(self, info: Request) -> list[Scan]:
        seen = await info.context.loaders.scans.load_many(_hold(self).scan_ids)
        views = [view for view in seen if view is not None]
        note_withheld(info, views)
        return views  # type: ignore[return-value]

    @strawberry.field(description="Whether the viewer may ask for it, and else why not.")
    async def viewer_can(self, info: Request, action: LegalHoldAction) -> Permission:
        context = info.context
        return permission(await may_release(context.store, context.viewer, _hold(self)))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.LegalHold)


def _hold(source: Any) -> stored.LegalHold:
    assert isinstance(source, stored.LegalHold)  # noqa: S101
    return source


@strawberry.type(description="A scan that is due for disposal, and why.")
class DisposalItem:
    document_type: str
    retention: RetentionClass = strawberry.field(description="By the table in force.")
    filed_on: Day
    due_on: Day = strawberry.field(description="The first day on which it may be disposed of.")

    @strawberry.field(description="The student whose archive file it is in.")
    def student_id(self) -> strawberry.ID:
        return strawberry.ID(global_id("Student", _item(self).student_id))

    @strawberry.field(description="The scan, or the stub of it.")
    async def scan(self, info: Request) -> Scan | None:
        view = await info.context.loaders.scans.load(_item(self).scan_id)
        if view is not None:
            note_withheld(info, [view])
        return view  # type: ignore[return-value]


def _item(source: Any) -> stored.DisposalItem:
    assert isinstance(source, stored.DisposalItem)  # noqa: S101
    return source


@strawberry.type(description="销毁批次: scans whose retention had run out on a day.")
class DisposalBatch(Node):
    status: BatchStatus
    table_version: int = strawberry.field(
        description="Version of the retention table by which they were due."
    )
    due_by: Day = strawberry.field(description="The day on which they were due.")
    items: list[DisposalItem]
    proposed_by_name: str
    reason: str
    created_at: datetime
    closed_at: datetime | None
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="Whether the viewer may, and else why not.")
    async def viewer_can(self, info: Request, action: DisposalBatchAction) -> Permission:
        context = info.context
        assert isinstance(self, stored.DisposalBatch)  # noqa: S101
        return permission(await may_cancel(context.store, context.viewer, self))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.DisposalBatch)


@strawberry.type(description="An archive file (案卷) that lacks documents.")
class IncompleteArchiveFile:
    missing: list[str] = strawberry.field(
        description="The document types, as far as the viewer may know of them."
    )

    @strawberry.field(description="The student whose archive file it is.")
    def student_id(self) -> strawberry.ID:
        assert isinstance(self, completeness.IncompleteFile)  # noqa: S101
        return strawberry.ID(global_id("Student", ObjectId(self.student_id)))


@strawberry.type(
    description="档案完整率: of students of whom documents are required, how many files have them all."
)
class ArchiveCompletenessRate:
    students: int
    complete: int
    rate: float | None = strawberry.field(description="From 0 to 1; null where there are no such students.")
