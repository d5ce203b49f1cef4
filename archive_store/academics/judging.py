"""What an entry of grades would write: every row judged, every fault told, and who of the class has no row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.documents import (
    Course,
    CourseArrangement,
    GradeKind,
    GradeRecord,
    GradeStatus,
    Term,
)
from archive_store.academics.rules import POLICY, checked_score, passes
from archive_store.approvals.operation import Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError, error_fields_under
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.lookups import found
from archive_store.foundation.store import Store
from archive_store.students.documents import Student, StudentStatus

ROWS_LIMIT = 1000
NOT_IN_STUDY = [
    status.value
    for status in (
        StudentStatus.PENDING_ADMISSION,
        StudentStatus.ADMISSION_DEFERRED,
        StudentStatus.CANCELLED,
        StudentStatus.VOIDED,
    )
]


class GradeRow(BaseModel):
    """One student's grade as it is entered; without a score where the exam was missed or put off."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True
    )

    student_id: PydanticObjectId
    status: GradeStatus = GradeStatus.ENTERED
    score: Annotated[str | None, Field(max_length=10)] = None


class GradesEnter(Payload):
    """Payload of `grades.enter`: grades of one arrangement and kind."""

    entry_id: PydanticObjectId
    arrangement_id: PydanticObjectId
    kind: GradeKind = GradeKind.REGULAR
    rows: Annotated[tuple[GradeRow, ...], Field(min_length=1, max_length=ROWS_LIMIT)]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Faults by place in the rows; the scores as they are stored; students of the class who have no grade yet."""

    arrangement: CourseArrangement
    course: Course
    faults: tuple[tuple[int, RegistrarError], ...]
    scores: tuple[str | None, ...]
    missing: tuple[ObjectId, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the rows are judged by."""

    course: Course
    arrangement: CourseArrangement
    kind: GradeKind
    students: dict[ObjectId, str]  # class name of each
    grades: dict[ObjectId, list[GradeRecord]]  # of the course, by student

    def check(self, row: GradeRow) -> str | None:
        """The score as stored. Raises what is at fault, on the row's own fields."""
        in_class = self.students.get(row.student_id) == self.arrangement.class_name
        earlier = self.grades.get(row.student_id, ())
        if row.student_id not in self.students or not (in_class or self.kind is GradeKind.RETAKE):
            raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id", rule=POLICY)
        of_arrangement = {g.kind: g for g in earlier if g.arrangement_id == self.arrangement.key}
        if self.kind in of_arrangement:
            raise RegistrarError(
                ErrorCode.DUPLICATE, field="student_id", rule=POLICY, others=GradeRecord.subject_type
            )
        if self.kind is GradeKind.MAKEUP:
            regular = of_arrangement.get(GradeKind.REGULAR)
            if regular is None:
                raise RegistrarError(
                    ErrorCode.WRONG_STATE, field="student_id", rule=POLICY, state="NOT_TAKEN"
                )
            if passes(self.course.scheme, regular.status, regular.score):
                raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=POLICY, state="PASSED")
        if self.kind is GradeKind.RETAKE and not any(
            g.arrangement_id != self.arrangement.key for g in earlier
        ):
            raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=POLICY, state="NOT_TAKEN")
        if row.status is GradeStatus.CORRECTED:
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field="status",
                rule=POLICY,
                detail_zh="更正须另行申请",
                detail_en="a correction is asked for by itself",
            )
        return checked_score(self.course.scheme, row.status, row.score)


async def judge(store: Store, payload: GradesEnter, session: AsyncClientSession | None = None) -> Judgement:
    """NOT_FOUND without the arrangement, WRONG_STATE before its term and of one that was cancelled.

    Faults of rows are told, not raised.
    """
    return await judge_rows(store, payload.arrangement_id, payload.kind, payload.rows, session)


async def judge_rows(
    store: Store,
    arrangement_id: ObjectId,
    kind: GradeKind,
    given: Sequence[GradeRow],
    session: AsyncClientSession | None = None,
) -> Judgement:
    """As `judge`, also of no rows at all."""
    held = await found(store, CourseArrangement, arrangement_id, "arrangement_id", session)
    if held.cancelled_on is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="arrangement_id", rule=POLICY, state="CANCELLED")
    term = await found(store, Term, held.term_id, "arrangement_id", session)
    if term.first_day > school_day(store.clock.now()):
        raise RegistrarError(
            ErrorCode.WRONG_STATE, field="arrangement_id", rule=POLICY, state="TERM_NOT_BEGUN"
        )
    course = await found(store, Course, held.course_id, "arrangement_id", session)
    asked = [row.student_id for row in given]
    in_class = {"class_name": held.class_name}
    query: Row = {
        "$or": [{"_id": {"$in": sorted(set(asked))}}, in_class],
        "status": {"$nin": NOT_IN_STUDY},
    }
    rows = store.database.collection(Student).find(query, {"class_name": 1}, session=session)
    students = {row["_id"]: row["class_name"] async for row in rows}
    grades = await grades_of_course(store, course.key, list(students), session)
    known = _Known(course, held, kind, students, grades)
    faults: list[tuple[int, RegistrarError]] = []
    scores: list[str | None] = []
    seen: set[ObjectId] = set()
    for place, row in enumerate(given):
        score = None
        try:
            with error_fields_under(f"rows.{place}"):
                if row.student_id in seen:
                    raise RegistrarError(
                        ErrorCode.DUPLICATE, field="student_id", others=GradeRecord.subject_type
                    )
                seen.add(row.student_id)
                score = known.check(row)
        except RegistrarError as fault:
            faults.append((place, fault))
        scores.append(score)
    return Judgement(held, course, tuple(faults), tuple(scores), _missing(known, seen))


def _missing(known: _Known, seen: set[ObjectId]) -> tuple[ObjectId, ...]:
    if known.kind is not GradeKind.REGULAR:
        return ()
    graded = {
        key
        for key, held in known.grades.items()
        if any(g.arrangement_id == known.arrangement.key and g.kind is GradeKind.REGULAR for g in held)
    }
    in_class = (k for k, name in known.students.items() if name == known.arrangement.class_name)
    return tuple(sorted(key for key in in_class if key not in seen | graded))


async def grades_of_course(
    store: Store,
    course_id: ObjectId,
    student_ids: Sequence[ObjectId],
    session: AsyncClientSession | None = None,
) -> dict[ObjectId, list[GradeRecord]]:
    """Grades of the course, decrypted, by student; for whoever enters grades, and never shown."""
    query = {"student_id": {"$in": list(student_ids)}, "course_id": course_id}
    rows = await store.database.collection(GradeRecord).find(query, session=session).to_list()
    await store.cipher.decrypt_paths(rows, encrypted_paths(GradeRecord))
    by_student: dict[ObjectId, list[GradeRecord]] = defaultdict(list)
    for row in rows:
        by_student[row["student_id"]].append(GradeRecord.model_validate(row))
    return by_student
