"""What an XLSX archive holds beside its sheet: which part is the first sheet, its shared texts, its date formats.

The archive is measured before a part is opened, and nothing is unpacked as a whole. The cells are not read here.
"""

from __future__ import annotations

import re
import zipfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from archive_store.imports.cell_texts import CELL_LIMIT, PlainTexts
from archive_store.imports.part_walk import DEPTH_LIMIT, PIECE, Walk, local_name, too_large, unreadable, walk

ENTRIES_LIMIT = 1_000
# The sheet of 50,000 rows has some 100 MiB, the texts some 40 MiB.
UNPACKED_LIMIT = 512 * 1024 * 1024
PART_LIMIT = 320 * 1024 * 1024
# Of the parts that say how the others are to be read.
SMALL_PART_LIMIT = 16 * 1024 * 1024
# Below this size a file may shrink as much as it likes; above it nobody's roster shrinks a hundredfold.
RATIO_LIMIT = 100
RATIO_FREE = 10 * 1024 * 1024
# In bytes of UTF-8; they are held while the sheet is read.
SHARED_TEXTS_LIMIT = 64 * 1024 * 1024
_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_STRINGS = "xl/sharedStrings.xml"
_STYLES = "xl/styles.xml"
_ENTRY = b"PK\x01\x02"
# Others take as much memory to unpack as the file asks for.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_REMEMBERED = 4_096
# More than a cell may have, so that a longer text is known to be one.
_KEPT_LIMIT = 2 * CELL_LIMIT
_ITEM = rb'<si><t(?: xml:space="preserve")?>([^<&\0-\x08\x0b\x0c\x0e-\x1f]*)</t></si>'
_ITEMS = re.compile(rb"(?:\s*%s)+" % _ITEM)
_ITEM_TEXT = re.compile(_ITEM)
# Formats that a workbook need not write out: days and, in East Asia, days in Chinese, Japanese or Korean.
_DATE_FORMATS = frozenset((*range(14, 18), 22, *range(27, 32), 36, *range(50, 59)))
# Texts, single characters and what is in brackets, but for hours, minutes and seconds that run on ([h]:mm).
_SAID_LITERALLY = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_FORMAT_LIMIT = 1_000
# A spreadsheet has 65,490 at most.
_STYLES_LIMIT = 70_000
_NUMBER_LIMIT = 9


@dataclass(frozen=True, slots=True)
class Workbook:
    """A measured archive, and what its cells refer to."""

    archive: zipfile.ZipFile
    sheet: str
    strings: SharedTexts
    date_styles: frozenset[int]
    is_1904: bool

    def sheet_pieces(self) -> Iterator[bytes]:
        return _pieces(self.archive, self.sheet, PART_LIMIT)


def open_workbook(file: BinaryIO, plain: PlainTexts) -> Workbook:
    """Raises TOO_LARGE; and UNREADABLE_WORKBOOK or an error of the libraries for what is no workbook."""
    _count_entries(file)
    archive = zipfile.ZipFile(file)
    names = _names(archive)
    sheet, is_1904 = _first_sheet(archive, names)
    read = [names[_WORKBOOK.lower()], names[_RELATIONS.lower()], sheet]
    read += [names[name.lower()] for name in (_STRINGS, _STYLES) if name.lower() in names]
    if len(set(read)) != len(read):
        raise unreadable()
    _measure(archive, set(read), _packed_size(file))
    strings, styles = SharedTexts(plain), _Styles()
    if _STYLES.lower() in names:
        walk(_pieces(archive, names[_STYLES.lower()], SMALL_PART_LIMIT), styles.start, styles.end)
    if _STRINGS.lower() in names:
        strings.read(_pieces(archive, names[_STRINGS.lower()], PART_LIMIT))
    return Workbook(archive, sheet, strings, styles.dates(), is_1904)


