"""How alike two records are, pure: the grounds, and a score from 0 to 100. docs/duplicates.md has the weights."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from archive_store.foundation.code_tables import plain_text


class Ground(StrEnum):
    """Why two records may be of one person."""

    NAME = "NAME"  # 姓名相同, or the other's former name
    NAME_PINYIN = "NAME_PINYIN"  # 姓名拼音相同, where the names differ
    BIRTH_DATE = "BIRTH_DATE"  # 出生日期相同
    GUARDIAN = "GUARDIAN"  # 监护人相同
    IDENTITY_NUMBER = "IDENTITY_NUMBER"  # 身份证件号相近,或为另一人曾用
    NATIONAL_STUDENT_NUMBER = "NATIONAL_STUDENT_NUMBER"  # 学籍号相近、曾用,或含另一人的身份证件号


# Name and birth date are shared by some pairs of strangers in any large school, a guardian beside them by hardly any.
WEIGHTS: Mapping[Ground, int] = {
    Ground.NAME: 30,
    Ground.NAME_PINYIN: 15,
    Ground.BIRTH_DATE: 25,
    Ground.GUARDIAN: 25,
    Ground.IDENTITY_NUMBER: 40,
    Ground.NATIONAL_STUDENT_NUMBER: 40,
}
OTHER_GENDER = -20
_CITIZEN_ID = 18
# The leaves that are compared, by ground.
LEAVES: Mapping[Ground, frozenset[str]] = {
    Ground.NAME: frozenset({"name", "former_name"}),
    Ground.NAME_PINYIN: frozenset({"name_pinyin"}),
    Ground.BIRTH_DATE: frozenset({"birth_date"}),
    Ground.GUARDIAN: frozenset({"guardians.name", "guardians.phone"}),
    Ground.IDENTITY_NUMBER: frozenset({"identity_number"}),
    Ground.NATIONAL_STUDENT_NUMBER: frozenset({"national_student_number", "identity_number"}),
}


def grounds(one: Mapping[str, Any], other: Mapping[str, Any]) -> frozenset[Ground]:
    """The grounds that two rows give; a leaf that was not loaded gives none.

    A row may have `former_identity_number` and `former_national_student_number`: the numbers it had before.
    """
    found = set()
    if _names(one) & _names(other):
        found.add(Ground.NAME)
    elif _same(one, other, "name_pinyin"):
        found.add(Ground.NAME_PINYIN)
    if _same(one, other, "birth_date"):
        found.add(Ground.BIRTH_DATE)
    if _guardians(one) & _guardians(other):
        found.add(Ground.GUARDIAN)
    if _alike(one, other, "identity_number"):
        found.add(Ground.IDENTITY_NUMBER)
    if _alike(one, other, "national_student_number") or _carries(one, other) or _carries(other, one):
        found.add(Ground.NATIONAL_STUDENT_NUMBER)
    return frozenset(found)


def score(found: frozenset[Ground], one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """From 0 to 100; the same whichever record comes first."""
    genders = {one.get("gender"), other.get("gender")} & {"1", "2"}
    penalty = OTHER_GENDER if len(genders) == 2 else 0
    return max(0, min(100, sum(WEIGHTS[ground] for ground in found) + penalty))


def is_alike(one: str | None, other: str | None) -> bool:
    """Whether two numbers can be of one person: the same, one mistyped, or one in its form of 15 digits.

    Of two citizen IDs the last character is left out, since it follows from the others.
    """
    if not one or not other:
        return False
    if one == other or is_slip(one, other):
        return True
    if len(one) == len(other) == _CITIZEN_ID:
        return is_slip(one[:-1], other[:-1])
    return one in _of_15_digits(other) or other in _of_15_digits(one)


def is_slip(one: str | None, other: str | None) -> bool:
    """Whether one number can be the other mistyped: one character differs, or two neighbours changed places."""
    if not one or not other or one == other or len(one) != len(other):
        return False
    differing = [place for place in range(len(one)) if one[place] != other[place]]
    if len(differing) == 1:
        return True
    if len(differing) != 2 or differing[1] != differing[0] + 1:
        return False
    first, second = differing
    return one[first] == other[second] and one[second] == other[first]


def _names(row: Mapping[str, Any]) -> set[str]:
    return {_plain(row[name]) for name in ("name", "former_name") if row.get(name)}


def _guardians(row: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Names and telephones, apart from each other."""
    return {
        (leaf, _plain(item[leaf]))
        for item in row.get("guardians") or ()
        for leaf in ("name", "phone")
        if item.get(leaf)
    }


def _of_15_digits(number: str) -> set[str]:
    """A citizen ID as it was written until 1999: a year of two digits, no check character."""
    return {number[:6] + number[8:17]} if len(number) == _CITIZEN_ID else set()


def _numbers(row: Mapping[str, Any], leaf: str) -> set[str]:
    return {number for number in (row.get(leaf), *row.get(f"former_{leaf}", ())) if number}


def _alike(one: Mapping[str, Any], other: Mapping[str, Any], leaf: str) -> bool:
    return any(is_alike(first, second) for first in _numbers(one, leaf) for second in _numbers(other, leaf))


def _same(one: Mapping[str, Any], other: Mapping[str, Any], leaf: str) -> bool:
    return bool(one.get(leaf)) and one.get(leaf) == other.get(leaf)


def _carries(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """A G number is the citizen ID of its day: perhaps the one that stands, or stood, on the other record."""
    carried = {text[1:] for text in _numbers(one, "national_student_number") if text.startswith("G")}
    return bool(carried & _numbers(other, "identity_number"))


def _plain(text: str) -> str:
    return "".join(plain_text(text).split()).casefold()
