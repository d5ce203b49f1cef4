"""The child process that reads an XLS file: its reader is native code, which a hostile file may crash, or make take
all memory.

It gives up memory, files, processes and core dumps before it is given the first byte (`archive_store/inspection`), and
answers on its standard output with frames of rows as JSON.
"""

from __future__ import annotations

import codecs
import io
import json
import struct
import sys
from collections.abc import Iterator
from itertools import count

from python_calamine import CalamineWorkbook

from archive_store.imports.cell_texts import CELL_LIMIT, FORMULA_CELL, value_text
from archive_store.imports.old_formulas import formula_cells
from archive_store.inspection.child import take_limits

FRAME = struct.Struct("!cI")  # kind, size of the payload
ROWS = b"R"  # payload: a list of [number of the row from 1, list of texts]
END = b"E"
UNREADABLE = b"U"
FRAME_LIMIT = 16 * 1024 * 1024
_FRAME_SIZE = 64 * 1024
_SECONDS = 60
_MEMORY = 1024 * 1024 * 1024


def main() -> None:
    """Read the file of the arguments: its size, most columns."""
    size, column_limit = int(sys.argv[1]), int(sys.argv[2])
    codecs.lookup("utf-16-le")  # later it could not be loaded
    take_limits(memory=_MEMORY, seconds=_SECONDS)
    out = sys.stdout.buffer
    content = sys.stdin.buffer.read(size)
    try:
        for frame in frames(content, column_limit):
            out.write(frame)
    except BaseException:  # what a panic of the native code raises is no Exception
        out.write(FRAME.pack(UNREADABLE, 0))
        out.flush()
        raise
    out.write(FRAME.pack(END, 0))
    out.flush()


def frames(content: bytes, column_limit: int) -> Iterator[bytes]:
    held: list[tuple[int, list[str]]] = []
    size = 0
    for number, line in lines(content):
        texts = [text[: CELL_LIMIT * 2] for text in line[: column_limit + 1]]
        held.append((number, texts))
        size += sum(map(len, texts))
        if size > _FRAME_SIZE:
            yield _frame(held)
            held, size = [], 0
    yield _frame(held)


def _frame(rows: list[tuple[int, list[str]]]) -> bytes:
    payload = json.dumps(rows, ensure_ascii=False).encode()
    return FRAME.pack(ROWS, len(payload)) + payload


def lines(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, with their number from 1."""
    formulas = formula_cells(content)
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    last = max(formulas, default=-1)
    rows = sheet.iter_rows()
    for row in count():
        values = next(rows, None)
        if values is None and row > last:
            break
        line = [value_text(value) for value in values or ()]
        for column in formulas.get(row, ()):
            line.extend([""] * (column + 1 - len(line)))
            line[column] = FORMULA_CELL
        if any(line):
            yield row + 1, line
