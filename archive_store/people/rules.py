"""Numbers and addresses of persons, pure. A check gives the code of what is wrong, or None."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from operator import mul

from archive_store.foundation.errors import ErrorCode

CITIZEN_ID_LENGTH = 18
NATIONAL_STUDENT_NUMBER_LENGTH = 19
# For the sentence of ErrorCode.LENGTH, by record field.
EXPECTED_LENGTHS = {"identity_number": CITIZEN_ID_LENGTH, "postal_code": 6}
# ISO 7064 MOD 11-2, as GB 11643-1999 writes it.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_ID_SHAPE = re.compile(r"[0-9]{17}[0-9X]")
_MOBILE = r"(?:\+86|0086)?1[3-9][0-9]{9}"
_LANDLINE = r"0[0-9]{2,3}-?[2-9][0-9]{6,7}(?:-[0-9]{1,6})?"
_ABROAD = r"(?:\+|00)(?!86)[1-9][0-9]{6,14}"
_PHONE = re.compile(f"{_MOBILE}|{_LANDLINE}|{_ABROAD}")
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})\.[A-Za-z]{2,24}"
)
_POSTAL_CODE = re.compile(r"[0-9]{6}")
_EARLIEST_BIRTH = date(1850, 1, 1)


class NumberState(StrEnum):
    """What the letter of a national student number says of it."""

    TEMPORARY = "TEMPORARY"  # L 临时
    FORMAL = "FORMAL"  # G 正式
    SUBSTITUTE = "SUBSTITUTE"  # J 无有效证件者


_STATE_BY_LETTER = {"L": NumberState.TEMPORARY, "G": NumberState.FORMAL, "J": NumberState.SUBSTITUTE}


@dataclass(frozen=True, slots=True)
class CitizenIdFacts:
    """What a citizen ID says: birth date, gender by GB/T 2261.1, division (perhaps an abolished one)."""

    birth_date: date
    gender: str
    division: str


def check_character(first_seventeen: str) -> str:
    """The eighteenth character by MOD 11-2."""
    if len(first_seventeen) != len(_WEIGHTS):
        raise ValueError("not 17 digits")
    return _CHECK_CHARACTERS[sum(map(mul, map(int, first_seventeen), _WEIGHTS)) % 11]


def check_citizen_id(value: str) -> ErrorCode | None:
    """公民身份号码 by GB 11643-1999: LENGTH, CHECK_DIGIT or INVALID_DATE."""
    if len(value) != CITIZEN_ID_LENGTH:
        return ErrorCode.LENGTH
    if not _ID_SHAPE.fullmatch(value) or check_character(value[:17]) != value[17]:
        return ErrorCode.CHECK_DIGIT
    birth = _day(value[6:14])
    return ErrorCode.INVALID_DATE if birth is None or birth < _EARLIEST_BIRTH else None


def citizen_id_facts(value: str) -> CitizenIdFacts:
    """Facts of a citizen ID that `check_citizen_id` found well formed."""
    birth = _day(value[6:14])
    if birth is None:
        raise ValueError("not a citizen ID")
    return CitizenIdFacts(birth, "1" if int(value[16]) % 2 else "2", value[:6])


IDENTITY_CARD = "1"  # 居民身份证, in the code table of identity document types
NO_DOCUMENT = "N"  # 无


def identity_fault(document_type: str | None, number: str | None) -> ErrorCode | None:
    """What is wrong with an identity number, given its document: REQUIRED, or a fault of a citizen ID."""
    if number is None:
        return None if document_type in (None, NO_DOCUMENT) else ErrorCode.REQUIRED
    return check_citizen_id(number) if document_type == IDENTITY_CARD else None


def identity_mismatches(
    document_type: str | None, number: str | None, *, birth_date: str | None, gender: str | None
) -> list[str]:
    """Names of the facts (`birth_date`, `gender`) that differ from what a right citizen ID says."""
    if document_type != IDENTITY_CARD or number is None or check_citizen_id(number):
        return []
    facts = citizen_id_facts(number)
    told = {"gender": (gender, facts.gender), "birth_date": (birth_date, facts.birth_date.isoformat())}
    return [name for name, (held, said) in told.items() if held is not None and held != said]


def check_national_student_number(value: str) -> ErrorCode | None:
    """全国学籍号: G + citizen ID, J + 6 division + 8 birth + 3 + check character, L + 6 + 8 + 4 at random.

    An L number has no check character. A G number need not be today's citizen ID, which may have changed.
    """
    kind, number = value[:1], value[1:]
    if len(value) != NATIONAL_STUDENT_NUMBER_LENGTH or kind not in "GJL" or not _ID_SHAPE.fullmatch(number):
        return ErrorCode.INVALID_STUDENT_NUMBER
    if kind in "GJ" and check_character(number[:17]) != number[17]:
        return ErrorCode.INVALID_STUDENT_NUMBER
    if kind == "L" and not number.isdigit():
        return ErrorCode.INVALID_STUDENT_NUMBER
    return None if _day(number[6:14]) else ErrorCode.INVALID_STUDENT_NUMBER


def number_state(value: str) -> NumberState:
    """State of a number that `check_national_student_number` found well formed."""
    return _STATE_BY_LETTER[value[0]]


def check_phone(value: str) -> ErrorCode | None:
    """A mobile number of the mainland, a landline number with its area code, or an international one after + or 00."""
    return None if _PHONE.fullmatch(value.replace(" ", "")) else ErrorCode.INVALID_PHONE


def check_email(value: str) -> ErrorCode | None:
    return None if _EMAIL.fullmatch(value) and ".." not in value else ErrorCode.INVALID_EMAIL


def check_postal_code(value: str) -> ErrorCode | None:
    """邮政编码: six digits."""
    return None if _POSTAL_CODE.fullmatch(value) else ErrorCode.LENGTH


def _day(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None
