"""Roster files: what is read of them, and what is refused before it is read."""

from __future__ import annotations

import csv
import io
import random
import re
import tracemalloc
import zipfile
from datetime import date

import pytest
import xlsxwriter

from api.dev.roster import demo_rows, demo_workbook
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.roster_columns import COLUMNS
from archive_store.imports.roster_files import read_roster
from archive_store.imports.rules import check_rows

HEADERS = [column.header for column in COLUMNS]
LIMIT = 5_000


def workbook(rows: list[list[object]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for position, row in enumerate(rows):
            sheet.write_row(position, 0, row)
    return buffer.getvalue()


def table(headers: list[str], count: int = 3) -> list[list[object]]:
    return [[row.get(header, "") for header in headers] for row in demo_rows(count)]


def refused(content: bytes) -> RegistrarError:
    with pytest.raises(RegistrarError) as caught:
        read_roster(content, row_limit=LIMIT)
    return caught.value


def csv_bytes(rows: list[list[object]], encoding: str) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode(encoding)


def test_title_rows_blank_rows_and_any_column_order() -> None:
    shuffled = HEADERS[:]
    random.Random(7).shuffle(shuffled)
    data = table(shuffled)
    rows = read_roster(workbook([["2023级新生花名册"], [], shuffled, data[0], [], data[1]]), row_limit=LIMIT)
    assert [row.sheet_row for row in rows] == [4, 6]
    expected = [{k: v for k, v in row.items() if v} for row in list(demo_rows(2))]
    assert [row.cells for row in rows] == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_in_each_encoding_reads_as_the_workbook_does(encoding: str) -> None:
    data = [HEADERS, *table(HEADERS)]
    assert read_roster(csv_bytes(data, encoding), row_limit=LIMIT) == read_roster(
        workbook(data), row_limit=LIMIT
    )


def test_numbers_and_full_width_text_are_read_as_a_person_sees_them() -> None:
    row = dict(zip(HEADERS, table(HEADERS, 1)[0], strict=True))
    row |= {
        "姓名": " 王  晨 ",
        "出生日期": 20101101,
        "班内学号": 7.0,
        "入学年月": 202309,
        "联系电话": "13900000000",
    }
    cells = read_roster(workbook([HEADERS, list(row.values())]), row_limit=LIMIT)[0].cells
    assert cells["出生日期"] == "20101101"
    assert (cells["班内学号"], cells["入学年月"], cells["联系电话"]) == ("7", "202309", "13900000000")
    assert cells["姓名"] == "王 晨"


def test_an_identity_number_kept_as_a_number_is_refused_not_guessed() -> None:
    row = dict(zip(HEADERS, table(HEADERS, 1)[0], strict=True)) | {"身份证件号": 330106201009080010}
    check = check_rows(read_roster(workbook([HEADERS, list(row.values())]), row_limit=LIMIT))
    assert [(e.column, e.code) for e in check.bad[0].errors] == [("身份证件号", ErrorCode.INEXACT_NUMBER)]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "-2+3", "+cmd|' /C calc'!A0"])
def test_text_that_starts_like_a_formula_is_refused(text: str) -> None:
    row = dict(zip(HEADERS, table(HEADERS, 1)[0], strict=True)) | {"籍贯": text}
    check = check_rows(read_roster(csv_bytes([HEADERS, list(row.values())], "utf-8"), row_limit=LIMIT))
    assert [(e.column, e.code) for e in check.bad[0].errors] == [("籍贯", ErrorCode.FORMULA)]


def test_a_formula_cell_is_refused_even_with_a_harmless_result() -> None:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADERS)
        sheet.write_row(1, 0, table(HEADERS, 1)[0])
        sheet.write_formula(1, HEADERS.index("籍贯"), '="北京"&"市"', None, "北京市")
        other = book.add_worksheet()
        other.write_formula(1, 0, "=1+1")
    check = check_rows(read_roster(buffer.getvalue(), row_limit=LIMIT))
    assert [(e.column, e.code) for e in check.bad[0].errors] == [("籍贯", ErrorCode.FORMULA)]


