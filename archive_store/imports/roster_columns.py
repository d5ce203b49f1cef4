"""The columns of a roster: header, field of the student record, and how a cell becomes its value. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from archive_store.foundation.code_tables import code_table
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


def _text(value: str) -> str:
    return value


def _upper(value: str) -> str:
    return value.upper()


def _checked(check: Callable[[str], ErrorCode | None], value: str) -> str:
    if code := check(value):
        raise CellError(code, expected=6)
    return value


def _student_number(value: str) -> str:
    return _checked(check_national_student_number, value.upper())


def _coded(table: str, value: str) -> str:
    if (code := code_table(table).code_of(value)) is None:
        raise CellError(ErrorCode.UNKNOWN_CODE)
    return code


def _yes(value: str) -> bool:
    return _coded("yes_no", value) == "1"


_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})|(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.ASCII)
_MONTH = re.compile(r"(\d{4})(\d{2})|(\d{4})[-/.年](\d{1,2})月?", re.ASCII)


def parse_day(value: str) -> date:
    """A day written 20110503, 2011-05-03, 2011/5/3, 2011.5.3 or 2011年5月3日."""
    found = _DAY.fullmatch(value)
    try:
        if found:
            year, month, day = (int(part) for part in found.groups() if part is not None)
            return date(year, month, day)
    except ValueError:
        pass
    raise CellError(ErrorCode.INVALID_DATE)


def parse_month(value: str) -> str:
    """A month written 202309, 2023-09, 2023/9 or 2023年9月, or any day of it, as 2023-09.

    Spreadsheets keep a typed month as its first day and only show the month.
    """
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
        Column(f"成员{number}姓名", f"{place}.name", _text),
        Column(f"成员{number}关系", f"{place}.relation", partial(_coded, "relation")),
        Column(f"成员{number}联系电话", f"{place}.phone", _PHONE, limit=30, is_phone=True),
        Column(f"成员{number}工作单位", f"{place}.workplace", _text, limit=300),
    )


COLUMNS: tuple[Column, ...] = (
    Column("姓名", "name", _text, required=True),
    Column("性别", "gender", partial(_coded, "gender"), required=True),
    Column("出生日期", "birth_date", parse_day, required=True),
    Column("出生地行政区划码", "birth_place_code", _text, limit=20),
    Column("籍贯", "native_place", _text),
    Column("民族", "ethnic_group", partial(_coded, "ethnic_group"), required=True),
    Column("国籍/地区", "nationality", partial(_coded, "nationality")),
    Column(
        "身份证件类型", "identity_document_type", partial(_coded, "identity_document_type"), required=True
    ),
    # Checked in rules.py, where the type of the document is known.
    Column("身份证件号", "identity_number", _upper),
    Column("港澳台侨外", "overseas_status", partial(_coded, "overseas_status")),
    Column("政治面貌", "political_status", partial(_coded, "political_status")),
    Column("健康状况", "health_status", partial(_coded, "health_status")),
    Column("姓名拼音", "name_pinyin", _text),
    Column("曾用名", "former_name", _text),
    Column("户口所在地行政区划码", "household_division_code", _text, limit=20),
    Column("户口性质", "household_type", partial(_coded, "household_type")),
    Column("全国学籍号", "national_student_number", _student_number),
    Column("学籍辅号", "auxiliary_number", _text, limit=30),
    Column("班内学号", "class_seat_number", _text, limit=20),
    Column("年级", "grade", _text, required=True),
    Column("班级", "class_name", _text, required=True),
    Column("入学年月", "enrolled_month", parse_month, required=True),
    Column("入学方式", "admission_method", partial(_coded, "admission_method")),
    Column("就读方式", "boarding", partial(_coded, "boarding")),
    Column("学生来源", "student_source", partial(_coded, "student_source")),
    Column("现住址", "address", _text, limit=300),
    Column("联系电话", "phone", _PHONE, limit=30, is_phone=True),
    Column("邮政编码", "postal_code", partial(_checked, check_postal_code), limit=20),
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
