"""`legalHolds`, `disposalBatches`, `disposalDue`, `incompleteArchiveFiles` and `archiveCompletenessRate`."""

from __future__ import annotations

import strawberry

from archive_store.preservation import completeness
from archive_store.preservation import queries as store
from archive_store.preservation.due import disposal_due
from schema.context import Request
from schema.nodes import Connection, connection, global_id, key_of
from schema.preservation.types import (
    ArchiveCompletenessRate,
    DisposalBatch,
    DisposalItem,
    IncompleteArchiveFile,
    LegalHold,
)


async def resolve_legal_hold(info: Request, id: strawberry.ID) -> LegalHold | None:  # noqa: A002
    """One hold; null when there is none to see."""
    key = key_of(id, "LegalHold", field="id")
    return await info.context.loaders.legal_holds.load(key)


async def resolve_legal_holds(
    info: Request, first: int = 20, after: str | None = None, in_force: bool | None = None
) -> Connection[LegalHold]:
    """Holds, newest first."""
    page = await store.list_holds(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "LegalHold", field="after"),
        in_force=in_force,
    )
    cursors = [global_id("LegalHold", hold.key) for hold in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_disposal_batch(info: Request, id: strawberry.ID) -> DisposalBatch | None:  # noqa: A002
    """One batch; null when there is none to see."""
    key = key_of(id, "DisposalBatch", field="id")
    return await info.context.loaders.disposal_batches.load(key)


async def resolve_disposal_batches(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[DisposalBatch]:
    """Batches, newest first."""
    page = await store.list_batches(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "DisposalBatch", field="after"),
    )
    cursors = [global_id("DisposalBatch", batch.key) for batch in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_disposal_due(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[DisposalItem]:
    """What is due, in the order of filing."""
    page = await disposal_due(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "Scan", field="after"),
    )
    cursors = [global_id("Scan", item.scan_id) for item in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_incomplete_archive_files(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[IncompleteArchiveFile]:
    """Archive files that lack documents."""
    page = await completeness.incomplete_files(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "Student", field="after"),
    )
    cursors = [global_id("Student", file.student_id) for file in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_archive_completeness_rate(info: Request) -> ArchiveCompletenessRate:
    """Of all students in sight."""
    found = await completeness.completeness_rate(info.context.store, info.context.viewer)
    return ArchiveCompletenessRate(students=found.students, complete=found.complete, rate=found.rate)
