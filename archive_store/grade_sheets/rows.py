"""The rows of a grade sheet, each by itself: what its cells say, or what is wrong with them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO

from archive_store.academics.documents import GradeStatus
from archive_store.academics.judging import ROWS_LIMIT
from archive_store.foundation.errors import ErrorCode, Message, RegistrarError
from archive_store.foundation.texts import check_text, starts_formula
from archive_store.grade_sheets.columns import REQUIRED, SheetColumn, columns_of, known_columns, status_of
from archive_store.imports.cell_texts import FORMULA_CELL, INEXACT_NUMBER, OVERLONG_TEXT
from archive_store.imports.roster_files import SheetRow, open_table

_CELL_LIMIT = 100
# A negative number starts as a formula does and is none: the scheme says that it is no score.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class CellError:
    """What is wrong in one cell; no value of a record is told."""

    column: SheetColumn
    code: ErrorCode
    message: Message


@dataclass(slots=True)
class SheetGrade:
    """A row: its number as the sheet shows it, what its cells say, and its errors."""

    sheet_row: int
    number: str = ""
    name: str = ""
    score: str = ""
    status: GradeStatus = GradeStatus.ENTERED
    errors: list[CellError] = field(default_factory=list)

    def refuse(self, column: SheetColumn, code: ErrorCode, **details: object) -> None:
        self.add(column, RegistrarError(code, field=None, rule=None, **details))

    def add(self, column: SheetColumn, fault: RegistrarError) -> None:
        self.errors.append(CellError(column, fault.code, fault.message))


def read_grades(content: bytes) -> list[SheetGrade]:
    """All rows of a file, XLSX, XLS or CSV.

    Raises EMPTY_FILE, UNREADABLE_WORKBOOK, HEADER_NOT_FOUND, UNKNOWN_COLUMN, DUPLICATE_COLUMN, and TOO_LARGE over
    ROWS_LIMIT rows, which no class has.
    """
    sheet = open_table(
        BytesIO(content), known_columns, row_limit=ROWS_LIMIT, fewest=len(REQUIRED), required=REQUIRED
    )
    try:
        places = columns_of(sheet.headers, searched=sheet.header_row)
        rows = [_row(row, places) for row in sheet.rows]
    finally:
        sheet.rows.close()
    if not rows:
        raise RegistrarError(ErrorCode.EMPTY_FILE, field="file")
    _refuse_repeated(rows)
    return rows


def _row(row: SheetRow, places: dict[SheetColumn, int]) -> SheetGrade:
    told = SheetGrade(row.sheet_row)
    texts = {column: row.texts[place] if place < len(row.texts) else "" for column, place in places.items()}
    faulty = set()
    for column, text in texts.items():
        if (fault := _fault(column, text)) is not None:
            faulty.add(column)
            told.add(column, fault)
    good = {column: text for column, text in texts.items() if column not in faulty}
    for column in (SheetColumn.NUMBER, SheetColumn.NAME):
        if good.get(column) == "":
            told.refuse(column, ErrorCode.REQUIRED)
    # Numbers are typed in groups.
    told.number = good.get(SheetColumn.NUMBER, "").replace(" ", "")
    told.name = good.get(SheetColumn.NAME, "")
    told.score = good.get(SheetColumn.SCORE, "")
    remark = good.get(SheetColumn.STATUS, "")
    if not remark and told.score and (said := status_of(told.score)) is not None:
        # 缺考 is often written where the score would stand.
        told.score, remark = "", told.score
        told.status = said
    elif (status := status_of(remark)) is None:
        told.refuse(SheetColumn.STATUS, ErrorCode.UNKNOWN_CODE)
    else:
        told.status = status
    return told


def _fault(column: SheetColumn, text: str) -> RegistrarError | None:
    is_number = column is SheetColumn.SCORE and _NUMBER.fullmatch(text)
    if text == FORMULA_CELL or (starts_formula(text) and not is_number):
        return RegistrarError(ErrorCode.FORMULA)
    if text == INEXACT_NUMBER:
        return RegistrarError(ErrorCode.INEXACT_NUMBER)
    if text == OVERLONG_TEXT:
        return RegistrarError(ErrorCode.TOO_LONG, limit=_CELL_LIMIT)
    try:
        check_text(text, field="file", limit=_CELL_LIMIT)
    except RegistrarError as fault:
        return fault
    return None


def _refuse_repeated(rows: Iterable[SheetGrade]) -> None:
    """Each row of a number that stood before; the first one counts as it is."""
    first: dict[str, int] = {}
    for row in rows:
        if row.number and first.setdefault(row.number, row.sheet_row) != row.sheet_row:
            others = f"row {first[row.number]}"
            row.refuse(SheetColumn.NUMBER, ErrorCode.DUPLICATE, others=others)
