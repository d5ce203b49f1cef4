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
    IDENTITY_NUMBER = "IDENTITY_NUMBER"  # 身份证件号只差一位或相邻两位互换
    NATIONAL_STUDENT_NUMBER = "NATIONAL_STUDENT_NUMBER"  # 学籍号含另一人的身份证件号


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
# The leaves that are compared, by ground.
LEAVES: Mapping[Ground, frozenset[str]] = {
    Ground.NAME: frozenset({"name", "former_name"}),
    Ground.NAME_PINYIN: frozenset({"name_pinyin"}),
    Ground.BIRTH_DATE: frozenset({"birth_date"}),
    Ground.GUARDIAN: frozenset({"guardians.name"}),
    Ground.IDENTITY_NUMBER: frozenset({"identity_number"}),
    Ground.NATIONAL_STUDENT_NUMBER: frozenset({"national_student_number", "identity_number"}),
}


def grounds(one: Mapping[str, Any], other: Mapping[str, Any]) -> frozenset[Ground]:
    """The grounds that two rows give; a leaf that was not loaded gives none."""
    found = set()
    if _names(one) & _names(other):
        found.add(Ground.NAME)
    elif _same(one, other, "name_pinyin"):
        found.add(Ground.NAME_PINYIN)
    if _same(one, other, "birth_date"):
        found.add(Ground.BIRTH_DATE)
    if _guardians(one) & _guardians(other):
        found.add(Ground.GUARDIAN)
    if is_slip(one.get("identity_number"), other.get("identity_number")):
        found.add(Ground.IDENTITY_NUMBER)
    if _carries(one, other) or _carries(other, one):
        found.add(Ground.NATIONAL_STUDENT_NUMBER)
    return frozenset(found)


def score(found: frozenset[Ground], one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """From 0 to 100; the same whichever record comes first."""
    genders = {one.get("gender"), other.get("gender")} & {"1", "2"}
    penalty = OTHER_GENDER if len(genders) == 2 else 0
    return max(0, min(100, sum(WEIGHTS[ground] for ground in found) + penalty))


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


def _guardians(row: Mapping[str, Any]) -> set[str]:
    return {_plain(held["name"]) for held in row.get("guardians") or () if held.get("name")}


def _same(one: Mapping[str, Any], other: Mapping[str, Any], leaf: str) -> bool:
    return bool(one.get(leaf)) and one.get(leaf) == other.get(leaf)


def _carries(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """A G number is the citizen ID of its day: perhaps the one that stands on the other record."""
    number, identity = one.get("national_student_number"), other.get("identity_number")
    return bool(number) and bool(identity) and str(number).startswith("G") and str(number)[1:] == identity


def _plain(text: str) -> str:
    return "".join(plain_text(text).split()).casefold()
