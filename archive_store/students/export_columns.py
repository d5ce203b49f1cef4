"""The columns of an export of student records: header, stored leaf, and how a value becomes a cell. Pure.

Headers and texts are those of a roster, so that an export is a roster again. A leaf without a field class makes
the import of this module fail: what has no class is not exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from archive_store.foundation.code_tables import code_table
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import UnclassifiedFieldError, field_classes
from archive_store.foundation.texts import starts_formula
from archive_store.students.documents import STATUS_LABELS, Student, StudentStatus

# Guardians that have columns, as in a roster.
GUARDIANS = 2
_WIDTHS = {"address": 40, "email": 24, "identity_number": 20, "national_student_number": 20, "phone": 16}


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column. `field` is a leaf of the student record, or `guardians.N.leaf`."""

    header: str
    field: str
    text: Callable[[Any], str] = str
    is_phone: bool = False
    in_roster: bool = True  # a roster may have it; others are exported where they are asked for

    def __post_init__(self) -> None:
        if self.path not in field_classes(Student):
            raise UnclassifiedFieldError(f"export column {self.header}: {self.field} has no field class")

    @property
    def width(self) -> int:
        """In a sheet: of the values where those are longer than the header, a character of which takes two."""
        return max(2 * len(self.header) + 2, _WIDTHS.get(self.field, 10))

    @property
    def path(self) -> str:
        """The stored leaf, whose class decides."""
        return ".".join(part for part in self.field.split(".") if not part.isdigit())

    def cell(self, row: Row) -> str:
        """The cell of a row as it was loaded; blank where the value is missing or was kept back."""
        value: Any = row
        for part in self.field.split("."):
            if isinstance(value, list):
                value = value[int(part)] if int(part) < len(value) else None
            else:
                value = value.get(part) if isinstance(value, dict) else None
        return "" if value is None else inert(self.text(value), is_phone=self.is_phone)


def inert(text: str, *, is_phone: bool = False) -> str:
    """The text as a cell that no spreadsheet computes: a leading apostrophe before what would start a formula.

    A phone number of + and digits stays as it is, so that the roster reader takes it back.
    """
    return f"'{text}" if starts_formula(text, is_phone=is_phone) else text


def _label(table: str, code: str) -> str:
    """The label of a code, and the code itself where the table no longer has it."""
    return code_table(table).labels.get(code, code)


def _yes_no(value: bool) -> str:
    return _label("yes_no", "1" if value else "0")


def _status(value: str) -> str:
    return STATUS_LABELS[StudentStatus(value)]


def _coded(header: str, name: str) -> ExportColumn:
    """A leaf that has its own code table."""
    return ExportColumn(header, name, partial(_label, name))


def _guardian_columns(number: int) -> Iterable[ExportColumn]:
    place = f"guardians.{number - 1}"
    yield ExportColumn(f"成员{number}姓名", f"{place}.name")
    yield ExportColumn(f"成员{number}关系", f"{place}.relation", partial(_label, "relation"))
    yield ExportColumn(f"成员{number}联系电话", f"{place}.phone", is_phone=True)
    yield ExportColumn(f"成员{number}工作单位", f"{place}.workplace")


COLUMNS: tuple[ExportColumn, ...] = (
    ExportColumn("姓名", "name"),
    _coded("性别", "gender"),
    ExportColumn("出生日期", "birth_date"),
    ExportColumn("出生地行政区划码", "birth_place_code"),
    ExportColumn("籍贯", "native_place"),
    _coded("民族", "ethnic_group"),
    _coded("国籍/地区", "nationality"),
    _coded("身份证件类型", "identity_document_type"),
    ExportColumn("身份证件号", "identity_number"),
    _coded("港澳台侨外", "overseas_status"),
    _coded("政治面貌", "political_status"),
    _coded("健康状况", "health_status"),
    ExportColumn("姓名拼音", "name_pinyin"),
    ExportColumn("曾用名", "former_name"),
    ExportColumn("户口所在地行政区划码", "household_division_code"),
    _coded("户口性质", "household_type"),
    ExportColumn("全国学籍号", "national_student_number"),
    ExportColumn("学籍辅号", "auxiliary_number"),
    ExportColumn("班内学号", "class_seat_number"),
    ExportColumn("年级", "grade"),
    ExportColumn("班级", "class_name"),
    ExportColumn("专业", "major_code"),
    ExportColumn("学籍状态", "status", _status, in_roster=False),
    ExportColumn("入学年月", "enrolled_month"),
    _coded("入学方式", "admission_method"),
    _coded("就读方式", "boarding"),
    _coded("学生来源", "student_source"),
    ExportColumn("现住址", "address"),
    ExportColumn("联系电话", "phone", is_phone=True),
    ExportColumn("邮政编码", "postal_code"),
    ExportColumn("电子信箱", "email"),
    ExportColumn("是否独生子女", "is_only_child", _yes_no),
    ExportColumn("是否留守儿童", "is_left_behind", _yes_no),
    ExportColumn("是否进城务工人员随迁子女", "is_migrant_worker_child", _yes_no),
    ExportColumn("是否孤儿", "is_orphan", _yes_no),
    ExportColumn("是否需要申请资助", "needs_financial_aid", _yes_no),
    *(column for number in range(1, GUARDIANS + 1) for column in _guardian_columns(number)),
)
COLUMN_BY_HEADER = {column.header: column for column in COLUMNS}
