"""How what people type becomes a value: blanks, full-width characters, spellings of days and genders; and warnings."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archive_store.imports.division_warnings as division_warnings_module
from api.dev.roster import demo_rows
from archive_store.foundation.errors import ErrorCode
from archive_store.imports.cell_texts import PlainTexts
from archive_store.imports.division_warnings import WarningCode
from archive_store.imports.roster_columns import COLUMNS, CellError, parse_day, parse_month
from archive_store.imports.roster_files import RosterRow, read_roster
from archive_store.imports.rules import (
    _HARMLESS,
    RowCheck,
    _check_cell,
    check_row,
    check_rows,
    with_error,
    without_shared_numbers,
)
from tests.imports.test_roster_files import HEADERS, LIMIT, csv_bytes, workbook


def row(**changes: str) -> dict[str, str]:
    return {h: text for h, text in (next(demo_rows(1)) | changes).items() if text}


def checked(**changes: str) -> RowCheck:
    return check_row(RosterRow(2, row(**changes)))


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("\u3000王\u3000晨\u3000", "王 晨"),
        ("王\u00a0 \t晨", "王 晨"),
        ("王\u200b晨\ufeff", "王晨"),
        ("\u2060王\u00ad晨", "王晨"),
        ("王\r\n晨", "王 晨"),
        ("ＡＢＣ１２３", "ABC123"),
        ("\u3164\u2800", ""),
        ("\u200b", ""),
        ("①", "1"),
        ("", ""),
    ],
)
def test_all_kinds_of_blanks_and_full_width_characters(typed: str, plain: str) -> None:
    assert PlainTexts().of(typed) == plain


@given(st.text(max_size=60))
def test_plain_texts_stay_as_they_are(text: str) -> None:
    texts = PlainTexts()
    plain = texts.of(text)
    assert texts.of(plain) == plain or "\0" in plain
    assert plain == plain.strip()


@pytest.mark.parametrize("make", [workbook, lambda rows: csv_bytes(rows, "gb18030")], ids=["xlsx", "csv"])
def test_a_row_typed_untidily_is_the_row_typed_well(make: Any) -> None:
    tidy = row(姓名="王晨")
    untidy = tidy | {
        "姓名": "王\u3000晨",
        "身份证件号": " ".join((tidy["身份证件号"][:6], tidy["身份证件号"][6:14], tidy["身份证件号"][14:])),
        "全国学籍号": tidy["全国学籍号"].lower(),
        "学籍辅号": f"{tidy['学籍辅号'][:4]} {tidy['学籍辅号'][4:]}",
        "联系电话": "１３９\u00a00000\u30001111",
        "性别": " 男 ",
        "民族": f"{tidy['民族'][0]} {tidy['民族'][1:]}",
        "邮政编码": " １００ ０００",
    }
    # Who keeps a telephone number in groups gets it back so, from an export, too.
    tidy |= {"联系电话": "139 0000 1111", "邮政编码": "100000"}
    content = make([HEADERS, *([held.get(header, "") for header in HEADERS] for held in (tidy, untidy))])
    first, second = (check_row(held) for held in read_roster(content, row_limit=LIMIT))
    assert first.errors == second.errors == ()
    assert first.values == second.values


def test_a_blank_between_letters_is_meant() -> None:
    assert checked(学籍辅号="A 17").values["auxiliary_number"] == "A 17"
    assert checked(姓名="Anna Maria").values["name"] == "Anna Maria"
    assert checked(姓名="阿卜杜拉·买买提").values["name"] == "阿卜杜拉·买买提"
    assert checked(姓名="欧阳 娜娜").values["name"] == "欧阳娜娜"


@pytest.mark.parametrize("gender", ["男", "男性", "1", " 男 ", "１"])
def test_spellings_of_a_gender(gender: str) -> None:
    assert checked(性别=gender).values["gender"] == "1"


def test_a_gender_that_nobody_writes() -> None:
    assert [error.code for error in checked(性别="x").errors] == [ErrorCode.UNKNOWN_CODE]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "二〇一一年五月三日",
            "二○一一年五月三日",
            "二零一一年五月三",
            "2011年05月03日",
            "2011 年 5 月 3 日",
        ),
        *("2011-05-03 00:00:00", "2011/5/3 0:00", "2011-05-03T00:00:00", "2011-05-03 00:00:00.000"),
    ],
)
def test_more_spellings_of_a_day(text: str) -> None:
    assert parse_day(text) == date(2011, 5, 3)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("二〇一一年十月十日", date(2011, 10, 10)),
        ("二〇一一年十二月二十日", date(2011, 12, 20)),
        ("二〇一一年十一月二十一日", date(2011, 11, 21)),
        ("一九九九年十二月三十一日", date(1999, 12, 31)),
    ],
)
def test_days_in_chinese_numerals(text: str, day: date) -> None:
    assert parse_day(text) == day


@pytest.mark.parametrize(
    "text",
    [
        *(
            "二〇一一年五月三十二日",
            "二〇一一年十三月一日",
            "二〇一一年五月十十日",
            "二〇一一年五月",
            "一一年五月三日",
        ),
        *("2011-05-03 08:30:00", "40666", "05/03/2011", "3/5/2011", "2011-5", "2011年5月3日4日"),
    ],
)
def test_what_is_no_day(text: str) -> None:
    with pytest.raises(CellError):
        parse_day(text)


def test_months_in_more_spellings() -> None:
    for text in ("二〇二三年九月", "二〇二三年九月一日", "2023 年 9 月", "2023-09-01 00:00:00"):
        assert parse_month(text) == "2023-09"


@given(st.text(max_size=30))
def test_no_text_makes_a_day_fail_in_another_way(text: str) -> None:
    for parse in (parse_day, parse_month):
        try:
            parse(text)
        except CellError as error:
            assert error.code is ErrorCode.INVALID_DATE


@given(st.text(max_size=30), st.sampled_from(COLUMNS))
def test_what_is_taken_for_harmless_is(text: str, column: Any) -> None:
    """The quick look at a cell never passes what the whole check refuses."""
    if _HARMLESS.fullmatch(text):
        _check_cell(column, text)


@pytest.mark.parametrize("text", ["＝1+1", "\u200b=1+1", "﹦1", "\t=1", "\r@x", "⁼1", "+1+1", "－2"])
def test_formulas_in_disguise(text: str) -> None:
    content = csv_bytes([HEADERS, [row(籍贯=text).get(header, "") for header in HEADERS]], "utf-8")
    (bad,) = check_rows(read_roster(content, row_limit=LIMIT)).bad
    assert [(error.column, error.code) for error in bad.errors] == [("籍贯", ErrorCode.FORMULA)]


@pytest.mark.parametrize("text", ["北京\x07", "\x1b[31m北京", "北\x7f京", "北\u2066京"])
def test_control_characters(text: str) -> None:
    content = csv_bytes([HEADERS, [row(籍贯=text).get(header, "") for header in HEADERS]], "utf-8")
    (bad,) = check_rows(read_roster(content, row_limit=LIMIT)).bad
    assert [(error.column, error.code) for error in bad.errors] == [("籍贯", ErrorCode.INVALID_ARGUMENT)]


DIVISIONS = {"110105": "known", "330106": "known", "110103": "abolished"}
DIVISIONS[next(demo_rows(1))["身份证件号"][:6]] = "known"


@pytest.fixture
def divisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        division_warnings_module, "division_state", lambda code: DIVISIONS.get(code, "unknown")
    )


def warnings(**changes: str) -> list[tuple[str, WarningCode]]:
    told = checked(**changes)
    assert told.errors == ()
    for warning in told.warnings:
        assert warning.message.zh and warning.message.en
    return [(warning.column, warning.code) for warning in told.warnings]


BIRTH, HOUSEHOLD = "出生地行政区划码", "户口所在地行政区划码"


@pytest.mark.usefixtures("divisions")
def test_divisions_are_warned_of_and_never_refused() -> None:
    own = next(demo_rows(1))["身份证件号"][:6]
    other = next(code for code in ("110105", "330106") if code != own)
    assert warnings(**{BIRTH: own, HOUSEHOLD: own}) == []
    assert warnings(**{BIRTH: "999999", HOUSEHOLD: own}) == [(BIRTH, WarningCode.UNKNOWN_DIVISION)]
    assert warnings(**{BIRTH: other, HOUSEHOLD: other}) == [(BIRTH, WarningCode.DIFFERS_FROM_IDENTITY)]
    assert warnings(**{BIRTH: own, HOUSEHOLD: "999999"}) == [(HOUSEHOLD, WarningCode.UNKNOWN_DIVISION)]
    # Who was born in a place that is no more was born there all the same; who lives in one does not.
    assert warnings(**{BIRTH: own, HOUSEHOLD: "110103"}) == [(HOUSEHOLD, WarningCode.ABOLISHED_DIVISION)]
    passport = {"身份证件类型": "护照", "身份证件号": "E12345678", "全国学籍号": ""}
    assert warnings(**passport, **{BIRTH: "110103", HOUSEHOLD: own}) == []


def test_an_identity_number_of_an_unknown_division(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division_warnings_module, "division_state", lambda code: "unknown")
    assert ("身份证件号", WarningCode.UNKNOWN_DIVISION) in warnings()


def test_what_is_wrong_is_not_warned_of_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division_warnings_module, "division_state", lambda code: "unknown")
    told = checked(身份证件号="110105200001010000")
    assert "身份证件号" in {error.column for error in told.errors}
    assert "身份证件号" not in {warning.column for warning in told.warnings}


def test_a_row_by_itself_tells_its_numbers_though_it_is_bad() -> None:
    bad = checked(民族="火星族")
    assert (bad.values, set(bad.numbers)) == (
        {},
        {"identity_number", "national_student_number", "auxiliary_number"},
    )
    wrong = checked(身份证件号="1")
    assert "identity_number" not in wrong.numbers


def test_rows_that_share_a_number_are_refused_whether_good_or_bad() -> None:
    first, second = check_row(RosterRow(2, row())), check_row(RosterRow(3, row(民族="火星族")))
    told = without_shared_numbers([first, second])
    assert [[error.column for error in held.errors] for held in told] == [
        ["身份证件号"],
        ["民族", "身份证件号"],
    ]
    assert told[0].values == {}
    again = with_error(told[0], told[0].errors[0])
    assert again == told[0]
