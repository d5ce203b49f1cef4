"""`gradeSheetImport`: the grades of one arrangement from a file (成绩单文件导入)."""

from __future__ import annotations

import strawberry
from strawberry.file_uploads import Upload

from archive_store.academics.documents import GradeKind as StoredKind
from archive_store.grade_sheets.entry import SIZE_LIMIT, enter_grade_sheet, require_may_fill
from archive_store.grade_sheets.rows import SheetGrade
from schema.academics.enums import GradeKind
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.imports.batches import sent_file
from schema.nodes import global_id, key_of


@strawberry.input(description="Input of `gradeSheetImport`.")
class GradeSheetImportInput:
    file: Upload = strawberry.field(
        description="XLSX, XLS, or CSV in UTF-8 or GB18030 (GraphQL multipart request): 学号, 姓名, 成绩, 备注."
    )
    arrangement_id: strawberry.ID
    kind: GradeKind = StoredKind.REGULAR
    dry_run: bool = strawberry.field(default=False, description="Check and report only; nothing is written.")
    reason: str | None = None


@strawberry.type(description="What is wrong in one cell of a grade sheet.")
class GradeSheetCellError:
    column: str = strawberry.field(description="学号, 姓名, 成绩 or 备注.")
    code: str
    message_zh: str
    message_en: str


@strawberry.type(description="A row that keeps the sheet from being entered.")
class GradeSheetRow:
    sheet_row: int = strawberry.field(description="Row number as the spreadsheet shows it.")
    errors: list[GradeSheetCellError]


@strawberry.type(description="Every row accounted for: rows = valid + the number of bad ones.")
class GradeSheetReport:
    rows: int
    valid: int
    entered: int = strawberry.field(description="All rows, or 0 of a dry run and where one is bad.")
    bad: list[GradeSheetRow]
    missing: list[strawberry.ID] = strawberry.field(
        description="Students of the class who have no regular grade and no row."
    )


@strawberry.type(description="Result of `gradeSheetImport`.")
class GradeSheetImportPayload:
    report: GradeSheetReport | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(GradeSheetImportPayload)
async def resolve_grade_sheet_import(info: Request, input: GradeSheetImportInput) -> GradeSheetImportPayload:  # noqa: A002
    context, file = info.context, sent_file(input.file)
    # Before the file is read.
    require_may_fill(context.viewer)
    told = await enter_grade_sheet(
        context.store,
        context.viewer,
        await file.read(SIZE_LIMIT + 1),
        key_of(input.arrangement_id, "CourseArrangement", field="arrangementId"),
        kind=input.kind,
        dry_run=input.dry_run,
        reason=input.reason,
    )
    report = GradeSheetReport(
        rows=told.rows,
        valid=told.valid,
        entered=told.entered,
        bad=[_row(row) for row in told.bad],
        missing=[strawberry.ID(global_id("Student", key)) for key in told.missing],
    )
    return GradeSheetImportPayload(report=report)


def _row(row: SheetGrade) -> GradeSheetRow:
    errors = [
        GradeSheetCellError(
            column=error.column, code=error.code, message_zh=error.message.zh, message_en=error.message.en
        )
        for error in row.errors
    ]
    return GradeSheetRow(sheet_row=row.sheet_row, errors=errors)


@strawberry.type
class GradeSheetMutations:
    grade_sheet_import: GradeSheetImportPayload = strawberry.field(
        resolver=resolve_grade_sheet_import,
        description="Enter the grades of a class from a file, all rows or none (成绩单文件导入).",
    )
