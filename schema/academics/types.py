"""Terms, courses, course arrangements (教务)."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from archive_store.academics import documents as stored
from schema.academics.enums import GradingScheme
from schema.academics.nodes import academic_node
from schema.access import governed
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.directives import directives_of
from schema.nodes import Connection, Node, global_id
from schema.scalars import Day


@strawberry.type(description="学期.")
class Term(Node):
    school_year: int = governed(stored.Term, "school_year", "学年, the year in which it begins")
    number: int = governed(stored.Term, "number", "1 or 2 of the school year")
    first_day: Day = governed(stored.Term, "first_day", "first day")
    last_day: Day = governed(stored.Term, "last_day", "last day, inclusive")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.Term)


@strawberry.type(description="What a course was called and counted in terms that began before a day.")
class CourseTerms:
    name: str = strawberry.field(description="名称.", directives=directives_of(stored.Course, "earlier.name"))
    credits: float = strawberry.field(
        description="学分.", directives=directives_of(stored.Course, "earlier.credits")
    )
    before: Day = strawberry.field(
        description="The first day of the term from which it is otherwise.",
        directives=directives_of(stored.Course, "earlier.before"),
    )


@strawberry.type(description="课程.")
class Course(Node):
    code: str = governed(stored.Course, "code", "课程代码")
    name: str = governed(stored.Course, "name", "名称")
    credits: float = governed(stored.Course, "credits", "学分, whole or half")
    scheme: GradingScheme = governed(stored.Course, "scheme", "记分方式")
    earlier: list[CourseTerms] = strawberry.field(
        description="What it was called and counted in earlier terms, oldest first."
    )
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.Course)


@strawberry.type(description="课程安排: a course that a class has in a term.")
class CourseArrangement(Node):
    class_name: str = governed(stored.CourseArrangement, "class_name", "班级")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    teacher_from: Day | None = governed(
        stored.CourseArrangement, "teacher_from", "the day from which `teacherId` teaches it; null: all along"
    )
    cancelled_on: Day | None = governed(stored.CourseArrangement, "cancelled_on", "取消: it was cancelled")

    @strawberry.field(
        description="课程 as it is called and counted in the term.",
        directives=directives_of(stored.CourseArrangement, "course_id"),
    )
    async def course(self, info: Request) -> Course:
        held = _arrangement(self)
        course, term = await _COURSE(info, held.course_id), await _TERM(info, held.term_id)
        return course and term and course.in_term_of(term.first_day)  # type: ignore[no-any-return]

    @strawberry.field(description="学期.", directives=directives_of(stored.CourseArrangement, "term_id"))
    async def term(self, info: Request) -> Term:
        return await _TERM(info, _arrangement(self).term_id)  # type: ignore[no-any-return]

    @strawberry.field(
        description="任课教师, as `staff` knows them.",
        directives=directives_of(stored.CourseArrangement, "teacher_id"),
    )
    def teacher_id(self) -> strawberry.ID:
        return strawberry.ID(global_id("Person", _arrangement(self).teacher_id))

    @strawberry.field(
        description="Who teaches it until the day before `teacherFrom`.",
        directives=directives_of(stored.CourseArrangement, "earlier_teacher_id"),
    )
    def earlier_teacher_id(self) -> strawberry.ID | None:
        key = _arrangement(self).earlier_teacher_id
        return None if key is None else strawberry.ID(global_id("Person", key))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.CourseArrangement)


_COURSE, _TERM = academic_node("Course"), academic_node("Term")


def _arrangement(source: Any) -> stored.CourseArrangement:
    assert isinstance(source, stored.CourseArrangement)  # noqa: S101
    return source