def test_plus_86_in_a_phone_column_is_no_formula() -> None:
    row = dict(zip(HEADERS, table(HEADERS, 1)[0], strict=True)) | {
        "联系电话": "+86 13900000000".replace(" ", "")
    }
    assert not check_rows(read_roster(workbook([HEADERS, list(row.values())]), row_limit=LIMIT)).bad


def test_files_that_are_no_roster() -> None:
    assert refused(b"").code is ErrorCode.EMPTY_FILE
    assert refused(b"  \n ").code is ErrorCode.EMPTY_FILE
    assert refused(workbook([HEADERS])).code is ErrorCode.EMPTY_FILE
    assert refused(b"PK\x03\x04 broken").code is ErrorCode.UNREADABLE_WORKBOOK
    assert refused(demo_workbook(3)[:-200]).code is ErrorCode.UNREADABLE_WORKBOOK
    assert refused(b"\xff\xfe\x00\x01\x80").code is ErrorCode.UNREADABLE_WORKBOOK
    assert refused(b"\x89PNG\r\n\x1a\n" + bytes(100)).code in (
        ErrorCode.UNREADABLE_WORKBOOK,
        ErrorCode.HEADER_NOT_FOUND,
    )


@pytest.mark.parametrize("damage", range(0, 100, 7))
def test_damage_anywhere_is_an_error_or_a_roster_never_a_crash(damage: int) -> None:
    content = bytearray(demo_workbook(3))
    place = len(content) * damage // 100
    content[place : place + 16] = b"\xff" * 16
    try:
        read_roster(bytes(content), row_limit=LIMIT)
    except RegistrarError as error:
        assert error.code in (ErrorCode.UNREADABLE_WORKBOOK, ErrorCode.EMPTY_FILE, ErrorCode.HEADER_NOT_FOUND)


def test_headers_are_named_when_they_are_wrong() -> None:
    missing = refused(workbook([HEADERS[1:], table(HEADERS[1:], 1)[0]]))
    assert missing.code is ErrorCode.HEADER_NOT_FOUND
    assert "姓名" in missing.message.zh
    unknown = refused(workbook([[*HEADERS, "星座"], [*table(HEADERS, 1)[0], "狮子"]]))
    assert (unknown.code, "星座" in unknown.message.zh) == (ErrorCode.UNKNOWN_COLUMN, True)
    twice = refused(workbook([[*HEADERS, "姓名"], [*table(HEADERS, 1)[0], "王"]]))
    assert (twice.code, "姓名" in twice.message.zh) == (ErrorCode.DUPLICATE_COLUMN, True)


def zip_with(name: str, content: bytes) -> bytes:
    source, target = zipfile.ZipFile(io.BytesIO(demo_workbook(2))), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for entry in source.infolist():
            if entry.filename != name:
                out.writestr(entry.filename, source.read(entry))
        out.writestr(name, content)
    return target.getvalue()


def test_a_zip_bomb_is_refused_before_it_unpacks() -> None:
    bomb = zip_with("xl/media/image1.png", bytes(300 * 1024 * 1024))
    assert len(bomb) < 1024 * 1024
    assert refused(bomb).code is ErrorCode.TOO_LARGE


def test_a_cell_in_a_far_corner_is_refused() -> None:
    sheet = zipfile.ZipFile(io.BytesIO(demo_workbook(2))).read("xl/worksheets/sheet1.xml")
    far = sheet.replace(b"</sheetData>", b'<row r="1048576"><c r="A1048576"><v>1</v></c></row></sheetData>')
    assert refused(zip_with("xl/worksheets/sheet1.xml", far)).code is ErrorCode.TOO_LARGE


