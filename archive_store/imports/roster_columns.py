"""The columns of a roster: header, field of the student record, and how a cell becomes its value. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from archive_store.foundation.code_tables import CodeTable, code_table
from archive_store.foundation.errors import ErrorCode
from archive_store.people.rules import (
    check_email,
    check_national_student_number,
    check_phone,
    check_postal_code,
)

Value = str | bool | date


class CellError(Exception):
    """A cell that breaks a rule; the cell itself is not in it."""

    def __init__(self, code: ErrorCode, **details: Any) -> None:
        self.code = code
        self.details = details
        super().__init__(code)


Parse = Callable[[str], Value]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `field` is a leaf of the student record, or `guardians.N.leaf`."""

    header: str
    field: str
    parse: Parse
    required: bool = False
    limit: int = 100
    is_phone: bool = False


# Names are padded to the same width (王 晨); a blank between letters (Anna Maria) is meant.
_PADDING = re.compile(r"(?<=[\u3400-\u9fff\U00020000-\U0003ffff]) (?=[\u3400-\u9fff\U00020000-\U0003ffff])")


def _text(value: str) -> str:
    return value


def _name(value: str) -> str:
    return _PADDING.sub("", value) if " " in value else value


def _digits(value: str) -> str:
    """Digits are typed in groups (2023 000001); a blank beside a letter may be meant."""
    return squeezed if " " in value and (squeezed := value.replace(" ", "")).isdecimal() else value


def _identity_number(value: str) -> str:
    return value.replace(" ", "").upper()


def _postal_code(value: str) -> str:
    return _checked(check_postal_code, _digits(value))


def _checked(check: Callable[[str], ErrorCode | None], value: str) -> str:
    if code := check(value):
        raise CellError(code, expected=6)
    return value


def _student_number(value: str) -> str:
    return _checked(check_national_student_number, value.replace(" ", "").upper())


# By table, which is another one once it is loaded anew; the spellings of a roster are few.
_codes: dict[str, tuple[CodeTable, dict[str, str]]] = {}
_CODES_REMEMBERED = 500


def _coded(name: str, value: str) -> str:
    table = code_table(name)
    held = _codes.get(name)
    if held is None or held[0] is not table:
        held = _codes[name] = (table, {})
    if (known := held[1].get(value)) is not None:
        return known
    if (code := table.code_of(value)) is None:
        raise CellError(ErrorCode.UNKNOWN_CODE)
    if len(held[1]) < _CODES_REMEMBERED:
        held[1][value] = code
    return code


def _yes(value: str) -> bool:
    return _coded("yes_no", value) == "1"


_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})|(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.ASCII)
_MONTH = re.compile(r"(\d{4})(\d{2})|(\d{4})[-/.年](\d{1,2})月?", re.ASCII)
# As a program writes a day that it keeps as a moment; another time of day would be no day.
_MIDNIGHT = re.compile(r"[ T]0{1,2}:00(:00(\.0+)?)?$", re.ASCII)
_CHINESE_DAY = re.compile(
    "([〇零○一二三四五六七八九]{4})年([一二三四五六七八九十]{1,3})月(?:([一二三四五六七八九十]{1,3})日?)?"
)
_DIGITS = {"〇": "0", "零": "0", "○": "0"} | {
    digit: str(n) for n, digit in enumerate("一二三四五六七八九", start=1)
}


def _spelled(value: str) -> str:
    """A day or month without blanks and midnight, in Arabic digits."""
    if value.isascii() and value.isdecimal():
        return value
    value = "".join(_MIDNIGHT.sub("", value).split())
    if found := _CHINESE_DAY.fullmatch(value):
        year = "".join(_DIGITS[digit] for digit in found[1])
        day = "" if found[3] is None else f"{_counted(found[3])}日"
        return f"{year}年{_counted(found[2])}月{day}"
    return value


def _counted(numeral: str) -> str:
    """A numeral up to 九十九 in digits; what is none becomes no number of a day."""
    tens, ten, ones = numeral.rpartition("十")
    if len(tens) > 1 or len(ones) > 1 or "十" in tens:
        return "0"
    return f"{_DIGITS.get(tens, '1') if ten else ''}{_DIGITS.get(ones, '0')}"


