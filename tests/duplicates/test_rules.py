"""The score of a pair: the same both ways, within bounds, and never less for one more ground."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from archive_store.duplicates.rules import WEIGHTS, Ground, grounds, is_alike, is_slip, score

_digits = st.text("0123456789", min_size=18, max_size=18)
_rows = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["李晨", "李 晨", "王晨", "李晨晨"]),
        "former_name": st.sampled_from(["李晨", "王晨", None]),
        "name_pinyin": st.sampled_from(["lichen", "wangchen"]),
        "birth_date": st.sampled_from(["2011-05-03", "2011-03-05"]),
        "gender": st.sampled_from(["1", "2", "0"]),
        "identity_number": st.sampled_from(
            ["110101201105030011", "110101201105030101", "110101201105031001"]
        ),
        "national_student_number": st.sampled_from(["G110101201105030011", "L110101201105030011"]),
        "former_identity_number": st.lists(st.sampled_from(["110101201105030011", "110101110503001"])),
        "former_national_student_number": st.lists(st.sampled_from(["G110101201105030101"])),
        "guardians": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["李明", "王芳"])}, optional={"phone": st.just("1")}
            ),
            max_size=2,
        ),
    },
)


@given(_rows, _rows)
def test_the_same_whichever_comes_first_and_within_bounds(one: Any, other: Any) -> None:
    found = grounds(one, other)
    assert found == grounds(other, one)
    assert 0 <= score(found, one, other) <= 100
    assert score(found, one, other) == score(found, other, one)


@given(st.frozensets(st.sampled_from(Ground)), st.sampled_from(Ground))
def test_one_more_ground_never_lowers_it(found: frozenset[Ground], more: Ground) -> None:
    assert score(found | {more}, {}, {}) >= score(found, {}, {})


@given(_digits, st.integers(0, 17), st.sampled_from("0123456789"))
def test_one_mistyped_digit_is_a_slip(number: str, place: int, digit: str) -> None:
    other = number[:place] + digit + number[place + 1 :]
    assert is_slip(number, other) == is_slip(other, number) == (number != other)


@given(_digits, st.integers(0, 16))
def test_two_neighbours_that_changed_places_are_a_slip(number: str, place: int) -> None:
    other = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert is_slip(number, other) == (number != other)


def test_numbers_that_differ_more_are_no_slip() -> None:
    assert not is_slip("110101201105030011", "110101201105030100")
    assert not is_slip("110101201105030011", None)
    assert not is_slip("1" * 18, "1" * 17)


def test_strangers_of_one_name_and_day_stay_below_a_family() -> None:
    strangers = {Ground.NAME, Ground.BIRTH_DATE}
    assert sum(WEIGHTS[ground] for ground in strangers) < sum(
        WEIGHTS[ground] for ground in strangers | {Ground.GUARDIAN}
    )
    assert WEIGHTS.keys() == set(Ground)


@given(
    _rows, _rows, st.sampled_from(["identity_number", "national_student_number", "guardians", "name_pinyin"])
)
def test_what_is_not_read_takes_no_other_ground_away(one: Any, other: Any, leaf: str) -> None:
    hidden = {Ground.IDENTITY_NUMBER, Ground.NATIONAL_STUDENT_NUMBER, Ground.GUARDIAN, Ground.NAME_PINYIN}
    less = grounds({**one, leaf: None}, {**other, leaf: None})
    assert grounds(one, other) - hidden <= less <= grounds(one, other)


def test_one_person_under_two_numbers() -> None:
    assert is_alike("110101201105030011", "110101110503001")  # as it was written until 1999
    assert is_alike(
        "110101201105030011", "110101201105030217"
    )  # one digit, and the check character that follows
    assert not is_alike("110101201105030011", "110101201105031348")
    assert not is_alike("110101201105030011", "110101120503001")
    one = {"former_identity_number": ["110101201105030011"]}
    assert grounds(one, {"identity_number": "110101201105030011"}) == {Ground.IDENTITY_NUMBER}
    other = {"national_student_number": "G110101201105030011"}
    assert grounds(one, other) == {Ground.NATIONAL_STUDENT_NUMBER}
