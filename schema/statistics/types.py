"""Cells of flows and stocks, and grade distributions, in GraphQL."""

from __future__ import annotations

from typing import Any

import strawberry

from archive_store.academics import documents as academics
from archive_store.statistics.grades import GradeDistribution as StoredDistribution
from archive_store.students import documents as students
from schema.academics.enums import GradingScheme
from schema.access import governed
from schema.analysis.types import DimensionFields
from schema.directives import directives_of
from schema.enums import StudentStatus
from schema.statistics.enums import GradeBand, StudentFlow

_COUNT = "How many students; null where suppressed."
_SUPPRESSED = "The count is small, or a small one could be reckoned from it."
_SMALLEST = "Counts below this are suppressed."


@strawberry.type(description="One cell: students whose status changed so in the period.")
class StudentFlowCell(DimensionFields):
    period: str = strawberry.field(description="2025-09, 2025-1 or 2025, by the unit asked for.")
    flow: StudentFlow = strawberry.field(description="流动.")
    count: int | None = strawberry.field(description="人次; null where suppressed.")
    suppressed: bool = strawberry.field(description=_SUPPRESSED)


@strawberry.type(
    description="Flows of students; the dimensions are those of the record today. An absent cell is 0."
)
class StudentFlows:
    smallest_cell: int = strawberry.field(description=_SMALLEST)
    cells: list[StudentFlowCell] = strawberry.field(description="Cells that are not empty, by period.")


@strawberry.type(description="One cell: students who had the status on the last day of the month.")
class StudentStockCell(DimensionFields):
    month: str = strawberry.field(description="YYYY-MM.")
    status: StudentStatus = governed(students.Student, "status", "学籍状态 of that day")
    count: int | None = strawberry.field(description=_COUNT)
    suppressed: bool = strawberry.field(description=_SUPPRESSED)


@strawberry.type(
    description="Students by status at the ends of months; other dimensions are of the record today."
)
class StudentStocks:
    smallest_cell: int = strawberry.field(description=_SMALLEST)
    cells: list[StudentStockCell] = strawberry.field(description="Cells that are not empty, by month.")


@strawberry.type(description="How many grades of a band.")
class GradeBandCount:
    band: GradeBand = strawberry.field(description="分数段.")
    count: int | None = strawberry.field(description="How many grades; null where suppressed.")
    suppressed: bool = strawberry.field(description=_SUPPRESSED)


@strawberry.type(description="The regular grades (正考) of a course in a term, counted. An absent band is 0.")
class GradeDistribution:
    @strawberry.field(description="学年.", directives=directives_of(academics.Term, "school_year"))
    def school_year(self) -> int:
        return _held(self).term.school_year

    @strawberry.field(
        description="学期, 1 or 2 of the school year.", directives=directives_of(academics.Term, "number")
    )
    def term_number(self) -> int:
        return _held(self).term.number

    @strawberry.field(description="课程代码.", directives=directives_of(academics.Course, "code"))
    def course_code(self) -> str:
        return _held(self).course.code

    @strawberry.field(description="课程名称.", directives=directives_of(academics.Course, "name"))
    def course_name(self) -> str:
        return _held(self).course.name

    @strawberry.field(description="记分方式.", directives=directives_of(academics.Course, "scheme"))
    def scheme(self) -> GradingScheme:
        return _held(self).course.scheme

    grade: str | None = strawberry.field(
        description="年级 on the first day of the term; null by school, and of a class that is not set up."
    )
    class_name: str | None = governed(academics.CourseArrangement, "class_name", "班级; null unless by class")

    @strawberry.field(description="How many grades; null where suppressed.")
    def count(self) -> int | None:
        return _held(self).told.count

    @strawberry.field(description=_SUPPRESSED)
    def suppressed(self) -> bool:
        return _held(self).told.suppressed

    bands: list[GradeBandCount] = strawberry.field(description="Bands that are not empty.")

    @strawberry.field(
        description="及格率 of those with a score, 0 to 1; null where it would tell a suppressed count."
    )
    def pass_rate(self) -> float | None:
        return _held(self).told.pass_rate

    @strawberry.field(description="平均分 of percent scores, one decimal; null where suppressed.")
    def mean(self) -> float | None:
        return _held(self).told.mean

    @strawberry.field(description="中位数 of percent scores, one decimal; null where suppressed.")
    def median(self) -> float | None:
        return _held(self).told.median


def _held(source: Any) -> StoredDistribution:
    assert isinstance(source, StoredDistribution)  # noqa: S101
    return source


@strawberry.type(description="Grade distributions (成绩分布), by term and course.")
class GradeDistributions:
    smallest_cell: int = strawberry.field(description=_SMALLEST)
    distributions: list[GradeDistribution] = strawberry.field(description="Of what has grades.")