def _packed_size(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _pieces(archive: zipfile.ZipFile, name: str, limit: int) -> Iterator[bytes]:
    # Not more than its declared size is unpacked, and a wrong one is found at the end.
    if archive.getinfo(name).file_size > limit:
        raise too_large(f"{limit} bytes unpacked")
    with archive.open(name) as opened:
        while piece := opened.read(PIECE):
            yield piece


def _count_entries(file: BinaryIO) -> None:
    """Opening an archive lays out its whole directory, so its entries are counted before, by their signature."""
    file.seek(0)
    entries, last = 0, b""
    while piece := file.read(1024 * 1024):
        entries += (last + piece).count(_ENTRY)
        last = piece[1 - len(_ENTRY) :]
        if entries > ENTRIES_LIMIT:
            raise too_large(f"{ENTRIES_LIMIT} files")


def _names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Lower-case name to name."""
    entries = archive.infolist()
    if len(entries) > ENTRIES_LIMIT:
        raise too_large(f"{ENTRIES_LIMIT} files")
    names = {entry.filename.lower(): entry.filename for entry in entries}
    if len(names) != len(entries) or any(e.compress_type not in _COMPRESSIONS for e in entries):
        raise unreadable()
    return names


def _measure(archive: zipfile.ZipFile, read: set[str], packed: int) -> None:
    """Sizes are taken as declared; and, of the parts that nobody reads, by unpacking: a directory can lie."""
    entries = archive.infolist()
    limit = min(UNPACKED_LIMIT, max(RATIO_FREE, packed * RATIO_LIMIT))
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limit:
        raise too_large(f"{limit} bytes unpacked")
    for entry in entries:
        if entry.filename not in read:
            with archive.open(entry) as opened:
                while opened.read(PIECE):
                    pass


def _first_sheet(archive: zipfile.ZipFile, names: dict[str, str]) -> tuple[str, bool]:
    """The name of the first sheet's part, and whether days count from 1904."""
    sheets: list[str] = []
    targets: dict[str, str] = {}
    is_1904 = False

    def sheet(name: str, attributes: dict[str, str]) -> None:
        nonlocal is_1904
        kind = local_name(name)
        if kind == "sheet":
            sheets.append(next((attributes[key] for key in attributes if key.endswith(":id")), ""))
        elif kind == "workbookPr":
            is_1904 = attributes.get("date1904", "0") in ("1", "true", "on")

    def relation(name: str, attributes: dict[str, str]) -> None:
        if local_name(name) == "Relationship":
            targets[attributes["Id"]] = attributes["Target"]

    walk(_pieces(archive, names[_WORKBOOK.lower()], SMALL_PART_LIMIT), sheet)
    walk(_pieces(archive, names[_RELATIONS.lower()], SMALL_PART_LIMIT), relation)
    target = targets[sheets[0]]
    return names[(target[1:] if target.startswith("/") else f"xl/{target}").lower()], is_1904


class SharedTexts:
    """The texts that cells share, plain, in one buffer: a Python string for each would take three times as much."""

    def __init__(self, plain: PlainTexts) -> None:
        self._plain = plain
        self._buffer = bytearray()
        self._ends = array("I", [0])
        self._remembered: dict[int, str] = {}
        self._item: list[str] | None = None
        self._length = 0
        self._depth = 0
        self._phonetic = 0
        self._is_text = False

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        if (known := self._remembered.get(number)) is not None:
            return known
        text = self._buffer[self._ends[number] : self._ends[number + 1]].decode()
        if number < _REMEMBERED:
            self._remembered[number] = text
        return text

    def read(self, pieces: Iterable[bytes]) -> None:
        self._walk = Walk(self._start, self._end, self._text)
        for _ in self._walk.through(pieces, b"si", self._take):
            pass

    def _take(self, data: bytes, place: int) -> int:
        """Items of one plain text each, as nearly all are."""
        if not (found := _ITEMS.match(data, place)):
            return place
        for text in _ITEM_TEXT.findall(data, place, found.end()):
            self._keep(text.decode())
        return found.end()

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise unreadable()
        kind = name if ":" not in name else local_name(name)
        if kind == "t":
            self._is_text = not self._phonetic
        elif kind == "si":
            if self._depth != 2:
                raise unreadable()
            self._item, self._length = [], 0
        elif kind == "rPh":
            self._phonetic += 1

    def _end(self, name: str) -> None:
        self._depth -= 1
        kind = name if ":" not in name else local_name(name)
        if kind == "t":
            self._is_text = False
        elif kind == "si":
            self._walk.note_end()
            self._keep("".join(self._item or ()))
            self._item = None
        elif kind == "rPh":
            self._phonetic -= 1

    def _text(self, text: str) -> None:
        if self._is_text and self._item is not None and self._length <= _KEPT_LIMIT:
            self._item.append(text)
            self._length += len(text)

    def _keep(self, text: str) -> None:
        self._buffer += self._plain.of(unescaped(text)).encode()
        if len(self._buffer) > SHARED_TEXTS_LIMIT:
            raise too_large(f"{SHARED_TEXTS_LIMIT} bytes of text")
        self._ends.append(len(self._buffer))


_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """Characters that XML cannot hold are written _xHHHH_."""
    if "_x" not in text:
        return text
    return _ESCAPE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if 0xD800 <= code <= 0xDFFF else chr(code)


class _Styles:
    """Which styles show a number as a day."""

    def __init__(self) -> None:
        self._formats: dict[str, str] = {}
        self._cells: list[str] = []
        self._is_of_cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        kind = local_name(name)
        if kind == "cellXfs":
            self._is_of_cells = True
        elif kind == "xf" and self._is_of_cells:
            self._cells.append(attributes.get("numFmtId", "0")[:_NUMBER_LIMIT])
        elif kind == "numFmt":
            number = attributes.get("numFmtId", "")[:_NUMBER_LIMIT]
            self._formats[number] = attributes.get("formatCode", "")[:_FORMAT_LIMIT]
        if len(self._cells) + len(self._formats) > _STYLES_LIMIT:
            raise too_large(f"{_STYLES_LIMIT} styles")

    def end(self, name: str) -> None:
        if local_name(name) == "cellXfs":
            self._is_of_cells = False

    def dates(self) -> frozenset[int]:
        is_date = {number: is_date_format(code) for number, code in self._formats.items()}
        return frozenset(
            style
            for style, number in enumerate(self._cells)
            if is_date.get(number, number.isdecimal() and int(number) in _DATE_FORMATS)
        )


def is_date_format(code: str) -> bool:
    """Whether a number format shows a day, and not a mere time of day."""
    first = _SAID_LITERALLY.sub("", code).split(";", 1)[0].lower()
    if first == "general":
        return False
    # m beside hours or seconds is minutes.
    return "y" in first or "d" in first or ("m" in first and "h" not in first and "s" not in first)
