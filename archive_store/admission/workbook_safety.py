"""What is measured and refused of an XLSX archive before its reader sees it."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import defaultdict
from xml.etree import ElementTree

from archive_store.foundation.errors import ErrorCode, RegistrarError

ENTRIES_LIMIT = 1_000
UNPACKED_LIMIT = 200 * 1024 * 1024
# Reading cells takes a multiple of this in memory.
SHEET_LIMIT = 100 * 1024 * 1024
_PIECE = 64 * 1024
_FORMULA_CELL = re.compile(
    rb'<c [^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]*(?<!/)>(?:(?!</c>).)*?<f[ >/]', re.DOTALL
)
_RELATIONSHIP_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_ROW = re.compile(rb'<row\b[^>]*?\br="([0-9]+)"')
_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def check_workbook(content: bytes, *, row_limit: int) -> None:
    """UNREADABLE_WORKBOOK for what is no workbook, TOO_LARGE for what unpacks to too much.

    Sizes are taken by unpacking, with a cap, since the archive's directory can lie.
    """
    unpacked = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > ENTRIES_LIMIT:
                raise _too_large(f"{ENTRIES_LIMIT} files")
            names = {entry.filename for entry in entries}
            if "xl/workbook.xml" not in names:
                raise RegistrarError(ErrorCode.UNREADABLE_WORKBOOK, field="file")
            for entry in entries:
                with archive.open(entry) as opened:
                    start = b""
                    while piece := opened.read(_PIECE):
                        unpacked += len(piece)
                        if unpacked > UNPACKED_LIMIT:
                            raise _too_large(f"{UNPACKED_LIMIT} bytes unpacked")
                        start = start or piece
                if entry.filename.endswith(".xml") and _DECLARATION.search(start):
                    raise RegistrarError(ErrorCode.UNREADABLE_WORKBOOK, field="file")
            for name in names:
                if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                    _check_sheet(archive.read(name), row_limit)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise RegistrarError(ErrorCode.UNREADABLE_WORKBOOK, field="file") from error


def _check_sheet(sheet: bytes, row_limit: int) -> None:
    if len(sheet) > SHEET_LIMIT:
        raise _too_large(f"{SHEET_LIMIT} bytes unpacked")
    # A single cell in a far corner makes the reader lay out everything before it.
    if any(int(number) > row_limit + 1_000 for number in _ROW.findall(sheet)):
        raise _too_large(f"{row_limit} rows")
    if re.search(rb'<c [^>]*?\br="[A-Z]{3}', sheet):
        raise _too_large("702 columns")


def formula_cells(content: bytes) -> dict[int, list[int]]:
    """Row number (from 1) to column numbers (from 0) of the first sheet's cells that hold a formula."""
    found: dict[int, list[int]] = defaultdict(list)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = _first_sheet(archive)
        for letters, row in _FORMULA_CELL.findall(archive.read(name) if name else b""):
            column = 0
            for letter in letters:
                column = column * 26 + letter - ord("A") + 1
            found[int(row)].append(column - 1)
    return found


def _first_sheet(archive: zipfile.ZipFile) -> str | None:
    """Name of the first sheet's file, by the workbook and its relationships."""
    try:
        # Declarations were refused by check_workbook, so no entity can be expanded.
        workbook = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    except (ElementTree.ParseError, KeyError) as error:
        raise RegistrarError(ErrorCode.UNREADABLE_WORKBOOK, field="file") from error
    sheet = next((item for item in workbook.iter() if item.tag.endswith("}sheet")), None)
    wanted = None if sheet is None else sheet.get(_RELATIONSHIP_ID)
    target = next((item.get("Target", "") for item in relations if item.get("Id") == wanted), "")
    name = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return name if name in archive.namelist() else None


def _too_large(limit: str) -> RegistrarError:
    return RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=limit)
