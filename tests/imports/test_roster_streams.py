"""Rosters of any size are read row by row; and the rows that are read in the quick way are read as all others are."""

from __future__ import annotations

import csv
import io
import re
import threading
import tracemalloc
import zipfile
from datetime import date
from itertools import islice

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

import archive_store.imports.sheet_lines as sheet_lines_module
from api.dev.roster import demo_rows, demo_workbook
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.cell_texts import FORMULA_CELL, PlainTexts, day_text, number_text
from archive_store.imports.roster_files import open_roster, read_roster
from archive_store.imports.sheet_lines import sheet_lines
from archive_store.imports.workbook_parts import SharedTexts, is_date_format, open_workbook
from tests.imports.test_roster_files import HEADERS, LIMIT, SHEET, csv_bytes, part, refused, table, zip_with

MIB = 1024 * 1024
CELLS = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.sampled_from(["_x0041_", "a_x000D_b", "<&>", " x ", "\u3000王\u3000晨", "true", "=1+1", "1e5"]),
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dates(date(1900, 3, 1), date(2200, 1, 1)),
)


def sheet(rows: list[list[object]], *, inline: bool, is_1904: bool = False) -> bytes:
    buffer = io.BytesIO()
    options = {
        "in_memory": True,
        "constant_memory": inline,
        "default_date_format": "yyyy-mm-dd",
        "date_1904": is_1904,
        "strings_to_formulas": False,
    }
    with xlsxwriter.Workbook(buffer, options) as book:
        written = book.add_worksheet()
        for position, row in enumerate(rows):
            for column, value in enumerate(row):
                if value is not None:
                    written.write(position, column, value)
        written.write_formula(len(rows), 1, "=1+1")
    return buffer.getvalue()


def lines_of(content: bytes) -> list[tuple[int, list[str]]]:
    lines = sheet_lines(open_workbook(io.BytesIO(content), PlainTexts()), LIMIT)
    return [(number, list(_without_blanks(line))) for number, line in lines if any(line)]


def _without_blanks(line: list[str]) -> list[str]:
    while line and not line[-1]:
        line = line[:-1]
    return line


def slow_lines_of(content: bytes, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[str]]]:
    with monkeypatch.context() as patch:
        patch.setattr(sheet_lines_module, "quick_row", lambda *_: None)
        patch.setattr(SharedTexts, "_take", lambda self, data, place: place)
        return lines_of(content)


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(st.lists(CELLS, max_size=8), max_size=12), inline=st.booleans(), is_1904=st.booleans())
def test_the_quick_way_reads_what_expat_reads(rows: list[list[object]], inline: bool, is_1904: bool) -> None:
    content = sheet(rows, inline=inline, is_1904=is_1904)
    with pytest.MonkeyPatch.context() as patch:
        assert lines_of(content) == slow_lines_of(content, patch)


def test_the_quick_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sheet of 200 rows nearly all: without it the tests of it would say nothing."""
    taken = 0

    def counted(*arguments: object) -> object:
        nonlocal taken
        found = quick_row(*arguments)  # type: ignore[arg-type]
        taken += found is not None
        return found

    quick_row = sheet_lines_module.quick_row
    monkeypatch.setattr(sheet_lines_module, "quick_row", counted)
    assert len(lines_of(demo_workbook(200))) == 201
    assert taken > 190


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (b"</row>", b"</row><!-- </row> -->"),
        (b"</row>", b"</row><!-- <row r='3'><c r='A3'><v>1</v></c></row> -->"),
        (b"</row>", b"</row >"),
        (b"</row>", b"</row>\n  "),
        (b"<v>", b"<v >"),
        (b"<row ", b"<row\n"),
        (b"<row ", b'<row x="</row>" '),
        (b"</c>", b"</c><!--x-->"),
        (b"</c>", b"</c >"),
        (b"<v>", b"<v><![CDATA["),
        (b't="s"', b"t='s'"),
        (b"<sheetData>", b"<sheetData><!--"),
        (b"</sheetData>", b'</sheetData><x><row r="9"><c r="A9"><v>9</v></c></row></x>'),
    ],
)
def test_other_spellings_read_alike_in_both_ways(
    written: bytes, instead: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = part(SHEET).replace(written, instead)
    if b"CDATA" in instead:
        body = body.replace(b"</v>", b"]]></v>")
    if instead.endswith(b"<!--"):
        body = body.replace(b"</sheetData>", b"--></sheetData>").replace(b"</row>", b"</row><!--x", 1)
    content = zip_with(SHEET, body)
    try:
        expected: object = slow_lines_of(content, monkeypatch)
    except Exception as error:
        expected = type(error)
    try:
        found: object = lines_of(content)
    except Exception as error:
        found = type(error)
    assert found == expected


def test_a_comment_hides_rows_from_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way begins behind a row that expat has closed, and nowhere else."""
    hidden = b'<!--<row r=\'7\'></row><row r="8"><c r="A8"><v>8</v></c></row>-->'
    content = zip_with(SHEET, part(SHEET).replace(b"</row>", b"</row>" + hidden))
    assert lines_of(content) == slow_lines_of(content, monkeypatch) == lines_of(demo_workbook(2))


