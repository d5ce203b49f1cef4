"""The lines of a table as text: commas, semicolons or tabs; UTF-8, GB18030 or marked UTF-16; told by content."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from archive_store.imports.cell_texts import CELL_LIMIT
from archive_store.imports.part_walk import PIECE, too_large, unreadable
from archive_store.imports.sheet_cells import COLUMN_LIMIT

DELIMITERS = (",", ";", "\t")
# Of one row, with its quotes and line breaks.
ROW_TEXT_LIMIT = COLUMN_LIMIT * CELL_LIMIT
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# How well a row would do as the header: more is better, 0 is not at all.
Score = Callable[[Sequence[str]], int]


def text_lines(file: BinaryIO, score: Score, *, searched: int) -> Iterator[tuple[int, list[str]]]:
    """One list a row, blank ones too, with its number from 1. Raises UNREADABLE_WORKBOOK and TOO_LARGE.

    What stands between cells is told by the best header among the first `searched` rows.
    """
    encoding = _encoding_of(file)
    delimiter = _delimiter_of(file, encoding, score, searched)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    lines = _Lines(text)
    try:
        for number, row in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), start=1):
            # A quoted cell may have line breaks, so that a row takes several lines.
            lines.left = ROW_TEXT_LIMIT
            yield number, row
    except (csv.Error, UnicodeError) as error:
        raise unreadable() from error
    finally:
        # The file is the caller's, who may have closed it by now.
        with contextlib.suppress(ValueError):
            text.detach()


class _Lines:
    """The lines of the text, of which one row may not take more than ROW_TEXT_LIMIT."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.left = ROW_TEXT_LIMIT
        self._text = text

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self.left + 1)
        self.left -= len(line)
        if self.left < 0:
            raise too_large(f"{ROW_TEXT_LIMIT} characters in one row")
        if not line:
            raise StopIteration
        # The other encodings were looked through for it as bytes.
        if "\0" in line:
            raise unreadable()
        return line


def _encoding_of(file: BinaryIO) -> str:
    """UTF-16 by its mark; UTF-8 where the bytes are UTF-8, else GB18030: the two are hardly ever both well formed."""
    file.seek(0)
    is_marked = file.read(2) in _UTF16
    for encoding in ("utf-16",) if is_marked else ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        file.seek(0)
        try:
            while piece := file.read(PIECE):
                if not is_marked and b"\0" in piece:
                    raise unreadable()
                decoder.decode(piece)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise unreadable()


def _delimiter_of(file: BinaryIO, encoding: str, score: Score, searched: int) -> str:
    file.seek(0)
    text = codecs.getincrementaldecoder(encoding)().decode(file.read(PIECE))
    lines = io.StringIO(text, newline="").readlines()[: 2 * searched]

    def best(delimiter: str) -> int:
        most = 0
        try:
            for _, row in zip(range(searched), csv.reader(lines, delimiter=delimiter), strict=False):
                most = max(most, score(row[:COLUMN_LIMIT]))
        except csv.Error:
            pass
        return most

    return max(DELIMITERS, key=best)
