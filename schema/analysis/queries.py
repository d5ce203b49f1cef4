"""`studentStatistics` and `pseudonymisedStudents`."""

from __future__ import annotations

import strawberry

from archive_store.analysis import queries as store
from archive_store.analysis.dimensions import StudentStatisticsFilter as StoredFilter
from schema.analysis.types import PseudonymisedStudent, StudentStatistics
from schema.context import Request
from schema.enums import Gender, StudentDimension, StudentStatus
from schema.nodes import Connection, connection


@strawberry.input(description="Values that all hold, one a dimension. They are dimensions of the query, too.")
class StudentStatisticsFilter:
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


async def resolve_student_statistics(
    info: Request, group_by: list[StudentDimension], where: StudentStatisticsFilter | None = None
) -> StudentStatistics:
    """Counts by up to three dimensions."""
    asked = StoredFilter(**vars(where)) if where else None
    return await store.student_statistics(  # type: ignore[return-value]
        info.context.store, info.context.viewer, group_by, asked
    )


async def resolve_pseudonymised_students(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[PseudonymisedStudent]:
    """A page of rows without identities."""
    page = await store.pseudonymised_students(
        info.context.store, info.context.viewer, first=first, after=after
    )
    cursors = [row["pseudonym"] for row in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]
