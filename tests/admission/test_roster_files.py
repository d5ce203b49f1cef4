"""Roster files: what is read of them, and what is refused before it is read."""

from __future__ import annotations

import csv
import io
import random
import zipfile

import pytest
import xlsxwriter

from api.dev.roster import demo_rows, demo_workbook
from archive_store.admission.roster_columns import COLUMNS
from archive_store.admission.roster_files import read_roster
from archive_store.admission.rules import check_rows
from archive_store.foundation.errors import ErrorCode, RegistrarError

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
    assert cells["姓名"] == "王  晨"


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
