"""The lines of an XLSX sheet, read as the sheet is unpacked: neither the sheet nor its cells are ever held as a whole.

The handlers run for each of some two million cells, so they are closures over plain variables and not methods.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from archive_store.imports.cell_texts import FORMULA_CELL
from archive_store.imports.part_walk import DEPTH_LIMIT, Walk, local_name, too_large, unreadable
from archive_store.imports.sheet_cells import COLUMN_LIMIT, COLUMNS, quick_row, told_by
from archive_store.imports.workbook_parts import Workbook

# Rows that hold a title or nothing, beside the rows that count.
SPARE_ROWS = 1_000
# Of one cell: its text comes in parts.
_PARTS_LIMIT = 64
_KEPT_LIMIT = 10_000
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
# What the handlers tell apart.
_OTHER, _CELL, _VALUE, _TEXT, _ROW, _FORMULA, _INLINE, _PHONETIC, _DATA = range(9)
_KINDS = {
    "c": _CELL,
    "v": _VALUE,
    "t": _TEXT,
    "row": _ROW,
    "f": _FORMULA,
    "is": _INLINE,
    "rPh": _PHONETIC,
    "sheetData": _DATA,
}


def sheet_lines(workbook: Workbook, row_limit: int) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, with their number from 1: the texts of their cells, from the first column on.

    FORMULA_CELL stands for a formula and for an error value, which is the result of one. Raises TOO_LARGE,
    UNREADABLE_WORKBOOK, and what walking the part raises.
    """
    told = told_by(workbook)
    kinds = dict(_KINDS)
    columns = COLUMNS
    lines: list[tuple[int, list[str]]] = []
    line: list[str] = []
    parts: list[str] = []
    attributes_of_cell: dict[str, str] = {}
    depth = row = column = phonetic = 0
    row_text: str | None = ""
    in_data = in_row = in_cell = in_text = is_filled = is_formula = is_astray = False
    last_row = row_limit + SPARE_ROWS

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, row, column, phonetic, row_text, attributes_of_cell
        nonlocal in_data, in_row, in_cell, in_text, is_filled, is_formula, is_astray
        kind = kinds.get(name)
        if kind is None:
            kind = kinds[name] = _KINDS.get(local_name(name), _OTHER)
        if kind == _CELL and in_row:
            if in_cell:
                raise unreadable()
            in_cell = True
            attributes_of_cell = attributes
            is_filled = is_formula = is_astray = False
            reference = attributes.get("r")
            if reference is None:
                column += 1
                return
            letters = reference.rstrip("0123456789")
            found = columns.get(letters)
            if found is None or reference[len(letters) :] != row_text:
                found, is_astray = place(reference)
            column = found
        elif kind in (_VALUE, _TEXT) and in_cell:
            if in_text:
                raise unreadable()
            in_text = is_filled = True
        elif kind == _ROW and in_data and not in_row:
            in_row = True
            row_text = attributes.get("r")
            if row_text is None:
                row += 1
            else:
                following = int(row_text) if row_text.isascii() and row_text.isdecimal() else 0
                if following <= row:
                    raise unreadable()
                row = following
                row_text = str(row)
            column = -1
        else:
            depth += 1
            if depth > DEPTH_LIMIT or (kind == _ROW and in_row) or (kind == _DATA and in_data):
                raise unreadable()
            if kind == _DATA:
                in_data = True
            elif in_cell:
                if kind == _FORMULA:
                    is_formula = is_filled = True
                elif kind == _INLINE:
                    is_filled = True
                elif kind == _PHONETIC:
                    phonetic += 1

    def place(reference: str) -> tuple[int, bool]:
        """The column of an unusual reference; and whether it names another row than the one it stands in."""
        nonlocal row, row_text
        if not (found := _REFERENCE.fullmatch(reference)):
            raise unreadable()
        number = int(found[2])
        if row_text is None and not line:
            # The row does not say which it is: then its first cell does.
            if number < row:
                raise unreadable()
            row, row_text = number, found[2]
        letters = 0
        for letter in found[1]:
            letters = letters * 26 + ord(letter) - 64
        return letters - 1, number != row

    def end(name: str) -> None:
        nonlocal depth, phonetic, line, in_data, in_row, in_cell, in_text
        kind = kinds[name]
        if in_cell:
            if kind in (_VALUE, _TEXT):
                in_text = False
            elif kind == _CELL:
                in_cell = False
                if is_filled:
                    keep()
                if parts:
                    parts.clear()
            else:
                depth -= 1
                if kind == _PHONETIC:
                    phonetic -= 1
        elif kind == _ROW and in_row:
            in_row = False
            walk.note_end()
            if line:
                lines.append((row, line))
                line = []
        else:
            depth -= 1
            if kind == _DATA:
                in_data = False

    def keep() -> None:
        if row > last_row or is_astray:
            refuse_place()
        if column >= COLUMN_LIMIT:
            raise too_large(f"{COLUMN_LIMIT} columns")
        held = len(line)
        if column < held:
            # Two cells of one place: none of them can be known to be right.
            raise unreadable()
        if column > held:
            line.extend([""] * (column - held))
        if is_formula:
            line.append(FORMULA_CELL)
        else:
            text = parts[0] if len(parts) == 1 else "".join(parts)
            line.append(told(attributes_of_cell.get("t"), attributes_of_cell.get("s"), text))

    def refuse_place() -> None:
        reference = _REFERENCE.fullmatch(attributes_of_cell.get("r", ""))
        if row > last_row or (reference and int(reference[2]) > last_row):
            raise too_large(f"{row_limit} rows")
        raise unreadable()

    def collect(text: str) -> None:
        if in_text and not phonetic:
            parts.append(text)
            if len(parts) >= _PARTS_LIMIT:
                whole = "".join(parts)
                parts[:] = [whole if len(whole) < _KEPT_LIMIT else "x" * _KEPT_LIMIT]

    def take(data: bytes, place: int) -> int:
        nonlocal row
        while found := quick_row(data, place, told, workbook.strings):
            number, texts, place = found
            if number <= row:
                raise unreadable()
            row = number
            if texts:
                if row > last_row:
                    raise too_large(f"{row_limit} rows")
                lines.append((row, texts))
        return place

    walk = Walk(start, end, collect)
    for _ in walk.through(workbook.sheet_pieces(), b"row", take):
        yield from lines
        lines.clear()