def parse_day(value: str) -> date:
    """A day written 20110503, 2011-05-03, 2011/5/3, 2011.5.3, 2011年5月3日 or 二〇一一年五月三日."""
    found = _DAY.fullmatch(_spelled(value))
    try:
        if found:
            year, month, day = (int(part) for part in found.groups() if part is not None)
            return date(year, month, day)
    except ValueError:
        pass
    raise CellError(ErrorCode.INVALID_DATE)


def parse_month(value: str) -> str:
    """A month written 202309, 2023-09, 2023/9, 2023年9月 or 二〇二三年九月, or any day of it, as 2023-09.

    Spreadsheets keep a typed month as its first day and only show the month.
    """
    value = _spelled(value)
    if _DAY.fullmatch(value):
        return f"{parse_day(value):%Y-%m}"
    if found := _MONTH.fullmatch(value):
        year, month = (int(part) for part in found.groups() if part is not None)
        if 1 <= month <= 12 and 1900 <= year <= 2200:
            return f"{year:04}-{month:02}"
    raise CellError(ErrorCode.INVALID_DATE)


_PHONE = partial(_checked, check_phone)


def _guardian_columns(number: int) -> tuple[Column, ...]:
    place = f"guardians.{number - 1}"
    return (
        Column(f"成员{number}姓名", f"{place}.name", _name),
        Column(f"成员{number}关系", f"{place}.relation", partial(_coded, "relation")),
        Column(f"成员{number}联系电话", f"{place}.phone", _PHONE, limit=30, is_phone=True),
        Column(f"成员{number}工作单位", f"{place}.workplace", _text, limit=300),
    )


COLUMNS: tuple[Column, ...] = (
    Column("姓名", "name", _name, required=True),
    Column("性别", "gender", partial(_coded, "gender"), required=True),
    Column("出生日期", "birth_date", parse_day, required=True),
    Column("出生地行政区划码", "birth_place_code", _digits, limit=20),
    Column("籍贯", "native_place", _text),
    Column("民族", "ethnic_group", partial(_coded, "ethnic_group"), required=True),
    Column("国籍/地区", "nationality", partial(_coded, "nationality")),
    Column(
        "身份证件类型", "identity_document_type", partial(_coded, "identity_document_type"), required=True
    ),
    # Checked in rules.py, where the type of the document is known.
    Column("身份证件号", "identity_number", _identity_number),
    Column("港澳台侨外", "overseas_status", partial(_coded, "overseas_status")),
    Column("政治面貌", "political_status", partial(_coded, "political_status")),
    Column("健康状况", "health_status", partial(_coded, "health_status")),
    Column("姓名拼音", "name_pinyin", _text),
    Column("曾用名", "former_name", _name),
    Column("户口所在地行政区划码", "household_division_code", _digits, limit=20),
    Column("户口性质", "household_type", partial(_coded, "household_type")),
    Column("全国学籍号", "national_student_number", _student_number),
    Column("学籍辅号", "auxiliary_number", _digits, limit=30),
    Column("班内学号", "class_seat_number", _digits, limit=20),
    Column("年级", "grade", _text, required=True),
    Column("班级", "class_name", _text, required=True),
    # Looked for in the catalogue by majors.py.
    Column("专业", "major_code", _text, limit=100),
    Column("入学年月", "enrolled_month", parse_month, required=True),
    Column("入学方式", "admission_method", partial(_coded, "admission_method")),
    Column("就读方式", "boarding", partial(_coded, "boarding")),
    Column("学生来源", "student_source", partial(_coded, "student_source")),
    Column("现住址", "address", _text, limit=300),
    Column("联系电话", "phone", _PHONE, limit=30, is_phone=True),
    Column("邮政编码", "postal_code", _postal_code, limit=20),
    Column("电子信箱", "email", partial(_checked, check_email), limit=300),
    Column("是否独生子女", "is_only_child", _yes),
    Column("是否留守儿童", "is_left_behind", _yes),
    Column("是否进城务工人员随迁子女", "is_migrant_worker_child", _yes),
    Column("是否孤儿", "is_orphan", _yes),
    Column("是否需要申请资助", "needs_financial_aid", _yes),
    *_guardian_columns(1),
    *_guardian_columns(2),
)
COLUMN_BY_HEADER = {column.header: column for column in COLUMNS}
HEADER_BY_FIELD = {column.field: column.header for column in COLUMNS}
# A row may go without an identity number where its document type says so; a roster has the column.
REQUIRED_HEADERS = tuple(c.header for c in COLUMNS if c.required or c.field == "identity_number")
