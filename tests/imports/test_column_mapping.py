"""Rosters under other headers than ours: what is suggested for a column, and what a mapping makes of it."""

from __future__ import annotations

import io
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archive_store.imports.column_mapping as module
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.column_mapping import (
    Certainty,
    column_map,
    suggest_mapping,
    sure_mapping,
)
from archive_store.imports.roster_columns import COLUMN_BY_HEADER, REQUIRED_HEADERS
from archive_store.imports.roster_files import open_roster, open_sheet
from tests.imports.test_roster_files import HEADERS, csv_bytes, table, workbook

LIMIT = 5_000
# Ours to what a school writes.
THEIRS = {
    "姓名": "学生姓名",
    "性别": " 性 别*",
    "身份证件号": "身份证号码(必填)",
    "联系电话": "手机",
    "成员1姓名": "家长姓名",
    "现住址": "家庭住址",
}


def their_headers() -> list[str]:
    return [THEIRS.get(header, header) for header in HEADERS]


def mapping_of(headers: list[str]) -> dict[str, str | None]:
    return dict(sure_mapping(headers))


def refusal(headers: list[str], mapping: dict[str, str | None] | None = None) -> RegistrarError:
    with pytest.raises(RegistrarError) as caught:
        column_map(headers, mapping)
    return caught.value


@pytest.mark.parametrize(
    ("header", "column", "certainty"),
    [
        ("姓名", "姓名", Certainty.EXACT),
        ("姓 名", "姓名", Certainty.SQUEEZED),
        ("*姓名", "姓名", Certainty.SQUEEZED),
        ("姓名(必填)", "姓名", Certainty.SQUEEZED),
        ("国籍地区", "国籍/地区", Certainty.SQUEEZED),
        ("学生姓名", "姓名", Certainty.SYNONYM),
        ("Date of Birth", "出生日期", Certainty.SYNONYM),
        ("身份证号", "身份证件号", Certainty.SYNONYM),
        ("证件号码", "身份证件号", Certainty.SYNONYM),
        ("学籍号", "全国学籍号", Certainty.SYNONYM),
        ("班号", "班级", Certainty.SYNONYM),
        ("手机", "联系电话", Certainty.SYNONYM),
        ("家长姓名", "成员1姓名", Certainty.SYNONYM),
        ("户口所在地行政区域码", "户口所在地行政区划码", Certainty.SIMILAR),
        ("星座", None, Certainty.NONE),
        ("", None, Certainty.NONE),
    ],
)
def test_what_is_suggested(header: str, column: str | None, certainty: Certainty) -> None:
    (suggestion,) = suggest_mapping([header])
    assert (suggestion.header, suggestion.column, suggestion.certainty) == (header, column, certainty)
    assert suggestion.is_sure == (certainty in (Certainty.EXACT, Certainty.SQUEEZED, Certainty.SYNONYM))


def test_each_column_of_ours_is_suggested_once_for_the_surest() -> None:
    suggestions = suggest_mapping(["学生姓名", "姓名", "手机", "电话"])
    assert [suggestion.column for suggestion in suggestions] == [None, "姓名", "联系电话", None]
    assert sure_mapping(["学生姓名", "姓名", "手机"]) == {"手机": "联系电话"}


def test_no_spelling_stands_for_two_columns() -> None:
    also = json.loads(module._DATA.read_text(encoding="utf-8"))["also"]
    spellings = [module._squeezed(spelling) for held in also.values() for spelling in held]
    assert set(also) <= set(COLUMN_BY_HEADER)
    assert len(set(spellings)) == len(spellings)
    assert not set(spellings) & {module._squeezed(header) for header in COLUMN_BY_HEADER}


