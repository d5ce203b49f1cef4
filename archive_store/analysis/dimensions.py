"""What students are counted by: each dimension with the stored leaf it shows, and who may count by it. Pure.

Policy §一(一) gives the department statistical analysis, §二(一) the analysis group the work on it. A dimension shows
an unencrypted leaf of class F0 to F2, as a code, a word of the school's own or a year. It takes no right to the leaf
itself: cells are suppressed, so a holder of a statistics post may count by what they may not read of one student.
F3 and F4 leaves are never offered, nor are free text and places (籍贯, 行政区划码), which single people out.

A service account counts by F0 and F1 with `statistics:read`, and by F2 only where it may read personal values, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from archive_store.access.policy import ACCESS_RULE, refuse_field
from archive_store.access.rules import CLASSES_OF_SCOPE, Scope
from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.students.documents import Gender, Student, StudentStatus

GROUP_BY_LIMIT = 3
DIMENSIONS_LIMIT = 4  # of `groupBy` and `where` together
STATISTICS_CLASSES = frozenset({FieldClass.F0, FieldClass.F1, FieldClass.F2})


class StudentDimension(Enum):
    """(name, stored path)."""

    GENDER = ("gender", "gender")
    BIRTH_YEAR = ("birth_year", "birth_date")
    ETHNIC_GROUP = ("ethnic_group", "ethnic_group")
    NATIONALITY = ("nationality", "nationality")
    OVERSEAS_STATUS = ("overseas_status", "overseas_status")
    POLITICAL_STATUS = ("political_status", "political_status")
    HOUSEHOLD_TYPE = ("household_type", "household_type")
    STATUS = ("status", "status")
    GRADE = ("grade", "grade")
    CLASS_NAME = ("class_name", "class_name")
    ENROLLED_MONTH = ("enrolled_month", "enrolled_month")
    ADMISSION_METHOD = ("admission_method", "admission_method")
    BOARDING = ("boarding", "boarding")
    STUDENT_SOURCE = ("student_source", "student_source")

    @property
    def attribute(self) -> str:
        return self.value[0]

    @property
    def path(self) -> str:
        return self.value[1]

    @property
    def field_class(self) -> FieldClass:
        return field_classes(Student)[self.path]

    @property
    def expression(self) -> object:
        """The dimension as MongoDB computes it from a stored student."""
        if self is StudentDimension.BIRTH_YEAR:
            year = {"$substrBytes": [f"${self.path}", 0, 4]}
            return {"$convert": {"input": year, "to": "int", "onError": None, "onNull": None}}
        return f"${self.path}"


# A class stands within its grade, as everyone knows, so a count by class alone could be taken from a count by grade.
# Who asks for the class is given the grade with it, and the two are suppressed as one table.
WITHIN = {StudentDimension.CLASS_NAME: StudentDimension.GRADE}


@dataclass(frozen=True, slots=True)
class StudentStatisticsFilter:
    """Values that all hold, one a dimension."""

    gender: Gender | None = None
    birth_year: int | None = None
    ethnic_group: str | None = None
    nationality: str | None = None
    overseas_status: str | None = None
    political_status: str | None = None
    household_type: str | None = None
    status: StudentStatus | None = None
    grade: str | None = None
    class_name: str | None = None
    enrolled_month: str | None = None
    admission_method: str | None = None
    boarding: str | None = None
    student_source: str | None = None

    @property
    def values(self) -> dict[StudentDimension, str | int]:
        """The values asked for, as they are stored."""
        asked = {dimension: getattr(self, dimension.attribute) for dimension in StudentDimension}
        return {
            dimension: value.value if isinstance(value, Enum) else value
            for dimension, value in asked.items()
            if value is not None
        }


def permitted_classes(viewer: Viewer) -> frozenset[FieldClass]:
    """The classes whose leaves this viewer may count by; FORBIDDEN without a statistics post (§二(一))."""
    if not (viewer.holds_any(viewer.policy.rules.statistics) and viewer.has_scope(Scope.STATISTICS_READ)):
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=ACCESS_RULE)
    if viewer.has_scope(Scope.STUDENT_READ_PERSONAL):
        return STATISTICS_CLASSES
    return STATISTICS_CLASSES - CLASSES_OF_SCOPE[Scope.STUDENT_READ_PERSONAL]


def check_dimensions(
    viewer: Viewer, group_by: Iterable[StudentDimension], where: StudentStatisticsFilter
) -> tuple[StudentDimension, ...]:
    """The dimensions of the table that answers, in their own order.

    A dimension that may not be counted by is refused by name, before anything is read.
    """
    classes = permitted_classes(viewer)
    grouped, filtered = dict.fromkeys(group_by), where.values
    for argument, dimensions in (("groupBy", grouped), ("where", filtered)):
        for dimension in dimensions:
            if dimension.field_class not in classes:
                raise refuse_field(f"{argument}.{dimension.attribute}")
    if not 0 < len(grouped) <= GROUP_BY_LIMIT:
        raise _too_many(
            "groupBy", f"须为 1 至 {GROUP_BY_LIMIT} 项", f"must be 1 to {GROUP_BY_LIMIT} dimensions"
        )
    asked = grouped.keys() | filtered.keys()
    table = asked | {WITHIN[dimension] for dimension in asked & WITHIN.keys()}
    if len(table) > DIMENSIONS_LIMIT:
        raise _too_many(
            "where",
            f"与 groupBy 合计不得超过 {DIMENSIONS_LIMIT} 项(班级连同年级计)",
            f"with groupBy, at most {DIMENSIONS_LIMIT} dimensions; a class counts with its grade",
        )
    return tuple(dimension for dimension in StudentDimension if dimension in table)


def _too_many(argument: str, zh: str, en: str) -> RegistrarError:
    return RegistrarError(ErrorCode.INVALID_ARGUMENT, field=argument, detail_zh=zh, detail_en=en)