def test_memory_does_not_grow_with_a_table() -> None:
    def peak(rows: int) -> int:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(HEADERS)
        writer.writerows([row.get(header, "") for header in HEADERS] for row in demo_rows(rows))
        file = io.BytesIO(text.getvalue().encode())
        del text, writer
        return _peak_of_reading(file, rows)

    peak(50)
    small, large = peak(500), peak(5_000)
    assert large < small + MIB


def test_memory_grows_with_the_texts_of_a_workbook_alone() -> None:
    """Which it holds as bytes: some 45 a text, of which the roster of 5,000 has 44,000."""
    small, large = (_peak_of_reading(io.BytesIO(demo_workbook(rows)), rows) for rows in (500, 5_000))
    assert large < small + 4 * MIB


def _peak_of_reading(file: io.BytesIO, rows: int) -> int:
    tracemalloc.start()
    reading = open_roster(file, row_limit=rows)
    assert sum(1 for _ in reading.rows) == rows
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    "content", [demo_workbook(400), csv_bytes([HEADERS, *table(HEADERS, 400)], "utf-8")], ids=["xlsx", "csv"]
)
def test_reading_goes_on_where_it_stopped_and_in_another_thread(content: bytes) -> None:
    rows = open_roster(io.BytesIO(content), row_limit=LIMIT).rows
    blocks: list[list[int]] = []

    def block() -> None:
        blocks.append([row.sheet_row for row in islice(rows, 150)])

    for _ in range(4):
        thread = threading.Thread(target=block)
        thread.start()
        thread.join()
    assert [len(held) for held in blocks] == [150, 150, 100, 0]
    assert [number for held in blocks for number in held] == list(range(2, 402))


def test_the_file_stays_the_callers() -> None:
    for content in (demo_workbook(3), csv_bytes([HEADERS, *table(HEADERS)], "utf-8")):
        file = io.BytesIO(content)
        assert len(list(open_roster(file, row_limit=LIMIT).rows)) == 3
        assert file.seek(0) == 0
        rows = open_roster(file, row_limit=LIMIT).rows
        next(rows)
        rows.close()
        assert not file.closed


def test_a_file_that_breaks_late_gives_its_rows_and_then_the_error() -> None:
    whole = csv_bytes([HEADERS, *table(HEADERS, 300)], "utf-8")
    rows = open_roster(io.BytesIO(whole + b'"never closed'), row_limit=LIMIT).rows
    assert len(list(islice(rows, 300))) == 300
    with pytest.raises(RegistrarError) as caught:
        next(rows)
    assert caught.value.code is ErrorCode.UNREADABLE_WORKBOOK


def test_rows_that_do_not_ascend_and_cells_that_share_a_place_are_refused() -> None:
    body = part(SHEET)
    again = re.sub(rb'<row r="3"', b'<row r="2"', body)
    assert refused(zip_with(SHEET, again)).code is ErrorCode.UNREADABLE_WORKBOOK
    cell = re.search(rb'<c r="B2"[^>]*>.*?</c>', body)
    assert cell
    twice = body.replace(cell[0], cell[0] * 2)
    assert refused(zip_with(SHEET, twice)).code is ErrorCode.UNREADABLE_WORKBOOK
    nested = body.replace(b"<row ", b"<row><row ", 1).replace(b"</row>", b"</row></row>", 1)
    assert refused(zip_with(SHEET, nested)).code is ErrorCode.UNREADABLE_WORKBOOK


def test_too_many_entries_are_counted_before_the_directory_is_read() -> None:
    target = io.BytesIO(demo_workbook(2))
    with zipfile.ZipFile(target, "a") as out:
        for number in range(30_000):
            out.writestr(zipfile.ZipInfo(f"{number}"), b"")
    content = target.getvalue()
    tracemalloc.start()
    assert refused(content).code is ErrorCode.TOO_LARGE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(content) + 4 * MIB


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(compression: int) -> None:
    source, target = zipfile.ZipFile(io.BytesIO(demo_workbook(2))), io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as out:
        for entry in source.infolist():
            out.writestr(entry.filename, source.read(entry))
    assert refused(target.getvalue()).code is ErrorCode.UNREADABLE_WORKBOOK


@pytest.mark.parametrize("count", [63, 64, 65, 300])
def test_a_cell_of_many_runs_is_one_text(count: int) -> None:
    found = re.search(rb'<c r="E2"[^>]*>.*?</c>', part(SHEET))
    assert found
    runs = b"".join(b"<r><t>%d</t></r>" % (number % 10) for number in range(count))
    phonetic = b"<rPh><t>not shown</t></rPh>"
    body = part(SHEET).replace(found[0], b'<c r="E2" t="inlineStr"><is>%s%s</is></c>' % (runs, phonetic))
    rows = read_roster(zip_with(SHEET, body), row_limit=LIMIT)
    assert rows[0].cells["籍贯"] == "".join(str(number % 10) for number in range(count))


