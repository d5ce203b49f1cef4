"""Reading roster files: XLSX and CSV bytes to rows of text, told by content.

Nothing of the file is executed or trusted: an archive is measured before it is opened, formulas are refused,
and a number too long for a spreadsheet's arithmetic is not guessed at.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook

from archive_store.admission.roster_columns import COLUMN_BY_HEADER, REQUIRED_HEADERS
from archive_store.admission.workbook_parts import COLUMN_LIMIT, checked_workbook, too_large, unreadable
from archive_store.foundation.code_tables import plain_text
from archive_store.foundation.errors import ErrorCode, RegistrarError

HEADER_SEARCHED_ROWS = 20
CELL_LIMIT = 2_000
# A spreadsheet number holds 15 digits; a longer one has lost some.
EXACT_NUMBER_LIMIT = 10**15
# Stands for a cell that cannot be taken as text; no rule accepts it.
FORMULA_CELL = "\0formula"
INEXACT_NUMBER = "\0inexact number"


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A row: its number as the spreadsheet shows it, and header to text of the cells that are not blank."""

    sheet_row: int
    cells: dict[str, str] = field(default_factory=dict)


def read_roster(content: bytes, *, row_limit: int) -> list[RosterRow]:
    """The rows below the header.

    Raises EMPTY_FILE, UNREADABLE_WORKBOOK, TOO_LARGE, HEADER_NOT_FOUND, UNKNOWN_COLUMN, DUPLICATE_COLUMN, and
    FORMULA where the header row itself holds one.
    """
    if not content.strip():
        raise RegistrarError(ErrorCode.EMPTY_FILE, field="file")
    is_archive = content[:2] == b"PK"
    lines = _workbook_lines(content, row_limit) if is_archive else _csv_lines(content)
    rows = list(_rows(lines, row_limit))
    if not rows:
        raise RegistrarError(ErrorCode.EMPTY_FILE, field="file")
    return rows


def _workbook_lines(content: bytes, row_limit: int) -> Iterator[list[str]]:
    try:
        checked, formulas = checked_workbook(content, row_limit)
        workbook = CalamineWorkbook.from_filelike(checked)
        cells = workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError),
        *(CalamineError, expat.ExpatError, LookupError, ValueError),
    ) as error:
        raise unreadable() from error
    except BaseException as error:
        # The reader is native code and may panic on a file that is broken on purpose.
        if type(error).__name__ != "PanicException":
            raise
        raise unreadable() from error
    for row_number, row in enumerate(cells, start=1):
        line = [_cell_text(value) for value in row]
        for column in formulas.get(row_number, ()):
            line.extend("" for _ in range(column + 1 - len(line)))
            line[column] = FORMULA_CELL
        yield line


def _column_letters(number: int) -> str:
    letters = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(65 + digit) + letters
    return letters


def _cell_text(value: object) -> str:
    """The text a person sees in the cell."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, (int, float)):
        if abs(value) >= EXACT_NUMBER_LIMIT:
            return INEXACT_NUMBER
        return str(int(value)) if float(value).is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _csv_lines(content: bytes) -> Iterator[list[str]]:
    text = _decoded(content)
    if "\0" in text:
        raise unreadable()
    try:
        # One list a physical row of the sheet, blank ones too.
        yield from csv.reader(io.StringIO(text, newline=""), strict=True)
    except csv.Error as error:
        raise unreadable() from error


def _decoded(content: bytes) -> str:
    """UTF-8 where the bytes are UTF-8, else GB18030; the two are hardly ever both well formed."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise unreadable()


def _rows(lines: Iterable[Sequence[str]], row_limit: int) -> Iterator[RosterRow]:
    headers: list[str] | None = None
    count = 0
    searched: list[list[str]] = []
    for sheet_row, line in enumerate(lines, start=1):
        if headers is not None and not any(map(str.strip, line)):
            continue
        if len(line) > COLUMN_LIMIT:
            raise too_large(f"{COLUMN_LIMIT} columns")
        texts = [plain_text(text) for text in line]
        if headers is None:
            searched.append(texts)
            headers = _headers(texts)
            if headers is None and sheet_row >= HEADER_SEARCHED_ROWS:
                break
            continue
        if not any(texts):
            continue
        count += 1
        if count > row_limit:
            raise too_large(f"{row_limit} rows")
        for column, text in enumerate(texts):
            # A value under no header would otherwise be lost without a word.
            if text and (column >= len(headers) or not headers[column]):
                raise RegistrarError(ErrorCode.UNKNOWN_COLUMN, field="file", name=_column_letters(column))
        yield RosterRow(sheet_row, {h: text for h, text in zip(headers, texts, strict=False) if text})
    if headers is None:
        best = max(searched, key=lambda texts: len(set(texts) & set(REQUIRED_HEADERS)), default=[])
        missing = "、".join(header for header in REQUIRED_HEADERS if header not in best)
        raise RegistrarError(
            ErrorCode.HEADER_NOT_FOUND, field="file", searched=len(searched), missing=missing
        )


def _headers(texts: list[str]) -> list[str] | None:
    """The line as headers, if it is the header row: it has all required ones."""
    if not set(REQUIRED_HEADERS) <= set(texts):
        return None
    while texts and not texts[-1]:
        texts.pop()
    seen: set[str] = set()
    for text in texts:
        if text == FORMULA_CELL:
            raise RegistrarError(ErrorCode.FORMULA, field="file")
        if text and text not in COLUMN_BY_HEADER:
            raise RegistrarError(ErrorCode.UNKNOWN_COLUMN, field="file", name=text[:50])
        if text in seen and text:
            raise RegistrarError(ErrorCode.DUPLICATE_COLUMN, field="file", name=text)
        seen.add(text)
    return texts
