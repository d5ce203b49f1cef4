"""What the reader of workbooks is handed of an XLSX archive: parts that were measured and walked, packed anew.

The reader is native code that ends the process when memory runs out, so nothing reaches it that could make it lay
out more than it should. Reading cells as text is not done here.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from functools import cache

from archive_store.imports.part_walk import too_large, unreadable, walk

# Rows that hold a title or nothing, beside the rows that count.
SPARE_ROWS = 1_000
COLUMN_LIMIT = 200
ENTRIES_LIMIT = 1_000
UNPACKED_LIMIT = 100 * 1024 * 1024
# The sheet of 5,000 rows has some 10 MiB.
PART_LIMIT = 48 * 1024 * 1024
# Below this size a file may shrink as much as it likes; above it nobody's roster shrinks a hundredfold.
RATIO_LIMIT = 100
RATIO_FREE = 10 * 1024 * 1024
# The reader lays out the whole rectangle, and gives every cell its own copy of a shared text.
GRID_LIMIT = 5_000_000
SHARED_TEXT_LIMIT = 32 * 1024 * 1024
_PIECE = 64 * 1024
_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_STRINGS = "xl/sharedStrings.xml"
_STYLES = "xl/styles.xml"
# Where a reader starts; ours, so that it ends at the workbook that was walked.
_PACKAGE_RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"'
    ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
    f' Target="{_WORKBOOK}"/></Relationships>'
)
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")


def checked_workbook(content: bytes, row_limit: int) -> tuple[io.BytesIO, dict[int, set[int]]]:
    """An archive of the first sheet and what it needs, and the sheet's formulas as row (from 1) to columns.

    Raises TOO_LARGE; and UNREADABLE_WORKBOOK or an error of the libraries for what is no workbook.
    """
    checked = io.BytesIO()
    # Part by part, so that only one of them is held beside the archive made of them.
    with (
        zipfile.ZipFile(io.BytesIO(content)) as archive,
        zipfile.ZipFile(checked, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out,
    ):
        names = _measured_names(archive, len(content))
        relations = _part(archive, names[_RELATIONS.lower()])
        workbook = _part(archive, names[_WORKBOOK.lower()])
        sheet_name = _first_sheet(workbook, relations)
        if sheet_name.lower() in map(str.lower, (_WORKBOOK, _RELATIONS, _STRINGS, _STYLES)):
            raise unreadable()
        out.writestr("_rels/.rels", _PACKAGE_RELATIONS)
        out.writestr(_RELATIONS, relations)
        out.writestr(_WORKBOOK, workbook)
        strings = _SharedStrings()
        if _STYLES.lower() in names:
            walk(part := _part(archive, names[_STYLES.lower()]))
            out.writestr(_STYLES, part)
        if _STRINGS.lower() in names:
            walk(part := _part(archive, names[_STRINGS.lower()]), strings.start, strings.end, strings.text)
            out.writestr(_STRINGS, part)
        sheet = _SheetWalk(row_limit)
        walk(part := _part(archive, names[sheet_name.lower()]), sheet.start)
        # Following every index costs as much again, so it is done only where the longest text could matter.
        if sheet.shared_cells * max(strings.lengths, default=0) > SHARED_TEXT_LIMIT:
            shared = _SharedTextWalk(strings.safe_lengths())
            walk(part, shared.start, shared.end, shared.text)
        out.writestr(sheet_name, part)
    checked.seek(0)
    return checked, sheet.formulas


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    # Not more than its declared size is unpacked.
    if archive.getinfo(name).file_size > PART_LIMIT:
        raise too_large(f"{PART_LIMIT} bytes unpacked")
    return archive.read(name)


def _measured_names(archive: zipfile.ZipFile, packed: int) -> dict[str, str]:
    """Lower-case name to name. Sizes are taken as declared and then by unpacking: a directory can lie."""
    entries = archive.infolist()
    names = {entry.filename.lower(): entry.filename for entry in entries}
    limit = min(UNPACKED_LIMIT, max(RATIO_FREE, packed * RATIO_LIMIT))
    if len(entries) > ENTRIES_LIMIT:
        raise too_large(f"{ENTRIES_LIMIT} files")
    if sum(entry.file_size for entry in entries) > limit:
        raise too_large(f"{limit} bytes unpacked")
    if len(names) != len(entries):
        raise unreadable()
    unpacked = 0
    for entry in entries:
        with archive.open(entry) as opened:
            while piece := opened.read(_PIECE):
                unpacked += len(piece)
                if unpacked > limit:
                    raise too_large(f"{limit} bytes unpacked")
    return names


def _first_sheet(workbook: bytes, relations: bytes) -> str:
    """The name of the first sheet's part."""
    sheets: list[str] = []
    targets: dict[str, str] = {}

    def sheet(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "sheet":
            sheets.append(next((attributes[key] for key in attributes if key.endswith(":id")), ""))

    def relation(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "Relationship":
            targets[attributes["Id"]] = attributes["Target"]

    walk(workbook, sheet)
    walk(relations, relation)
    target = targets[sheets[0]]
    return target[1:] if target.startswith("/") else f"xl/{target}"


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class _SharedStrings:
    """Lengths of the shared texts, by index."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._depth = 0
        self._phonetic = 0
        self._has_text = False
        self._with_text = 0

    def start(self, name: str, _: dict[str, str]) -> None:
        self._depth += 1
        kind = _local(name)
        if kind == "si":
            if self._depth != 2:
                raise unreadable()
            self.lengths.append(0)
            self._has_text = False
        elif kind == "rPh":
            self._phonetic += 1
        elif kind == "t" and not self._phonetic and self.lengths and not self._has_text:
            self._has_text = True
            self._with_text += 1

    def end(self, name: str) -> None:
        self._depth -= 1
        self._phonetic -= _local(name) == "rPh"

    def text(self, text: str) -> None:
        if self.lengths:
            self.lengths[-1] += len(text)

    def safe_lengths(self) -> list[int]:
        """The reader may leave out an item without text and so shift the rest: then any may be the longest."""
        if self._with_text == len(self.lengths):
            return self.lengths
        return [max(self.lengths)] * len(self.lengths)


class _SheetWalk:
    """Where the reader will place each cell that holds something. Rows and columns count from 0."""

    def __init__(self, row_limit: int) -> None:
        self.formulas: dict[int, set[int]] = {}
        self.shared_cells = 0
        self._row_limit = row_limit
        self._last_row = row_limit + SPARE_ROWS
        self._row, self._column = -1, -1
        self._cell_row = 0
        self._type: str | None = None
        self._bottom, self._right = 0, 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        kind = _local(name) if ":" in name else name
        if kind == "c":
            self._type = attributes.get("t")
            if reference := attributes.get("r"):
                if not (found := _REFERENCE.fullmatch(reference)):
                    raise unreadable()
                self._cell_row, self._column = int(found[2]) - 1, _column_number(found[1])
            else:
                self._cell_row, self._column = self._row, self._column + 1
        elif kind in ("v", "f", "is"):
            if self._cell_row > self._bottom or self._column > self._right:
                self._grow()
            if kind == "v" and self._type == "s":
                self.shared_cells += 1
            # An error value, such as #REF!, is the result of a formula.
            elif kind == "f" or self._type == "e":
                self.formulas.setdefault(self._cell_row + 1, set()).add(self._column)
        elif kind == "row":
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._column = -1

    def _grow(self) -> None:
        self._bottom, self._right = max(self._bottom, self._cell_row), max(self._right, self._column)
        if self._bottom > self._last_row:
            raise too_large(f"{self._row_limit} rows")
        if self._right >= COLUMN_LIMIT:
            raise too_large(f"{COLUMN_LIMIT} columns")
        if (self._bottom + 1) * (self._right + 1) > GRID_LIMIT:
            raise too_large(f"{GRID_LIMIT} cells")


class _SharedTextWalk:
    """How much text the cells hold once each has its own copy of the shared one."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths = lengths
        self._total = 0
        self._is_shared = False
        self._index: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        kind = _local(name)
        if kind == "c":
            self._is_shared = attributes.get("t") == "s"
        self._index = "" if kind == "v" and self._is_shared else None

    def text(self, text: str) -> None:
        if self._index is not None:
            self._index += text

    def end(self, _: str) -> None:
        if self._index:
            if not self._index.strip().isdecimal():
                raise unreadable()
            self._total += self._lengths[int(self._index)]
            if self._total > SHARED_TEXT_LIMIT:
                raise too_large(f"{SHARED_TEXT_LIMIT} characters")
        self._index = None


@cache
def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
