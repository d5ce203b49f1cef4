"""Reading roster files: XLSX, XLS and CSV to rows of text, told by content, row by row whatever their size.

Nothing of the file is executed or trusted: an archive is measured before it is opened, formulas are refused,
and a number too long for a spreadsheet's arithmetic is not guessed at.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO
from xml.parsers import expat

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.cell_texts import PlainTexts, column_letters
from archive_store.imports.column_mapping import (
    ColumnChoice,
    ColumnMap,
    check_header,
    column_map,
    header_not_found,
    known_columns,
    plain_header,
)
from archive_store.imports.old_workbooks import old_workbook_lines
from archive_store.imports.part_walk import too_large, unreadable
from archive_store.imports.roster_columns import COLUMN_BY_HEADER, REQUIRED_HEADERS
from archive_store.imports.sheet_cells import COLUMN_LIMIT
from archive_store.imports.sheet_lines import sheet_lines
from archive_store.imports.text_lines import Score, text_lines
from archive_store.imports.workbook_parts import open_workbook

HEADER_SEARCHED_ROWS = 20
# Rows that hold nothing: a table saved from a spreadsheet ends with many.
BLANK_ROWS_LIMIT = 100_000
# What has fewer columns of ours is no header.
_FEWEST_COLUMNS = 3
_ARCHIVE = b"PK"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Of the libraries, for a file that is broken.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, expat.ExpatError, LookupError, ValueError),
)

_Lines = Iterator[tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A row: its number as the spreadsheet shows it, and header to text of the cells that are not blank."""

    sheet_row: int
    cells: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row as the sheet has it: its number, and the texts of its cells by position; the last may be left out."""

    sheet_row: int
    texts: list[str]


@dataclass(frozen=True, slots=True)
class SheetReading:
    """A sheet before its columns are mapped. `rows` reads on as it is asked, and raises as `open_sheet` does."""

    headers: tuple[str, ...]
    header_row: int
    rows: Generator[SheetRow, None, None]


@dataclass(frozen=True, slots=True)
class RosterReading:
    """A roster. `rows` reads on as it is asked, and raises as `open_roster` does."""

    columns: ColumnMap
    header_row: int
    rows: Generator[RosterRow, None, None]


def open_sheet(file: BinaryIO, *, row_limit: int) -> SheetReading:
    """The sheet of a file whose columns may be headed as they like: `column_map` says which are which.

    The header is the row, among the first 20, that has most columns of ours in known spellings. Raises EMPTY_FILE,
    UNREADABLE_WORKBOOK, TOO_LARGE, HEADER_NOT_FOUND, FORMULA or TOO_LONG for a header that is none; and UNKNOWN_COLUMN
    for a value under no header. The file must stay open until `rows` ends or is closed; a thread may ask for some
    rows, and another go on later.
    """
    score: Score = lambda texts: len(known_columns(texts))  # noqa: E731
    return open_table(file, score, row_limit=row_limit, fewest=_FEWEST_COLUMNS)


def open_roster(file: BinaryIO, *, row_limit: int, mapping: ColumnChoice | None = None) -> RosterReading:
    """The rows of a roster under our headers, or under others that `mapping` tells of (see `column_map`).

    Raises as `open_sheet` and `column_map` do.
    """
    ours = {plain_header(header) for header, column in (mapping or {}).items() if column}
    ours.update(COLUMN_BY_HEADER)
    sheet = open_table(file, lambda texts: len(ours.intersection(texts)), row_limit=row_limit)
    columns = column_map(sheet.headers, mapping, searched=sheet.header_row)
    return RosterReading(columns, sheet.header_row, _mapped(sheet, columns))


def read_roster(content: bytes, *, row_limit: int) -> list[RosterRow]:
    """All rows at once, of a roster under our headers. Raises as `open_roster` does, and EMPTY_FILE without rows."""
    rows = list(open_roster(io.BytesIO(content), row_limit=row_limit).rows)
    if not rows:
        raise RegistrarError(ErrorCode.EMPTY_FILE, field="file")
    return rows


def _mapped(sheet: SheetReading, columns: ColumnMap) -> Generator[RosterRow, None, None]:
    try:
        for row in sheet.rows:
            yield RosterRow(row.sheet_row, columns.cells(row.texts))
    finally:
        sheet.rows.close()


def open_table(
    file: BinaryIO,
    score: Score,
    *,
    row_limit: int,
    fewest: int = 1,
    required: Sequence[str] = REQUIRED_HEADERS,
) -> SheetReading:
    """A table of any kind, as `open_sheet`: its header is the row with the best `score`, which is `fewest` at least.

    HEADER_NOT_FOUND names the `required` headers where there is none.
    """
    plain = PlainTexts()
    lines = _limited(_told_broken(_lines(file, row_limit, plain, score)), row_limit, plain)
    searched: list[tuple[int, list[str]]] = []
    for number, texts in lines:
        searched.append((number, texts))
        if number >= HEADER_SEARCHED_ROWS:
            break
    place = max(range(len(searched)), key=lambda p: score(searched[p][1]), default=0)
    if not searched or score(searched[place][1]) < fewest:
        raise header_not_found(len(searched), required)
    header_row, headers = searched[place]
    while headers and not headers[-1]:
        headers.pop()
    for header in headers:
        check_header(header)
    rows = chain(searched[place + 1 :], lines)
    return SheetReading(tuple(headers), header_row, _rows(rows, tuple(headers), row_limit, lines))


def _lines(file: BinaryIO, row_limit: int, plain: PlainTexts, score: Score) -> _Lines:
    """Rows as they stand, with their number. Errors of the libraries are not yet ours."""
    file.seek(0)
    start = file.read(64)
    if start.isspace() or not start:
        file.seek(0)
        if not any(not piece.isspace() for piece in iter(lambda: file.read(1024 * 1024), b"")):
            raise RegistrarError(ErrorCode.EMPTY_FILE, field="file")
    if start.startswith(_ARCHIVE):
        yield from sheet_lines(open_workbook(file, plain), row_limit)
    elif start.startswith(_OLD_WORKBOOK):
        yield from old_workbook_lines(file)
    else:
        plainly = lambda row: score([plain.of(text) for text in row])  # noqa: E731
        yield from text_lines(file, plainly, searched=HEADER_SEARCHED_ROWS)


def _told_broken(lines: _Lines) -> _Lines:
    try:
        yield from lines
    except _BROKEN as error:
        raise unreadable() from error


def _limited(
    lines: _Lines, row_limit: int, plain: PlainTexts
) -> Generator[tuple[int, list[str]], None, None]:
    """The rows that hold something, as plain text."""
    for number, line in lines:
        if number > row_limit + BLANK_ROWS_LIMIT:
            raise too_large(f"{row_limit} rows")
        if not any(line):
            continue
        if len(line) > COLUMN_LIMIT:
            raise too_large(f"{COLUMN_LIMIT} columns")
        texts = [plain.of(text) for text in line]
        if any(texts):
            yield number, texts


def _rows(
    lines: Iterable[tuple[int, list[str]]], headers: Sequence[str], row_limit: int, source: Generator[object]
) -> Generator[SheetRow, None, None]:
    count = 0
    nameless = [position for position, header in enumerate(headers) if not header]
    try:
        for number, texts in lines:
            count += 1
            if count > row_limit:
                raise too_large(f"{row_limit} rows")
            # A value under no header would otherwise be lost without a word.
            if len(texts) > len(headers) or nameless:
                _refuse_nameless(texts, headers)
                del texts[len(headers) :]
            yield SheetRow(number, texts)
    finally:
        source.close()


def _refuse_nameless(texts: Sequence[str], headers: Sequence[str]) -> None:
    for position, text in enumerate(texts):
        if text and (position >= len(headers) or not headers[position]):
            raise RegistrarError(ErrorCode.UNKNOWN_COLUMN, field="file", name=column_letters(position))
