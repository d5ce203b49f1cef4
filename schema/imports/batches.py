"""A batch step by step: begin, map, check, run, cancel, undo."""

from __future__ import annotations

from dataclasses import asdict

import strawberry
from starlette.datastructures import UploadFile
from strawberry.file_uploads import Upload

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports import batches as store
from archive_store.imports.beginning import BatchTerms, begin, remap
from archive_store.imports.queries import DryRun, dry_run
from archive_store.imports.running import advance_small
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.imports.inputs import (
    ImportBeginInput,
    ImportCheckInput,
    ImportInput,
    ImportMapInput,
    ImportUndoInput,
)
from schema.imports.queries import resolve_import_batch
from schema.imports.types import ImportBatch, ImportRow, import_row
from schema.nodes import key_of


@strawberry.type(description="Result of whatever is done with an import batch.")
class ImportPayload:
    import_batch: ImportBatch | None = None
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="What waits for approval; the batch goes on once it is given."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="What would become of the rows: rows = added + alreadyOnRecord + refused.")
class ImportDryRunCounts:
    rows: int
    added: int
    already_on_record: int
    refused: int
    warned: int = strawberry.field(description="Rows with something worth a look.")
    enters: bool = strawberry.field(description="Whether anything would enter, by the batch's policy.")


@strawberry.type(description="A dry run; nothing is entered.")
class ImportDryRun:
    counts: ImportDryRunCounts | None = strawberry.field(description="With the first page only.")
    told: list[ImportRow] = strawberry.field(description="Rows with errors or warnings.")
    has_more: bool = strawberry.field(description="Whether there are more of them.")


@strawberry.type(description="Result of `importCheck`.")
class ImportCheckPayload:
    report: ImportDryRun | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


def sent_file(file: Upload) -> UploadFile:
    """INVALID_ARGUMENT unless the request was a multipart one with a file."""
    if not isinstance(file, UploadFile):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="file",
            detail_zh="须以 multipart 请求上传文件",
            detail_en="send the file as a multipart request",
        )
    return file


@typed_errors(ImportPayload)
async def resolve_begin(info: Request, input: ImportBeginInput) -> ImportPayload:  # noqa: A002
    file = sent_file(input.file)
    terms = BatchTerms(input.kind, input.policy, input.stage, input.cohort, input.batch)
    batch = await begin(
        info.context.store,
        info.context.viewer,
        file.file,
        file_name=file.filename or "",
        terms=terms,
    )
    return ImportPayload(import_batch=batch)


@typed_errors(ImportPayload)
async def resolve_map(info: Request, input: ImportMapInput) -> ImportPayload:  # noqa: A002
    columns = None if input.columns is None else {held.header: held.column for held in input.columns}
    key = key_of(input.id, "ImportBatch", field="id")
    batch = await remap(info.context.store, info.context.viewer, key, columns, input.policy)
    return ImportPayload(import_batch=batch)


@typed_errors(ImportCheckPayload)
async def resolve_check(info: Request, input: ImportCheckInput) -> ImportCheckPayload:  # noqa: A002
    key = key_of(input.id, "ImportBatch", field="id")
    told = await dry_run(
        info.context.store, info.context.viewer, key, first=input.first, after=input.after_row
    )
    return ImportCheckPayload(report=_report(told))


def _report(told: DryRun) -> ImportDryRun:
    return ImportDryRun(
        counts=None if told.counts is None else ImportDryRunCounts(**asdict(told.counts)),
        told=[import_row(view) for view in told.told.rows],
        has_more=told.told.has_next,
    )


@typed_errors(ImportPayload)
async def resolve_run(info: Request, input: ImportInput) -> ImportPayload:  # noqa: A002
    context, key = info.context, key_of(input.id, "ImportBatch", field="id")
    request_id = await store.ask_for_run(context.store, context.viewer, key)
    if request_id is None:
        await advance_small(context.store, key)
    return ImportPayload(
        import_batch=await resolve_import_batch(info, input.id),
        change_request=await request_of(info, request_id),
    )


@typed_errors(ImportPayload)
async def resolve_cancel(info: Request, input: ImportInput) -> ImportPayload:  # noqa: A002
    key = key_of(input.id, "ImportBatch", field="id")
    await store.cancel(info.context.store, info.context.viewer, key)
    return ImportPayload(import_batch=await resolve_import_batch(info, input.id))


@typed_errors(ImportPayload)
async def resolve_undo(info: Request, input: ImportUndoInput) -> ImportPayload:  # noqa: A002
    context, key = info.context, key_of(input.id, "ImportBatch", field="id")
    request_id = await store.ask_for_undo(context.store, context.viewer, key, input.reason)
    if request_id is None:
        await advance_small(context.store, key)
    return ImportPayload(
        import_batch=await resolve_import_batch(info, input.id),
        change_request=await request_of(info, request_id),
    )
