"""`terms`, `courses` and `courseArrangements`."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId

from archive_store.academics import documents as stored
from archive_store.academics.queries import newest
from archive_store.foundation.database import Row
from archive_store.foundation.texts import check_text
from archive_store.foundation.unit_of_work import AnyRecord
from schema.academics.nodes import academic_node
from schema.academics.types import Course, CourseArrangement, Term
from schema.context import Request
from schema.nodes import Connection, connection, global_id, key_of, parse_global_id

_NAME_LIMIT = 100


@strawberry.input(description="Conditions that all hold.")
class CourseArrangementFilter:
    term_id: strawberry.ID | None = None
    course_id: strawberry.ID | None = None
    class_name: str | None = None

    def to_store(self) -> Row:
        check_text(self.class_name, field="where.className", limit=_NAME_LIMIT)
        asked: dict[str, ObjectId | str | None] = {
            "term_id": self.term_id and key_of(self.term_id, "Term", field="where.termId"),
            "course_id": self.course_id and key_of(self.course_id, "Course", field="where.courseId"),
            "class_name": self.class_name,
        }
        return {name: value for name, value in asked.items() if value is not None}


async def _page(
    info: Request, record_type: type[AnyRecord], query: Row, first: int, after: str | None
) -> Any:
    name = record_type.subject_type
    key = None if after is None else key_of(after, name, field="after")
    page = await newest(info.context.store, info.context.viewer, record_type, query, first=first, after=key)
    cursors = [global_id(name, row.key) for row in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)


async def resolve_terms(info: Request, first: int = 20, after: str | None = None) -> Connection[Term]:
    """Terms, newest first."""
    return await _page(info, stored.Term, {}, first, after)  # type: ignore[no-any-return]


async def resolve_courses(info: Request, first: int = 20, after: str | None = None) -> Connection[Course]:
    """Courses, newest first."""
    return await _page(info, stored.Course, {}, first, after)  # type: ignore[no-any-return]


async def resolve_course_arrangements(
    info: Request,
    first: int = 20,
    after: str | None = None,
    where: CourseArrangementFilter | None = None,
) -> Connection[CourseArrangement]:
    """Arrangements, newest first."""
    query = where.to_store() if where else {}
    return await _page(info, stored.CourseArrangement, query, first, after)  # type: ignore[no-any-return]


async def resolve_academic_node(info: Request, id: strawberry.ID) -> Any:  # noqa: A002
    """A term, course or arrangement by id."""
    return await academic_node(parse_global_id(id)[0])(info, parse_global_id(id)[1])


async def resolve_grade_record(info: Request, id: strawberry.ID) -> Any:  # noqa: A002
    """A grade by id; null when there is none to see."""
    return await info.context.loaders.academics.grades.load(key_of(id, "GradeRecord", field="id"))


@strawberry.type
class AcademicsQueries:
    terms: Connection[Term] = strawberry.field(resolver=resolve_terms, description="学期, newest first.")
    courses: Connection[Course] = strawberry.field(
        resolver=resolve_courses, description="课程, newest first."
    )
    course_arrangements: Connection[CourseArrangement] = strawberry.field(
        resolver=resolve_course_arrangements, description="课程安排, newest first."
    )
