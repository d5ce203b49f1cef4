"""The rules of rows, and the sample roster with its expected report."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dev.roster import demo_rows
from archive_store.foundation.errors import ErrorCode
from archive_store.imports.roster_columns import COLUMNS, CellError, parse_day, parse_month
from archive_store.imports.roster_files import RosterRow, read_roster
from archive_store.imports.rules import check_rows

SAMPLES = Path(__file__).parent.parent / "samples"


def check_one(**changes: str | None) -> list[tuple[str, ErrorCode]]:
    cells = next(demo_rows(1)) | {header: text for header, text in changes.items() if text is not None}
    for header, text in changes.items():
        if text is None:
            cells.pop(header, None)
    check = check_rows([RosterRow(2, cells)])
    return [(error.column, error.code) for row in check.bad for error in row.errors]


def test_sample_roster_gives_the_expected_report() -> None:
    """The expected rows, and every other row that shares an identity number with one.

    The sample holds two pairs of students with one identity number, of which its report names one row alone;
    no rule over the rows can tell that row from the three others, so all four are refused.
    """
    rows = read_roster((SAMPLES / "roster-2023.xlsx").read_bytes(), row_limit=5_000)
    expected = json.loads((SAMPLES / "roster-2023.expected.json").read_text())
    check = check_rows(rows)
    reported = {(row.sheet_row, error.column, error.code.value) for row in check.bad for error in row.errors}
    wanted = {(bad["sheet_row"], e["column"], e["code"]) for bad in expected["bad"] for e in bad["errors"]}
    holders = defaultdict(list)
    for row in rows:
        holders[row.cells["身份证件号"]].append(row.sheet_row)
    shared = {
        (number, "身份证件号", "duplicate")
        for group in holders.values()
        if len(group) > 1
        for number in group
    }
    assert reported == wanted | shared
    assert len(shared - wanted) == 3
    assert check.rows == expected["rows"] == len(check.good) + len(check.bad)
    assert len(check.good) == expected["valid"] - len(shared - wanted)
    for row in check.bad:
        for error in row.errors:
            assert error.message.zh and error.message.en


def test_good_row_gives_typed_values() -> None:
    check = check_rows([RosterRow(5, next(demo_rows(1)))])
    values = check.good[0].values
    assert (values["gender"], values["ethnic_group"][:1], values["enrolled_month"]) == ("1", "0", "2023-09")
    assert values["is_orphan"] is False
    assert [guardian["relation"] for guardian in values["guardians"]] == ["51", "52"]


@pytest.mark.parametrize("column", [column.header for column in COLUMNS if column.required])
def test_each_required_column(column: str) -> None:
    assert (column, ErrorCode.REQUIRED) in check_one(**{column: None})


def test_errors_of_one_row_come_in_the_order_of_the_columns() -> None:
    assert check_one(姓名=None, 民族="火星族", 联系电话="1") == [
        ("姓名", ErrorCode.REQUIRED),
        ("民族", ErrorCode.UNKNOWN_CODE),
        ("联系电话", ErrorCode.INVALID_PHONE),
    ]


def test_a_wrong_identity_number_accuses_no_other_cell() -> None:
    good = next(demo_rows(1))["身份证件号"]
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    assert check_one(身份证件号=wrong, 性别="女") == [("身份证件号", ErrorCode.CHECK_DIGIT)]


def test_a_right_identity_number_accuses_the_cells_that_differ() -> None:
    assert check_one(性别="女") == [("性别", ErrorCode.MISMATCH_IDENTITY)]
    assert check_one(出生日期="2010-01-01") == [("出生日期", ErrorCode.MISMATCH_IDENTITY)]


def test_other_documents_are_not_checked_as_citizen_ids() -> None:
    assert check_one(身份证件类型="护照", 身份证件号="E12345678") == []
    assert check_one(身份证件类型="无", 身份证件号=None) == []
    assert check_one(身份证件类型="护照", 身份证件号=None) == [("身份证件号", ErrorCode.REQUIRED)]


def test_a_student_number_may_differ_from_the_identity_number() -> None:
    other = list(demo_rows(2))[1]["全国学籍号"]
    assert check_one(全国学籍号=other) == []


def test_a_guardian_needs_a_name() -> None:
    assert check_one(成员1姓名=None) == [("成员1姓名", ErrorCode.REQUIRED)]


def test_over_long_text() -> None:
    assert check_one(姓名="长" * 101) == [("姓名", ErrorCode.TOO_LONG)]
    assert check_one(姓名="长" * 100) == []


def test_every_row_that_shares_a_number_is_refused_once() -> None:
    first, second, third = demo_rows(3)
    second |= {key: first[key] for key in ("身份证件号", "全国学籍号", "出生日期", "性别")}
    check = check_rows([RosterRow(n, cells) for n, cells in enumerate((first, second, third), start=2)])
    assert [(row.sheet_row, [e.column for e in row.errors]) for row in check.bad] == [
        (2, ["身份证件号"]),
        (3, ["身份证件号"]),
    ]
    assert "3" in check.bad[0].errors[0].message.zh
    assert len(check.good) == 1


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_days_in_each_spelling(day: date) -> None:
    for spelling in ("%Y%m%d", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日"):
        assert parse_day(day.strftime(spelling)) == day


@pytest.mark.parametrize(
    "text", ["20230231", "2023-13-01", "1/2/2023", "yesterday", "2023", "20231", "٢٠٢٣٠١٠١"]
)
def test_days_that_do_not_exist(text: str) -> None:
    with pytest.raises(CellError):
        parse_day(text)


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("202309", "2023-09"),
        ("2023年9月", "2023-09"),
        ("2023-9", "2023-09"),
        ("2023-09-01", "2023-09"),
        ("20230915", "2023-09"),
    ],
)
def test_months(text: str, month: str) -> None:
    assert parse_month(text) == month


@pytest.mark.parametrize("text", ["202313", "202300", "2023", "9/2023"])
def test_months_that_do_not_exist(text: str) -> None:
    with pytest.raises(CellError):
        parse_month(text)


@given(
    st.lists(
        st.dictionaries(st.sampled_from([c.header for c in COLUMNS]), st.text(min_size=1, max_size=40)),
        max_size=5,
    )
)
def test_every_row_is_accounted_for_whatever_it_holds(rows: list[dict[str, str]]) -> None:
    check = check_rows([RosterRow(number, cells) for number, cells in enumerate(rows, start=2)])
    numbers = sorted([row.sheet_row for row in check.good] + [row.sheet_row for row in check.bad])
    assert numbers == list(range(2, len(rows) + 2))


def test_a_row_without_any_number_is_refused() -> None:
    """It could not be told from the next import of itself."""
    none = {"身份证件类型": "无", "身份证件号": None, "全国学籍号": None, "学籍辅号": None}
    assert check_one(**none) == [("学籍辅号", ErrorCode.REQUIRED)]
    assert check_one(**none | {"学籍辅号": "7"}) == []


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\u061c"])
def test_marks_of_writing_direction_are_refused(mark: str) -> None:
    assert check_one(姓名=f"王{mark}五") == [("姓名", ErrorCode.INVALID_ARGUMENT)]
