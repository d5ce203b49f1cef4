"""Reading roster files: XLSX and CSV bytes to rows of text, told by content.

Nothing of the file is executed or trusted: an archive is measured before it is opened, formulas are refused,
and a number too long for a spreadsheet's arithmetic is not guessed at.
"""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook

from archive_store.foundation.code_tables import plain_text
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.part_walk import too_large, unreadable
from archive_store.imports.roster_columns import COLUMN_BY_HEADER, REQUIRED_HEADERS
from archive_store.imports.workbook_parts import COLUMN_LIMIT, checked_workbook

HEADER_SEARCHED_ROWS = 20
_PIECE = 64 * 1024
CELL_LIMIT = 2_000
# Of one row, and of the rows that hold nothing: a table saved from a spreadsheet ends with many.
ROW_TEXT_LIMIT = COLUMN_LIMIT * CELL_LIMIT
BLANK_ROWS_LIMIT = 100_000
# One character can become 18 plain ones; those of a roster hardly ever become two.
GROWTH_LIMIT = 1_000_000
# A spreadsheet number holds 15 digits; a longer one has lost some.
EXACT_NUMBER_LIMIT = 10**15
# Stands for a cell that cannot be taken as text; no rule accepts it.
FORMULA_CELL = "\0formula"
INEXACT_NUMBER = "\0inexact number"
OVERLONG_TEXT = "\0overlong text"


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
    if not content or content.isspace():
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
        for row_number, row in enumerate(workbook.get_sheet_by_index(0).iter_rows(), start=1):
            line = [_cell_text(value) for value in row]
            for column in formulas.get(row_number, ()):
                line.extend("" for _ in range(column + 1 - len(line)))
                line[column] = FORMULA_CELL
            yield line
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
    """One list a row, blank ones too."""
    if b"\0" in content:
        raise unreadable()
    text = io.TextIOWrapper(io.BytesIO(content), _encoding_of(content), newline="")
    left = ROW_TEXT_LIMIT

    def lines() -> Iterator[str]:
        nonlocal left
        while line := text.readline(left + 1):
            left -= len(line)
            if left < 0:
                raise too_large(f"{ROW_TEXT_LIMIT} characters in one row")
            yield line

    try:
        for row in csv.reader(lines(), strict=True):
            # A quoted cell may have line breaks, so that a row takes several lines.
            left = ROW_TEXT_LIMIT
            yield row
    except csv.Error as error:
        raise unreadable() from error


def _encoding_of(content: bytes) -> str:
    """UTF-8 where the bytes are UTF-8, else GB18030; the two are hardly ever both well formed."""
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            for start in range(0, len(content), _PIECE):
                decoder.decode(content[start : start + _PIECE])
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise unreadable()


class _PlainTexts:
    """The plain texts of a file's cells, which together may not grow by more than GROWTH_LIMIT."""

    def __init__(self) -> None:
        self._growth = 0

    def of(self, line: Sequence[str]) -> list[str]:
        return [self._plain(text.strip()) for text in line]

    def _plain(self, text: str) -> str:
        if len(text) > CELL_LIMIT:
            return OVERLONG_TEXT
        plain = plain_text(text)
        self._growth += max(0, len(plain) - len(text))
        if self._growth > GROWTH_LIMIT:
            raise too_large(f"{GROWTH_LIMIT} characters in compatibility forms")
        return plain if len(plain) <= CELL_LIMIT else OVERLONG_TEXT


def _rows(lines: Iterable[Sequence[str]], row_limit: int) -> Iterator[RosterRow]:
    headers: list[str] | None = None
    count = 0
    searched: list[set[str]] = []
    plain = _PlainTexts()
    for sheet_row, line in enumerate(lines, start=1):
        if sheet_row > row_limit + BLANK_ROWS_LIMIT:
            raise too_large(f"{row_limit} rows")
        if headers is not None and not any(map(str.strip, line)):
            continue
        if len(line) > COLUMN_LIMIT:
            raise too_large(f"{COLUMN_LIMIT} columns")
        texts = plain.of(line)
        if headers is None:
            searched.append(set(texts) & set(REQUIRED_HEADERS))
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
        best = max(searched, key=len, default=set())
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
        if text == OVERLONG_TEXT:
            raise RegistrarError(ErrorCode.TOO_LONG, field="file", limit=CELL_LIMIT)
        if text and text not in COLUMN_BY_HEADER:
            raise RegistrarError(ErrorCode.UNKNOWN_COLUMN, field="file", name=text[:50])
        if text in seen and text:
            raise RegistrarError(ErrorCode.DUPLICATE_COLUMN, field="file", name=text)
        seen.add(text)
    return texts
