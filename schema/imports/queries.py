"""`importBatch` and `importBatches`."""

from __future__ import annotations

import strawberry

from archive_store.imports.queries import batches_by_id, list_batches
from schema.context import Request
from schema.imports.enums import ImportBatchStatus
from schema.imports.types import ImportBatch
from schema.nodes import Connection, connection, global_id, key_of


async def resolve_import_batch(info: Request, id: strawberry.ID) -> ImportBatch | None:  # noqa: A002
    """One batch; null when there is none to see."""
    key = key_of(id, "ImportBatch", field="id")
    (batch,) = await batches_by_id(info.context.store, info.context.viewer, [key])
    return batch


async def resolve_import_batches(
    info: Request, first: int = 20, after: str | None = None, status: ImportBatchStatus | None = None
) -> Connection[ImportBatch]:
    """Batches, newest first."""
    page = await list_batches(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "ImportBatch", field="after"),
        status=status,
    )
    cursors = [global_id("ImportBatch", batch.key) for batch in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


@strawberry.type
class ImportQueries:
    """Read of imports."""

    import_batch: ImportBatch | None = strawberry.field(
        resolver=resolve_import_batch, description="导入批次 by id, for those who import."
    )
    import_batches: Connection[ImportBatch] = strawberry.field(
        resolver=resolve_import_batches, description="导入批次, for those who import, newest first."
    )
