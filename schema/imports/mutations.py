"""What is done with rosters (花名册): a small one in one call, and any in steps, as a batch."""

from __future__ import annotations

import strawberry
from bson import ObjectId
from strawberry.file_uploads import Upload

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.texts import size_text
from archive_store.imports.operations import RosterOutcome, import_roster
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.imports.batches import (
    ImportCheckPayload,
    ImportPayload,
    resolve_begin,
    resolve_cancel,
    resolve_check,
    resolve_map,
    resolve_run,
    resolve_undo,
    sent_file,
)
from schema.imports.types import RosterRowError, cell_reports
from schema.nodes import global_id


@strawberry.input(description="Input of `rosterImport`.")
class RosterImportInput:
    file: Upload = strawberry.field(
        description="XLSX, or CSV in UTF-8 or GB18030 (GraphQL multipart request)."
    )
    dry_run: bool = strawberry.field(default=False, description="Check and report only; nothing is written.")


@strawberry.type(description="A row that was refused.")
class RosterBadRow:
    sheet_row: int = strawberry.field(description="Row number as the spreadsheet shows it.")
    errors: list[RosterRowError]


@strawberry.type(description="Every row accounted for: rows = added + alreadyOnRecord + refused.")
class RosterReport:
    rows: int
    valid: int = strawberry.field(description="Rows without an error.")
    added: int = strawberry.field(description="Rows that became records (in a dry run: would become).")
    already_on_record: int = strawberry.field(description="Rows of students on record; these are left alone.")
    refused: int
    bad: list[RosterBadRow]
    import_batch_id: strawberry.ID | None = strawberry.field(
        description="The batch that it became, where rows are added."
    )
    change_request_id: strawberry.ID | None = strawberry.field(
        description="The change request that adds the rows once it is approved, where the policy asks for one."
    )


@strawberry.type(description="Result of `rosterImport`.")
class RosterImportPayload:
    report: RosterReport | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(RosterImportPayload)
async def resolve_roster_import(info: Request, input: RosterImportInput) -> RosterImportPayload:  # noqa: A002
    file = sent_file(input.file)
    limit = info.context.store.settings.roster_size_limit
    content = await file.read(limit + 1)
    if len(content) > limit:
        raise RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=size_text(limit))
    outcome = await import_roster(
        info.context.store,
        info.context.viewer,
        content,
        file_name=file.filename or "",
        dry_run=input.dry_run,
    )
    return RosterImportPayload(report=_report(outcome))


def _id(type_name: str, key: ObjectId | None) -> strawberry.ID | None:
    return None if key is None else strawberry.ID(global_id(type_name, key))


def _report(outcome: RosterOutcome) -> RosterReport:
    return RosterReport(
        rows=outcome.rows,
        valid=outcome.rows - len(outcome.bad),
        added=outcome.added,
        already_on_record=outcome.already_on_record,
        refused=len(outcome.bad),
        import_batch_id=_id("ImportBatch", outcome.batch_id),
        change_request_id=_id("ChangeRequest", outcome.change_request_id),
        bad=[
            RosterBadRow(
                sheet_row=row.sheet_row,
                errors=cell_reports(row.errors),
            )
            for row in outcome.bad
        ],
    )


@strawberry.type
class ImportMutations:
    """Imports."""

    roster_import: RosterImportPayload = strawberry.field(
        resolver=resolve_roster_import,
        description="Import a roster (花名册) of 5,000 rows at most in one call; good rows enter, bad ones are told.",
    )
    import_begin: ImportPayload = strawberry.field(
        resolver=resolve_begin, description="Send a roster; nothing of it enters yet (上传花名册)."
    )
    import_map: ImportPayload = strawberry.field(
        resolver=resolve_map, description="Say which column is which, or by which policy to run (列对应)."
    )
    import_check: ImportCheckPayload = strawberry.field(
        resolver=resolve_check, description="What would become of the rows (试运行)."
    )
    import_run: ImportPayload = strawberry.field(
        resolver=resolve_run, description="Let it run, or ask for the approval of it (导入)."
    )
    import_cancel: ImportPayload = strawberry.field(
        resolver=resolve_cancel,
        description="Stop it: what entered stays, or by FAIL is taken out again (取消).",
    )
    import_undo: ImportPayload = strawberry.field(
        resolver=resolve_undo,
        description="Ask to take all of it out again; refused where something depends on it (整批撤销).",
    )