def test_an_entity_declaration_is_refused() -> None:
    sheet = zipfile.ZipFile(io.BytesIO(demo_workbook(2))).read("xl/worksheets/sheet1.xml")
    declared = sheet.replace(b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet', 1)
    assert refused(zip_with("xl/worksheets/sheet1.xml", declared)).code is ErrorCode.UNREADABLE_WORKBOOK


def test_more_rows_than_allowed() -> None:
    with pytest.raises(RegistrarError) as caught:
        read_roster(demo_workbook(11), row_limit=10)
    assert caught.value.code is ErrorCode.TOO_LARGE
    assert len(read_roster(demo_workbook(10), row_limit=10)) == 10


SHEET = "xl/worksheets/sheet1.xml"


def part(name: str) -> bytes:
    return zipfile.ZipFile(io.BytesIO(demo_workbook(2))).read(name)


def native_place_cell() -> bytes:
    """The cell of 籍贯 in the first row below the header."""
    found = re.search(rb'<c r="E2"[^>]*>.*?</c>', part(SHEET))
    assert found
    return found[0]


@pytest.mark.parametrize(
    "cell",
    [
        b"<c r='E2' t='str'><f>1+1</f><v>x</v></c>",
        b'<c\nr="E2" t="str"><f\n>1+1</f><v>x</v></c>',
        b'<c t="str"><f>1+1</f><v>x</v></c>',
        b'<c r="E2" t="str"><!-- </c> --><f>1+1</f><v>x</v></c>',
        b'<c r="E2"><f>1+1</f></c>',
        b'<c r="E2" t="e"><v>#REF!</v></c>',
    ],
    ids=["quotes", "line-breaks", "no-reference", "comment", "no-value", "error-value"],
)
def test_a_formula_is_found_however_it_is_written(cell: bytes) -> None:
    content = zip_with(SHEET, part(SHEET).replace(native_place_cell(), cell))
    check = check_rows(read_roster(content, row_limit=LIMIT))
    assert [(bad.sheet_row, e.column, e.code) for bad in check.bad for e in bad.errors] == [
        (2, "籍贯", ErrorCode.FORMULA)
    ]


def test_a_formula_is_found_under_a_namespace_prefix() -> None:
    """As some libraries write every sheet."""
    cell = b'<c r="E2" t="str"><f>1+1</f><v>x</v></c>'
    body = part(SHEET).split(b"?>", 1)[1].replace(native_place_cell(), cell).replace(b"xmlns=", b"xmlns:x=")
    prefixed = re.sub(rb"<(/?)([a-zA-Z]+)(?=[ />])", rb"<\1x:\2", body)
    check = check_rows(read_roster(zip_with(SHEET, prefixed), row_limit=LIMIT))
    assert [(e.column, e.code) for bad in check.bad for e in bad.errors] == [("籍贯", ErrorCode.FORMULA)]


def test_a_formula_in_the_header_row() -> None:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADERS)
        sheet.write_row(1, 0, table(HEADERS, 1)[0])
        sheet.write_formula(0, len(HEADERS), '="星座"', None, "星座")
    assert refused(buffer.getvalue()).code is ErrorCode.FORMULA


def far_cell(position: str, row: str) -> bytes:
    cell = f"<row {row}><c r='{position}'><v>1</v></c></row></sheetData>".encode()
    return zip_with(SHEET, part(SHEET).replace(b"</sheetData>", cell))


@pytest.mark.parametrize(
    ("position", "row"),
    [
        ("A1048576", 'r="1048576"'),
        ("A1048576", "r='1048576'"),
        ("A1048576", 'r="9"'),
        ("A1048576", ""),
        ("XFD9", 'r="9"'),
    ],
)
def test_a_far_cell_is_refused_wherever_its_row_claims_to_be(position: str, row: str) -> None:
    assert refused(far_cell(position, row)).code is ErrorCode.TOO_LARGE