@pytest.mark.parametrize("make", [workbook, lambda rows: csv_bytes(rows, "gb18030")], ids=["xlsx", "csv"])
def test_a_roster_of_another_school_reads_as_ours(make: object) -> None:
    rows = table(HEADERS)
    ours = open_roster(io.BytesIO(workbook([HEADERS, *rows])), row_limit=LIMIT)
    content = make([["新生名单"], [], their_headers(), *rows])  # type: ignore[operator]
    sheet = open_sheet(io.BytesIO(content), row_limit=LIMIT)
    mapping = mapping_of(list(sheet.headers))
    theirs = open_roster(io.BytesIO(content), row_limit=LIMIT, mapping=mapping)
    assert (sheet.header_row, theirs.header_row) == (3, 3)
    assert theirs.columns.ignored == ()
    assert [row.cells for row in theirs.rows] == [row.cells for row in ours.rows]
    # The same rows may be read before anybody says which columns they are.
    columns = column_map(sheet.headers, mapping)
    ours = open_roster(io.BytesIO(workbook([HEADERS, *rows])), row_limit=LIMIT)
    assert [columns.cells(row.texts) for row in sheet.rows] == [row.cells for row in ours.rows]


def test_a_column_is_ignored_only_where_the_mapping_says_so() -> None:
    headers = [*HEADERS, "星座"]
    unknown = refusal(headers)
    assert (unknown.code, unknown.details["name"]) == (ErrorCode.UNKNOWN_COLUMN, "星座")
    for nothing in ("", None):
        columns = column_map(headers, {"星座": nothing})
        assert columns.ignored == ("星座",)
        assert "星座" not in columns.cells([*["x"] * len(HEADERS), "狮子"])


def test_mappings_that_say_too_much() -> None:
    assert refusal(HEADERS, {"星座": "姓名"}).code is ErrorCode.UNKNOWN_COLUMN
    assert refusal([*HEADERS, "x"], {"x": "星座"}).code is ErrorCode.UNKNOWN_COLUMN
    assert refusal([*HEADERS, "手机"], {"手机": "联系电话"}).code is ErrorCode.DUPLICATE_COLUMN
    missing = refusal(HEADERS, {"姓名": None})
    assert (missing.code, missing.details["missing"]) == (ErrorCode.HEADER_NOT_FOUND, "姓名")


def test_a_sheet_that_is_no_roster_is_told_what_it_lacks() -> None:
    error = refusal(["姓名", "成绩", "名次"])
    assert (error.code, error.details["missing"][:2]) == (ErrorCode.HEADER_NOT_FOUND, "性别")


def test_two_columns_may_change_places() -> None:
    columns = column_map(HEADERS, {"现住址": "籍贯", "籍贯": "现住址"})
    cells = columns.cells([str(position) for position in range(len(HEADERS))])
    assert cells["籍贯"] == str(HEADERS.index("现住址"))


def test_the_header_row_is_the_one_with_most_columns() -> None:
    title = ["年级", "七年级", "班级", "1班"]
    sheet = open_sheet(io.BytesIO(workbook([title, their_headers(), table(HEADERS, 1)[0]])), row_limit=LIMIT)
    assert sheet.header_row == 2
    with pytest.raises(RegistrarError) as caught:
        open_sheet(io.BytesIO(workbook([title])), row_limit=LIMIT)
    assert caught.value.code is ErrorCode.HEADER_NOT_FOUND
    late = [["x"]] * 20 + [their_headers(), table(HEADERS, 1)[0]]
    with pytest.raises(RegistrarError):
        open_sheet(io.BytesIO(workbook(late)), row_limit=LIMIT)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=50))
def test_whatever_stands_in_a_header_gets_one_suggestion(headers: list[str]) -> None:
    suggestions = suggest_mapping(headers)
    assert [suggestion.header for suggestion in suggestions] == headers
    named = [suggestion.column for suggestion in suggestions if suggestion.column]
    assert len(set(named)) == len(named)


@settings(max_examples=30, deadline=None)
@given(st.integers())
def test_any_order_of_known_spellings_is_recognised(seed: int) -> None:
    headers = their_headers()
    random.Random(seed).shuffle(headers)
    columns = column_map(
        [" ".join(header.split()) for header in headers],
        {" ".join(h.split()): c for h, c in sure_mapping(headers).items()},
    )
    assert set(REQUIRED_HEADERS) <= set(columns.columns)
    assert set(columns.columns) == set(HEADERS)
