"""`rosterImport`: a roster (花名册) as XLSX or CSV, checked row by row."""

from __future__ import annotations

import strawberry
from starlette.datastructures import UploadFile
from strawberry.file_uploads import Upload

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.texts import size_text
from archive_store.imports.operations import RosterOutcome, import_roster
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import global_id


@strawberry.input(description="Input of `rosterImport`.")
class RosterImportInput:
    file: Upload = strawberry.field(
        description="XLSX, or CSV in UTF-8 or GB18030 (GraphQL multipart request)."
    )
    dry_run: bool = strawberry.field(default=False, description="Check and report only; nothing is written.")


@strawberry.type(description="What is wrong in one cell.")
class RosterRowError:
    column: str = strawberry.field(description="Header of the column.")
    code: str
    message_zh: str
    message_en: str


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
    change_request_id: strawberry.ID | None = strawberry.field(
        description="The change request that adds the rows once it is approved, where the policy asks for one."
    )


@strawberry.type(description="Result of `rosterImport`.")
class RosterImportPayload:
    report: RosterReport | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(RosterImportPayload)
async def resolve_roster_import(info: Request, input: RosterImportInput) -> RosterImportPayload:  # noqa: A002
    if not isinstance(input.file, UploadFile):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="file",
            detail_zh="须以 multipart 请求上传文件",
            detail_en="send the file as a multipart request",
        )
    limit = info.context.store.settings.roster_size_limit
    content = await input.file.read(limit + 1)
    if len(content) > limit:
        raise RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=size_text(limit))
    outcome = await import_roster(
        info.context.store,
        info.context.viewer,
        content,
        file_name=input.file.filename or "",
        dry_run=input.dry_run,
    )
    return RosterImportPayload(report=_report(outcome))


def _request_id(outcome: RosterOutcome) -> strawberry.ID | None:
    key = outcome.change_request_id
    return None if key is None else strawberry.ID(global_id("ChangeRequest", key))


def _report(outcome: RosterOutcome) -> RosterReport:
    return RosterReport(
        rows=outcome.rows,
        valid=outcome.rows - len(outcome.bad),
        added=outcome.added,
        already_on_record=outcome.already_on_record,
        refused=len(outcome.bad),
        change_request_id=_request_id(outcome),
        bad=[
            RosterBadRow(
                sheet_row=row.sheet_row,
                errors=[
                    RosterRowError(
                        column=error.column,
                        code=error.code,
                        message_zh=error.message.zh,
                        message_en=error.message.en,
                    )
                    for error in row.errors
                ],
            )
            for row in outcome.bad
        ],
    )
