"""Grades, average and rank of a student (成绩, 绩点, 名次)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.academics import documents as stored
from archive_store.academics.averages import Rank, average, rank_of_student
from archive_store.academics.queries import GradeView, StudentGrades
from archive_store.academics.rules import Gpa
from archive_store.academics.scales import scale_of
from archive_store.access.policy import Withheld
from schema.academics.enums import GradeKind, GradeStatus, RankWithin
from schema.academics.loaders import GradesKey
from schema.academics.types import Course, CourseArrangement, Term
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.directives import directives_of
from schema.nodes import Connection, Node, global_id, key_of, key_of_source


def _leaf(path: str, description: str) -> Any:
    """A leaf of a grade, which is read whole or not at all."""

    def resolve(root: Any) -> Any:
        return getattr(root.record, path)

    return strawberry.field(
        resolver=resolve, description=description, directives=directives_of(stored.GradeRecord, path)
    )


@strawberry.type(description="成绩, to whoever reads it.")
class GradeRecord(Node):
    kind: GradeKind = _leaf("kind", "考试性质.")
    status: GradeStatus = _leaf("status", "成绩状态.")
    score: str | None = _leaf("score", "分数, as the course's scheme spells it.")
    class_name: str = _leaf("class_name", "班级 of the arrangement.")
    entered_by_name: str = _leaf("entered_by_name", "录入人.")
    revision: int = _leaf("revision", "Counts its corrections from 1.")
    updated_at: datetime | None = _leaf("updated_at", "When it last changed.")
    course: Course = strawberry.field(description="课程.")
    term: Term = strawberry.field(description="学期.")
    arrangement: CourseArrangement = strawberry.field(description="课程安排.")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="Whose it is.", directives=directives_of(stored.GradeRecord, "student_id"))
    def student_id(self) -> strawberry.ID:
        assert isinstance(self, GradeView)  # noqa: S101
        return strawberry.ID(global_id("Student", self.record.student_id))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, GradeView)


@strawberry.type(description="名次: the place among so many who have an average; equal averages share one.")
class GradeRank:
    place: int
    ranked: int


@dataclass(frozen=True, slots=True)
class _Average:
    """An average, and whose of which term it is."""

    gpa: Gpa
    student_id: ObjectId
    term_id: ObjectId | None


@strawberry.type(description="平均学分绩点: Σ(credits × points) ÷ Σ credits, to two decimals.")
class GradeAverage:
    @strawberry.field(description="The average.")
    def value(self) -> float:
        return float(_average(self).gpa.value)

    @strawberry.field(description="学分 that it is of.")
    def credits(self) -> float:
        return float(_average(self).gpa.credits)

    @strawberry.field(description="Version of the scale (绩点标准) that gave the points.")
    def scale(self) -> int:
        return _average(self).gpa.scale

    @strawberry.field(
        description="名次, to the student and to whoever reads the grades of all who are ranked; null in a small group."
    )
    async def rank(self, info: Request, within: RankWithin = RankWithin.CLASS) -> GradeRank | None:
        held, context = _average(self), info.context
        told = await rank_of_student(
            context.store,
            context.viewer,
            held.student_id,
            within,
            term_id=held.term_id,
            scale=held.gpa.scale,
        )
        if isinstance(told, Rank):
            return GradeRank(place=told.place, ranked=told.ranked)
        if told is not None:
            context.withhold({"GradeAverage.rank": told})
        return None


def _average(source: Any) -> _Average:
    assert isinstance(source, _Average)  # noqa: S101
    return source


def _term_key(term_id: strawberry.ID | None) -> ObjectId | None:
    return None if term_id is None else key_of(term_id, "Term", field="termId")


async def _held(info: Request, key: GradesKey) -> StudentGrades | None:
    held = await info.context.loaders.academics.student_grades.load(key)
    assert held is None or isinstance(held, StudentGrades)  # noqa: S101
    return held


async def resolve_grades(
    root: strawberry.Parent[Any], info: Request, term_id: strawberry.ID | None = None
) -> list[GradeRecord] | None:
    """Grades that the viewer reads; null, and said to be withheld, where they read none."""
    held = await _held(info, GradesKey(key_of_source(root), _term_key(term_id)))
    if held is None or not held.are_all:
        info.context.withhold({"Student.grades": held.why if held else Withheld.NOT_PERMITTED})
    return list(held.grades) if held and (held.are_all or held.grades) else None  # type: ignore[arg-type]


async def resolve_gpa(
    root: strawberry.Parent[Any],
    info: Request,
    term_id: strawberry.ID | None = None,
    scale: int | None = None,
) -> GradeAverage | None:
    """The average by a version of the scale, the one in effect if left out."""
    chosen = await scale_of(info.context.store, scale)
    key = GradesKey(key_of_source(root), _term_key(term_id))
    held = await _held(info, key)
    if held is None or not held.are_all:
        info.context.withhold({"Student.gpa": held.why if held else Withheld.NOT_PERMITTED})
        return None
    gpa = average(held.grades, chosen)
    return _Average(gpa, *key) if gpa else None  # type: ignore[return-value]
