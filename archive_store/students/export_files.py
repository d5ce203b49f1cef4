"""The files of an export, CSV and XLSX, written a page of rows at a time: nothing is kept, nothing touches a disk.

Every cell is a text. In XLSX that is its type (`inlineStr`, with the number format "text"), so that no spreadsheet
computes it, shortens a long number or makes a date of it, also where the cell is edited. The apostrophe of `inert` is
kept there all the same: the type is lost where the sheet is saved as CSV, and the text would be a formula again.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, Protocol
from xml.sax.saxutils import escape

from archive_store.foundation.errors import ErrorCode, RegistrarError

# A spreadsheet holds 1,048,576; below this its part stays below 2 GiB, from where on ZIP needs what Excel may not take.
WORKBOOK_ROWS_LIMIT = 400_000
# Without it, spreadsheets take the file for one of the system's own encoding.
_BYTE_ORDER_MARK = "\ufeff"


class FileType(StrEnum):
    """What an export is written as; also the ending of its name."""

    CSV = "csv"
    XLSX = "xlsx"


class ExportFile(Protocol):
    """A file that is written. Each call returns the bytes that are ready, perhaps none."""

    def begin(self, headers: Sequence[str], widths: Sequence[int]) -> bytes:
        """The header row; `widths` in characters, where the file has widths."""

    def rows(self, lines: Iterable[Sequence[str]]) -> bytes:
        """Rows of cells, as many as there are headers. Raises TOO_LARGE where the file holds no more."""

    def end(self) -> bytes:
        """What makes the file whole."""


class CsvFile:
    """RFC 4180 in UTF-8 with a byte order mark, as spreadsheets take it."""

    def begin(self, headers: Sequence[str], widths: Sequence[int]) -> bytes:
        return _BYTE_ORDER_MARK.encode() + self.rows([headers])

    def rows(self, lines: Iterable[Sequence[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(lines)
        return text.getvalue().encode()

    def end(self) -> bytes:
        return b""


class WorkbookFile:
    """Office Open XML (ECMA-376) of one sheet: the header row is bold and stays in view.

    The archive goes to a sink that cannot be set back, so each part is written as it comes, without a size in front.
    Equal rows are equal bytes: no part has a date.
    """

    def __init__(self) -> None:
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION)
        self._letters: list[str] = []
        self._row = 0

    def begin(self, headers: Sequence[str], widths: Sequence[int]) -> bytes:
        for name, text in _PARTS.items():
            with self._archive.open(name, "w") as part:
                part.write(text.encode())
        self._letters = [column_letters(number) for number in range(len(headers))]
        self._sheet = self._archive.open("xl/worksheets/sheet1.xml", "w")
        cols = "".join(
            f'<col min="{number}" max="{number}" width="{width}" style="{_TEXT}" customWidth="1"/>'
            for number, width in enumerate(widths, start=1)
        )
        self._sheet.write(f"{_SHEET_BEGIN}<cols>{cols}</cols><sheetData>".encode())
        self._write([headers], _HEADER)
        return self._sink.taken()

    def rows(self, lines: Iterable[Sequence[str]]) -> bytes:
        self._write(lines, _TEXT)
        return self._sink.taken()

    def end(self) -> bytes:
        # A text of digits is meant: without this each cell has a mark of warning.
        last = f"{self._letters[-1]}{self._row}"
        self._sheet.write(
            f'</sheetData><ignoredErrors><ignoredError sqref="A1:{last}" numberStoredAsText="1"/></ignoredErrors>'
            "</worksheet>".encode()
        )
        self._sheet.close()
        self._archive.close()
        return self._sink.taken()

    def _write(self, lines: Iterable[Sequence[str]], style: int) -> None:
        pieces: list[str] = []
        for line in lines:
            self._row += 1
            if self._row > WORKBOOK_ROWS_LIMIT + 1:
                raise RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=f"{WORKBOOK_ROWS_LIMIT} rows")
            pieces.append(f'<row r="{self._row}">')
            pieces += [
                f'<c r="{letters}{self._row}" s="{style}" t="inlineStr"><is><t xml:space="preserve">'
                f"{xml_text(text)}</t></is></c>"
                for letters, text in zip(self._letters, line, strict=True)
                if text
            ]
            pieces.append("</row>")
        self._sheet.write("".join(pieces).encode())


def new_file(file_type: FileType) -> ExportFile:
    return CsvFile() if file_type is FileType.CSV else WorkbookFile()


def column_letters(number: int) -> str:
    """0 is A, 26 is AA."""
    letters = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(65 + digit) + letters
    return letters


_NO_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# ECMA-376, 22.9.2.19 (ST_Xstring): spreadsheets read `_x003D_` as =, so that the text itself is written otherwise.
_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


def xml_text(text: str) -> str:
    """A text as the content of an element. What XML cannot hold becomes U+FFFD, which shows that it was there."""
    if text.isalnum():  # nearly every cell
        return text
    text = _ESCAPE.sub("_x005F_", _NO_XML.sub("\ufffd", text))
    return escape(text, {"\r": "&#13;"})


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken; cannot be set back."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        written = bytes(piece)  # type: ignore[call-overload]
        self._pieces.append(written)
        return len(written)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


# Most of zlib's gain at a third of its time.
_COMPRESSION: Final = 3
_TEXT, _HEADER = 1, 2
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="学籍" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
    ),
    # Number format 49 is "@", text.
    "xl/styles.xml": (
        f'{_XML}<styleSheet xmlns="{_MAIN}">'
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>'
        '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    ),
}
_SHEET_BEGIN = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
    '<sheetFormatPr defaultRowHeight="15"/>'
)