def test_far_cells_that_hold_nothing_do_no_harm() -> None:
    styled = b'<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>'
    content = zip_with(SHEET, part(SHEET).replace(b"</sheetData>", styled))
    assert len(read_roster(content, row_limit=LIMIT)) == 2


def shared(items: bytes, cells: int) -> bytes:
    name = "xl/sharedStrings.xml"
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rows = b"".join(
        b'<row r="%d">' % row + b'<c t="s"><v>1</v></c>' * 10 + b"</row>" for row in range(1, cells // 10 + 1)
    )
    sheet = b"<worksheet %s><sheetData>%s</sheetData></worksheet>" % (space, rows)
    strings = b"<sst %s>%s</sst>" % (space, items)
    source, target = zipfile.ZipFile(io.BytesIO(zip_with(SHEET, sheet))), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for entry in source.infolist():
            out.writestr(entry.filename, strings if entry.filename == name else source.read(entry))
    return target.getvalue()


def test_one_long_text_in_many_cells_is_kept_once_and_cut() -> None:
    """A few kilobytes of file would take all memory if each cell had a copy."""
    long = b"<si><t>%s</t></si>" % (b"x" * 1_000_000)
    short = b"<si><t>x</t></si>"
    tracemalloc.start()
    assert refused(shared(short + long, 50_000)).code is ErrorCode.HEADER_NOT_FOUND
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_a_file_that_shrinks_a_hundredfold_is_refused() -> None:
    assert refused(zip_with("docProps/x.xml", bytes(20 * 1024 * 1024))).code is ErrorCode.TOO_LARGE


def test_a_directory_that_lies_about_sizes_is_refused() -> None:
    bomb = bytearray(zip_with("xl/media/image1.png", bytes(300 * 1024 * 1024)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        name = b"xl/media/image1.png"
        start = 0
        while (start := bomb.find(signature, start)) >= 0:
            header = 30 if signature == b"PK\x03\x04" else 46
            if bomb[start + header : start + header + len(name)] == name:
                bomb[start + offset : start + offset + 4] = (1000).to_bytes(4, "little")
            start += 4
    assert refused(bytes(bomb)).code in (ErrorCode.UNREADABLE_WORKBOOK, ErrorCode.TOO_LARGE)


def test_too_many_parts() -> None:
    target = io.BytesIO(demo_workbook(2))
    with zipfile.ZipFile(target, "a") as out:
        for number in range(1_001):
            out.writestr(f"x/{number}", b"")
    assert refused(target.getvalue()).code is ErrorCode.TOO_LARGE


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", [SHEET, SHEET.upper()])
def test_two_parts_of_one_name_are_refused(name: str) -> None:
    target = io.BytesIO(demo_workbook(2))
    with zipfile.ZipFile(target, "a") as out:
        out.writestr(name, part(SHEET))
    assert refused(target.getvalue()).code is ErrorCode.UNREADABLE_WORKBOOK


@pytest.mark.parametrize(
    "name", [SHEET, "xl/_rels/workbook.xml.rels", "xl/workbook.xml", "xl/sharedStrings.xml"]
)
@pytest.mark.parametrize("before", [b"", b"<!--" + b" " * 70_000 + b"-->"], ids=["first", "late"])
def test_a_doctype_is_refused_in_every_part_that_is_read(name: str, before: bytes) -> None:
    body = before + b'<!DOCTYPE x [<!ENTITY a "b">]>' + part(name).split(b"?>", 1)[1]
    assert refused(zip_with(name, body)).code is ErrorCode.UNREADABLE_WORKBOOK


def test_a_sheet_in_another_encoding_than_it_is_walked_in_is_refused() -> None:
    body = '<?xml version="1.0" encoding="UTF-16"?>' + part(SHEET).decode().split("?>", 1)[1]
    assert refused(zip_with(SHEET, body.encode("utf-16"))).code is ErrorCode.UNREADABLE_WORKBOOK


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_a_sheet_hidden_in_the_bytes_of_utf_16_text_is_refused(mark: str) -> None:
    """Read as UTF-16 it is one empty element; read as bytes it is a sheet."""
    hidden = part(SHEET).split(b"?>", 1)[1]
    hidden += b" " * (len(hidden) % 2)
    body = f"\ufeff<a>{hidden.decode(mark, 'ignore')}</a>".encode(mark)
    assert refused(zip_with(SHEET, body)).code is ErrorCode.UNREADABLE_WORKBOOK


def test_a_byte_order_mark_before_a_part_is_allowed() -> None:
    assert len(read_roster(zip_with(SHEET, b"\xef\xbb\xbf" + part(SHEET)), row_limit=LIMIT)) == 2


def test_other_spreadsheet_formats_inside_an_archive_are_not_tried() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as out:
        out.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        out.writestr("content.xml", "<x/>")
    assert refused(target.getvalue()).code is ErrorCode.UNREADABLE_WORKBOOK


def test_an_error_tells_nothing_of_the_library() -> None:
    error = refused(demo_workbook(3)[:-200])
    assert str(error) == "unreadable_workbook: The file cannot be read as XLSX, XLS or CSV."


def test_a_value_under_no_header_is_named_not_lost() -> None:
    values = table(HEADERS, 1)[0]
    gap = [*HEADERS[:3], "", *HEADERS[3:]]
    between = refused(workbook([gap, [*values[:3], "lost", *values[3:]]]))
    assert (between.code, "D" in between.message.en) == (ErrorCode.UNKNOWN_COLUMN, True)
    assert len(read_roster(workbook([gap, [*values[:3], "", *values[3:]]]), row_limit=LIMIT)) == 1
    beyond = refused(workbook([HEADERS, [*values, "lost"]]))
    assert (beyond.code, "AR" in beyond.message.en) == (ErrorCode.UNKNOWN_COLUMN, True)


def test_a_roster_has_a_column_for_identity_numbers() -> None:
    headers = [header for header in HEADERS if header != "身份证件号"]
    error = refused(workbook([headers, table(headers, 1)[0]]))
    assert (error.code, error.details["missing"]) == (ErrorCode.HEADER_NOT_FOUND, "身份证件号")


def test_dates_and_booleans_of_a_spreadsheet() -> None:
    row = dict(zip(HEADERS, table(HEADERS, 1)[0], strict=True))
    birth = date.fromisoformat(f"{row['出生日期'][:4]}-{row['出生日期'][4:6]}-{row['出生日期'][6:]}")
    row |= {"出生日期": birth, "入学年月": date(2023, 9, 1), "是否孤儿": True}
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADERS)
        sheet.write_row(1, 0, list(row.values()))
    check = check_rows(read_roster(buffer.getvalue(), row_limit=LIMIT))
    assert not check.bad
    values = check.good[0].values
    assert (values["birth_date"], values["enrolled_month"]) == (birth.isoformat(), "2023-09")
    assert values["is_orphan"] is True


def test_a_csv_of_blank_lines_ends_where_its_rows_end() -> None:
    text = csv_bytes([HEADERS, *table(HEADERS, 2)], "utf-8") + (b"," * 41 + b"\r\n") * 20_000
    assert len(read_roster(text, row_limit=5)) == 2


def test_more_columns_than_allowed() -> None:
    assert refused(csv_bytes([[*HEADERS, *[""] * 200]], "utf-8")).code is ErrorCode.TOO_LARGE


def test_the_demo_roster_is_the_same_each_time_and_repeats_no_number() -> None:
    assert list(demo_rows(50, seed=4)) == list(demo_rows(50, seed=4)) != list(demo_rows(50, seed=5))
    rows = list(demo_rows(5_000))
    for header in ("身份证件号", "全国学籍号", "学籍辅号"):
        assert len({row[header] for row in rows}) == len(rows)
    assert not check_rows(read_roster(demo_workbook(200), row_limit=LIMIT)).bad
