"""Batched loads of grades, and of the terms, courses and arrangements that nodes name."""

from __future__ import annotations

from typing import Any, NamedTuple

from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.academics.attendance import AttendanceView, attendance_of_students
from archive_store.academics.documents import Course, CourseArrangement, Term
from archive_store.academics.queries import (
    GradeView,
    StudentGrades,
    by_id,
    grades_by_id,
    grades_of_students,
)
from archive_store.access.policy import Withheld
from archive_store.foundation.records import Record
from schema.context import Context

KINDS: dict[str, type[Record]] = {"Course": Course, "CourseArrangement": CourseArrangement, "Term": Term}


class GradesKey(NamedTuple):
    """A student, and the term of which grades are asked for; None of all."""

    student_id: ObjectId
    term_id: ObjectId | None


class AcademicNodeKey(NamedTuple):
    """A term, course or arrangement by the name of its type."""

    type_name: str
    id: ObjectId


class AcademicsLoaders:
    """Loaders of one request."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load_nodes(keys: list[AcademicNodeKey]) -> list[Any]:
            found: dict[AcademicNodeKey, Any] = {}
            for name in {key.type_name for key in keys}:
                ids = list({key.id: None for key in keys if key.type_name == name})
                rows: list[Any] = list(await by_id(store, viewer, KINDS[name], ids))
                found |= {AcademicNodeKey(name, key): row for key, row in zip(ids, rows, strict=True)}
            return [found[key] for key in keys]

        async def load_grades(ids: list[ObjectId]) -> list[GradeView | None]:
            return await grades_by_id(store, viewer, ids)

        async def load_student_grades(keys: list[GradesKey]) -> list[StudentGrades | None]:
            # Grades and average of one student ask for the same: it is one reading.
            found: dict[GradesKey, StudentGrades | None] = {}
            for term in {key.term_id for key in keys}:
                ids = list({key.student_id: None for key in keys if key.term_id == term})
                rows = await grades_of_students(store, viewer, ids, term)
                found |= {GradesKey(key, term): row for key, row in zip(ids, rows, strict=True)}
            return [found[key] for key in keys]

        async def load_attendance(ids: list[ObjectId]) -> list[list[AttendanceView] | Withheld]:
            return await attendance_of_students(store, viewer, ids)

        self.attendance: DataLoader[ObjectId, list[AttendanceView] | Withheld] = DataLoader(
            load_fn=load_attendance, cache=False
        )
        self.nodes: DataLoader[AcademicNodeKey, Any] = DataLoader(load_fn=load_nodes, cache=False)
        self.grades: DataLoader[ObjectId, GradeView | None] = DataLoader(load_fn=load_grades, cache=False)
        self.student_grades: DataLoader[GradesKey, StudentGrades | None] = DataLoader(
            load_fn=load_student_grades, cache=False
        )