@pytest.mark.parametrize(
    ("code", "is_date"),
    [
        ("yyyy-mm-dd", True),
        ('yyyy"年"m"月"', True),
        ("[$-804]aaaa;@", False),
        ("[$-F800]dddd, mmmm dd, yyyy", True),
        ("m/d", True),
        ("mmm", True),
        ("h:mm:ss", False),
        ("[h]:mm", False),
        ("mm:ss", False),
        ("General", False),
        ('0"days"', False),
        ("[Red]0.00", False),
        ("0.00_d", False),
        ("\\d0", False),
        ("@", False),
    ],
)
def test_formats_that_show_a_day(code: str, is_date: bool) -> None:
    assert is_date_format(code) is is_date


@pytest.mark.parametrize(
    ("serial", "is_1904", "day"),
    [
        ("1", False, "1900-01-01"),
        ("59", False, "1900-02-28"),
        ("60", False, "60"),
        ("61", False, "1900-03-01"),
        ("40666", False, "2011-05-03"),
        ("40666.75", False, "2011-05-03"),
        ("39204", True, "2011-05-03"),
        ("1", True, "1904-01-02"),
        ("0", False, "0"),
        ("-5", False, "-5"),
        ("2958465", False, "9999-12-31"),
        ("2958466", False, "2958466"),
        ("2958465", True, "2958465"),
        ("1e300", False, "\0inexact number"),
        ("x", False, "x"),
    ],
)
def test_days_of_both_systems(serial: str, is_1904: bool, day: str) -> None:
    assert day_text(serial, is_1904=is_1904) == day


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ("7", "7"),
        ("7.0", "7"),
        ("007", "7"),
        ("2.5", "2.5"),
        ("1E3", "1000"),
        ("999999999999999", "999999999999999"),
        ("1000000000000000", "\0inexact number"),
        ("330106201009080010", "\0inexact number"),
        ("1e999", "\0inexact number"),
        ("-3", "-3"),
        ("nan", None),
        ("1_000", None),
        ("٣", None),
        ("", None),
        ("0x10", None),
    ],
)
def test_numbers_as_a_person_sees_them(kept: str, shown: str | None) -> None:
    assert number_text(kept) == shown


@pytest.mark.parametrize(
    ("number_format", "is_day"), [(14, True), (31, True), (57, True), (20, False), (2, False)]
)
def test_days_under_formats_that_a_file_does_not_write_out(number_format: int, is_day: bool) -> None:
    name = "xl/styles.xml"
    content = sheet([[date(2011, 5, 3)]], inline=False)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    parts[name] = parts[name].replace(b'numFmtId="164"', b'numFmtId="%d"' % number_format)
    parts[name] = re.sub(rb"<numFmts.*?</numFmts>", b"", parts[name])
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as out:
        for entry, body in parts.items():
            out.writestr(entry, body)
    assert lines_of(target.getvalue())[0] == (1, ["2011-05-03" if is_day else "40666"])


def test_a_serial_number_is_a_day_by_its_style_alone() -> None:
    styled = lines_of(sheet([[date(2011, 5, 3), 40666]], inline=False))
    assert styled[0] == (1, ["2011-05-03", "40666"])
    assert styled[-1] == (2, ["", FORMULA_CELL])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_tables_with_any_delimiter_in_any_encoding(delimiter: str, encoding: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows([["花名册;2023,春"], HEADERS, *table(HEADERS)])
    expected = read_roster(workbook_of(["花名册"], HEADERS, *table(HEADERS)), row_limit=LIMIT)
    assert read_roster(buffer.getvalue().encode(encoding), row_limit=LIMIT) == expected


def workbook_of(*rows: list[object]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        written = book.add_worksheet()
        for position, row in enumerate(rows):
            written.write_row(position, 0, row)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_refused(encoding: str) -> None:
    assert refused(csv_bytes([HEADERS, *table(HEADERS)], encoding)).code is ErrorCode.UNREADABLE_WORKBOOK


def test_a_nul_in_marked_utf_16_is_refused() -> None:
    content = csv_bytes([HEADERS, ["a\0b", *table(HEADERS)[0][1:]]], "utf-16")
    assert refused(content).code is ErrorCode.UNREADABLE_WORKBOOK


def test_broken_bytes_late_in_a_table_are_refused_at_once() -> None:
    """Neither UTF-8 nor GB18030: nothing of it is read."""
    content = csv_bytes([HEADERS, *table(HEADERS, 50)], "utf-8") + b"\xff\xff"
    assert refused(content).code is ErrorCode.UNREADABLE_WORKBOOK
