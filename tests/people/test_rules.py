"""Numbers by GB 11643 and the national student number."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_store.foundation.errors import ErrorCode
from archive_store.people.rules import (
    NumberState,
    check_character,
    check_citizen_id,
    check_email,
    check_national_student_number,
    check_phone,
    check_postal_code,
    citizen_id_facts,
    number_state,
)

days = st.dates(date(1900, 1, 1), date(2100, 12, 31))
divisions = st.integers(110000, 659999).map(str)


@st.composite
def citizen_ids(draw: st.DrawFn) -> str:
    first = f"{draw(divisions)}{draw(days):%Y%m%d}{draw(st.integers(0, 999)):03}"
    return first + check_character(first)


def test_published_example_of_the_standard() -> None:
    assert check_citizen_id("11010519491231002X") is None
    assert citizen_id_facts("11010519491231002X").birth_date == date(1949, 12, 31)
    assert citizen_id_facts("11010519491231002X").gender == "2"


@given(citizen_ids())
def test_well_formed_numbers_pass_and_tell_their_facts(number: str) -> None:
    assert check_citizen_id(number) is None
    facts = citizen_id_facts(number)
    assert f"{facts.division}{facts.birth_date:%Y%m%d}" == number[:14]


@given(citizen_ids(), st.integers(0, 16), st.integers(1, 9))
def test_any_wrong_digit_is_found(number: str, place: int, shift: int) -> None:
    wrong = str((int(number[place]) + shift) % 10)
    assert check_citizen_id(number[:place] + wrong + number[place + 1 :]) is ErrorCode.CHECK_DIGIT


@given(citizen_ids(), st.integers(0, 15))
def test_two_digits_exchanged_are_found(number: str, place: int) -> None:
    first, second = number[place], number[place + 1]
    exchanged = number[:place] + second + first + number[place + 2 :]
    assert (check_citizen_id(exchanged) is None) == (first == second)


@given(st.text(max_size=30))
def test_no_text_makes_a_check_fail_otherwise(text: str) -> None:
    for check in (check_citizen_id, check_national_student_number, check_phone, check_email):
        assert check(text) is None or isinstance(check(text), ErrorCode)


def test_length_is_told_before_the_check_digit() -> None:
    assert check_citizen_id("35020320101020636") is ErrorCode.LENGTH


def test_a_birth_date_that_does_not_exist() -> None:
    first = "11010520110230002"
    assert check_citizen_id(first + check_character(first)) is ErrorCode.INVALID_DATE


@given(citizen_ids())
def test_student_numbers_of_each_kind(number: str) -> None:
    assert check_national_student_number("G" + number) is None
    assert check_national_student_number("J" + number) is None


@given(divisions, days, st.integers(0, 9999))
def test_a_temporary_number_has_no_check_digit(division: str, day: date, end: int) -> None:
    assert check_national_student_number(f"L{division}{day:%Y%m%d}{end:04}") is None


@pytest.mark.parametrize(
    "number", ["G123", "", "X420106201011179548", "L42010620101117954X", "L420106201002319548"]
)
def test_malformed_student_numbers(number: str) -> None:
    assert check_national_student_number(number) is ErrorCode.INVALID_STUDENT_NUMBER


@pytest.mark.parametrize(
    ("number", "ok"),
    [
        ("13800138000", True),
        ("+8613800138000", True),
        ("010-62345678", True),
        ("0755-6234567", True),
        ("010-62345678-801", True),
        ("+15551234567", True),
        ("62345678", False),
        ("12800138000", False),
        ("+86138001380", False),
        ("\uff11\uff13800138000", False),
        ("1380013800", False),
        ("138001380000", False),
        ("12345", False),
        ("", False),
        ("abc", False),
    ],
)
def test_phones(number: str, ok: bool) -> None:
    assert (check_phone(number) is None) == ok


@given(citizen_ids(), st.integers(0, 16), st.integers(1, 9), st.sampled_from("GJ"))
def test_a_wrong_digit_in_a_student_number_is_found(number: str, place: int, shift: int, kind: str) -> None:
    wrong = str((int(number[place]) + shift) % 10)
    changed = kind + number[:place] + wrong + number[place + 1 :]
    assert check_national_student_number(changed) is ErrorCode.INVALID_STUDENT_NUMBER


@given(citizen_ids(), st.sampled_from("0123456789X"))
def test_a_wrong_check_character_is_found(number: str, last: str) -> None:
    assert (check_citizen_id(number[:17] + last) is None) == (last == number[17])


@pytest.mark.parametrize(
    ("letter", "state"),
    [("L", NumberState.TEMPORARY), ("G", NumberState.FORMAL), ("J", NumberState.SUBSTITUTE)],
)
def test_the_letter_tells_the_state_of_the_number(letter: str, state: NumberState) -> None:
    assert number_state(f"{letter}110105194912310021") is state


@pytest.mark.parametrize("number", ["J11010520110230002", "J110105201113010026", "G11010519491231002"])
def test_student_numbers_with_a_day_that_does_not_exist_or_too_short(number: str) -> None:
    assert check_national_student_number(number) is ErrorCode.INVALID_STUDENT_NUMBER


def test_a_substitute_number_is_checked_for_its_day_too() -> None:
    first = "11010520110230002"
    number = "J" + first + check_character(first)
    assert check_national_student_number(number) is ErrorCode.INVALID_STUDENT_NUMBER


@pytest.mark.parametrize(
    ("code", "ok"),
    [("100000", True), ("010000", True), ("10000", False), ("10000a", False), ("１０００００", False)],
)
def test_postal_codes(code: str, ok: bool) -> None:
    assert (check_postal_code(code) is None) == ok


@pytest.mark.parametrize(
    ("address", "ok"),
    [
        ("a@b.cn", True),
        ("first.last+x@mail.example.org", True),
        ("a@b", False),
        ("a b@c.cn", False),
        ("a..b@c.cn", False),
        ("@c.cn", False),
    ],
)
def test_emails(address: str, ok: bool) -> None:
    assert (check_email(address) is None) == ok
