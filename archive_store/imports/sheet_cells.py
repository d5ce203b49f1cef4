"""What a cell of an XLSX sheet says, and the rows that are written as nearly all are. Where a cell stands, and the
rows that are written in other ways, are for `sheet_lines`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from archive_store.imports.cell_texts import FORMULA_CELL, day_text, number_text, truth_text
from archive_store.imports.part_walk import unreadable
from archive_store.imports.workbook_parts import SharedTexts, Workbook, unescaped

COLUMN_LIMIT = 200
COLUMNS = {chr(65 + number): number for number in range(26)}
COLUMNS |= {
    f"{chr(65 + first)}{chr(65 + second)}": 26 * (first + 1) + second
    for first in range(26)
    for second in range(26)
}
_INDEX_DIGITS = 9
_STYLE_DIGITS = 6

# Type, style and text of a cell to what a person sees.
Told = Callable[[str | None, str | None, str], str]


def told_by(workbook: Workbook) -> Told:
    """The texts of a workbook's cells. FORMULA_CELL for an error value, UNREADABLE_WORKBOOK for what is no value."""
    strings, date_styles, is_1904 = workbook.strings, workbook.date_styles, workbook.is_1904

    def told(kind: str | None, style: str | None, text: str) -> str:
        if kind == "s":
            number = text.strip()
            if not (number.isascii() and number.isdecimal()) or len(number) > _INDEX_DIGITS:
                raise unreadable()
            return strings[int(number)]
        if kind is None or kind == "n":
            if not text:
                return ""
            if style is not None and style.isdecimal() and int(style[:_STYLE_DIGITS]) in date_styles:
                return day_text(text, is_1904=is_1904)
            if (shown := number_text(text)) is None:
                raise unreadable()
            return shown
        if kind in ("inlineStr", "str"):
            return unescaped(text)
        if kind == "e":
            return FORMULA_CELL
        if kind == "b":
            return truth_text(text.strip() in ("1", "true"))
        if kind != "d":
            raise unreadable()
        return text.partition("T")[0]

    return told


_BYTE_COLUMNS = {letters.encode(): number for letters, number in COLUMNS.items() if number < COLUMN_LIMIT}
_NAMES = rb"spans|s|customFormat|ht|customHeight|thickTop|thickBot|x14ac:dyDescent"
_ROW = re.compile(rb'\s*<row r="([1-9][0-9]{0,6})"(?: (?:%s)="[^"<&]*")*>' % _NAMES)
_ROW_END = b"</row>"
_CELL = re.compile(
    rb'<c r="([A-Z]{1,2})([0-9]+)"(?: s="([0-9]{1,6})")?(?: t="([a-zA-Z]{1,9})")?'
    rb"(?:/>|><v>([0-9.eE+-]+)</v></c>"
    rb'|><is><t(?: xml:space="preserve")?>([^<&\0-\x08\x0b\x0c\x0e-\x1f]+)</t></is></c>)'
)
_TAGS_OF_EMPTY, _TAGS_OF_VALUE, _TAGS_OF_TEXT = 1, 4, 6


def quick_row(data: bytes, place: int, told: Told, strings: SharedTexts) -> tuple[int, list[str], int] | None:
    """The row at this place if it is whole and written as nearly all are: number, texts, and where it ends.

    All it holds is cells that hold a number or a plain text, in the order of the columns, each of which says where it
    stands.
    """
    if not (found := _ROW.match(data, place)) or (stop := data.find(_ROW_END, found.end())) < 0:
        return None
    row = found[1]
    line: list[str] = []
    tags = 0
    inside = data[found.end() : stop]
    for letters, number, style, kind, value, text in _CELL.findall(inside):
        if number != row:
            return None
        column = _BYTE_COLUMNS.get(letters)
        if value:
            tags += _TAGS_OF_VALUE
        elif text:
            tags += _TAGS_OF_TEXT
        else:
            tags += _TAGS_OF_EMPTY
            continue
        held = len(line)
        if column is None or column < held:
            return None
        if column > held:
            line.extend([""] * (column - held))
        if kind == b"s" and value.isdigit():
            line.append(strings[int(value)])
        else:
            line.append(told(kind.decode() or None, style.decode() or None, (value or text).decode()))
    # What else is there is no cell, or one that is written otherwise.
    return (int(row), line, stop + len(_ROW_END)) if tags == inside.count(b"<") else None
