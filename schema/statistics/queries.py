"""`studentFlows`, `studentStocks` and `gradeDistributions`."""

from __future__ import annotations

import strawberry

from archive_store.statistics import flows, grades, stocks
from schema.context import Request
from schema.enums import StudentDimension
from schema.statistics.enums import GradesBy, PeriodUnit, StudentFlow
from schema.statistics.types import GradeDistributions, StudentFlows, StudentStocks


async def resolve_student_flows(
    info: Request,
    by: PeriodUnit,
    from_month: str,
    to_month: str,
    group_by: list[StudentDimension] | None = None,
    kinds: list[StudentFlow] | None = None,
) -> StudentFlows:
    """Flows of the periods that lie in the months, `YYYY-MM`, and are over."""
    return await flows.student_flows(  # type: ignore[return-value]
        info.context.store, info.context.viewer, by, from_month, to_month, group_by or (), kinds
    )


async def resolve_student_stocks(
    info: Request, months: list[str], group_by: list[StudentDimension] | None = None
) -> StudentStocks:
    """Stocks on the last days of up to 24 months, `YYYY-MM`."""
    return await stocks.student_stocks(  # type: ignore[return-value]
        info.context.store, info.context.viewer, months, group_by or ()
    )


async def resolve_grade_distributions(
    info: Request, terms: list[str], courses: list[str] | None = None, by: GradesBy = GradesBy.SCHOOL
) -> GradeDistributions:
    """Grades of up to 8 terms, spelt `2025-1`, and of these course codes or of all courses."""
    return await grades.grade_distributions(  # type: ignore[return-value]
        info.context.store, info.context.viewer, terms, courses or (), by
    )


@strawberry.type
class StatisticsQueries:
    """The root fields of this room."""

    student_flows: StudentFlows = strawberry.field(
        resolver=resolve_student_flows,
        description="流动: who entered, left or changed status, by months, terms or school years that are over; by up "
        "to two dimensions. Small cells suppressed.",
    )
    student_stocks: StudentStocks = strawberry.field(
        resolver=resolve_student_stocks,
        description="在册数: students by status at the ends of months, by up to two dimensions. Small cells "
        "suppressed.",
    )
    grade_distributions: GradeDistributions = strawberry.field(
        resolver=resolve_grade_distributions,
        description="成绩分布 by term and course, for the posts that the access policy names (`grade_statistics`). "
        "Small cells suppressed.",
    )
