"""Text from outside: what is refused, and what a spreadsheet would compute."""

from __future__ import annotations

import pytest

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.texts import check_text, size_text, starts_formula

MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize("mark", [*MARKS, "\0", "\n", "\t", "\ud800", "\x1b"])
def test_one_line_has_no_control_characters(mark: str) -> None:
    with pytest.raises(RegistrarError) as caught:
        check_text(f"王{mark}五", field="name", limit=10)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT, "name")


@pytest.mark.parametrize("text", [None, "", "王五", "a\u200db", "𠮷", "ἀγαθός"])
def test_other_text_is_taken(text: str | None) -> None:
    check_text(text, field="name", limit=10)


def test_several_lines_may_have_layout() -> None:
    check_text("王\n\t五\u200e", field="reason", limit=10, is_one_line=False)
    with pytest.raises(RegistrarError):
        check_text("王\0", field="reason", limit=10, is_one_line=False)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "+86 1"]
)
def test_what_starts_a_formula(text: str) -> None:
    assert starts_formula(text)


@pytest.mark.parametrize("text", ["", "-", "王", "1-2", "a=b"])
def test_what_starts_none(text: str) -> None:
    assert not starts_formula(text)
    assert not starts_formula(text, is_phone=True)


def test_a_telephone_number_starts_none() -> None:
    assert not starts_formula("+86 13900000000", is_phone=True)
    assert starts_formula("+86 13900000000+1", is_phone=True)


def test_sizes_are_told_in_mebibytes_where_they_are_whole() -> None:
    assert [size_text(size) for size in (0, 20 * 1024**2, 20 * 1024**2 + 1)] == [
        "0 bytes",
        "20 MiB",
        "20971521 bytes",
    ]
