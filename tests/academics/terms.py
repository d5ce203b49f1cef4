"""A term, a course and its arrangement for the first class of the demo school, and entries of grades."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bson import ObjectId

from archive_store.academics.documents import GradeKind, GradeRecord, GradingScheme
from archive_store.academics.grades import GradeCorrect, GradesReport, enter_grades
from archive_store.academics.judging import GradesEnter
from archive_store.academics.operations import CourseArrangementOpen, CourseOpen, TermOpen
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.clock import school_day
from archive_store.students.documents import Student
from tests.school import School

OFFICE = "academic-affairs"
FIRST, SECOND = "2023级1班", "2023级2班"


@dataclass(frozen=True)
class Arranged:
    """Keys of what was opened, and the students of the class by number."""

    term: ObjectId
    course: ObjectId
    arrangement: ObjectId
    students: tuple[ObjectId, ...]


async def students_of(school: School, class_name: str) -> tuple[ObjectId, ...]:
    rows = school.store.database.collection(Student).find({"class_name": class_name}, {"_id": 1})
    return tuple([row["_id"] async for row in rows.sort("auxiliary_number", 1)])


async def in_two_classes(school: School) -> None:
    """The first three students in the first class, the others in the second."""
    collection = school.store.database.collection(Student)
    keys = [row["_id"] async for row in collection.find({}, {"_id": 1}).sort("auxiliary_number", 1)]
    for class_name, held in ((FIRST, keys[:3]), (SECOND, keys[3:])):
        await collection.update_many({"_id": {"$in": held}}, {"$set": {"class_name": class_name}})


async def open_term(school: School, **more: Any) -> ObjectId:
    today = school_day(school.store.clock.now())
    days = {"first_day": today - timedelta(days=60), "last_day": today + timedelta(days=60)}
    told = {"term_id": ObjectId(), "school_year": 2025, "number": 1, **days, **more}
    return await do(school, "term.open", TermOpen, told)


async def open_course(school: School, code: str = "MATH", **more: Any) -> ObjectId:
    told = {
        "course_id": ObjectId(),
        "code": code,
        "name": "数学",
        "credits": 4,
        "scheme": GradingScheme.PERCENT,
    }
    return await do(school, "course.open", CourseOpen, {**told, **more})


async def arrange(
    school: School, term: ObjectId, course: ObjectId, class_name: str = FIRST, teacher: str = "teacher"
) -> ObjectId:
    told = {"arrangement_id": ObjectId(), "course_id": course, "term_id": term, "class_name": class_name}
    teacher_id = (await school.viewer(teacher)).person_id
    payload = {**told, "teacher_id": teacher_id}
    return await do(school, "course_arrangement.open", CourseArrangementOpen, payload)


async def arranged(school: School, class_name: str = FIRST) -> Arranged:
    await in_two_classes(school)
    term, course = await open_term(school), await open_course(school)
    arrangement = await arrange(school, term, course, class_name)
    return Arranged(term, course, arrangement, await students_of(school, class_name))


async def do(school: School, name: str, kind: Any, values: dict[str, Any], subject: str = OFFICE) -> ObjectId:
    outcome = await perform(school.store, await school.viewer(subject), name, payload_of(kind, values))
    return outcome.result  # type: ignore[no-any-return]


async def enter(
    school: School,
    arrangement: ObjectId,
    rows: list[dict[str, Any]],
    *,
    kind: GradeKind = GradeKind.REGULAR,
    subject: str = OFFICE,
    dry_run: bool = False,
) -> GradesReport:
    told = {"entry_id": ObjectId(), "arrangement_id": arrangement, "kind": kind, "rows": rows}
    payload = payload_of(GradesEnter, told)
    return await enter_grades(school.store, await school.viewer(subject), payload, dry_run=dry_run)


def scores(students: tuple[ObjectId, ...], *given: str) -> list[dict[str, Any]]:
    return [{"student_id": key, "score": score} for key, score in zip(students, given, strict=False)]


async def grade_key(school: School, student: ObjectId, kind: GradeKind = GradeKind.REGULAR) -> ObjectId:
    query = {"student_id": student, "kind": kind.value}
    row = await school.store.database.collection(GradeRecord).find_one(query, {"_id": 1})
    assert row is not None
    return row["_id"]  # type: ignore[no-any-return]


async def correct(school: School, student: ObjectId, subject: str = OFFICE, **value: Any) -> ObjectId:
    """Ask for a correction; the change request's key."""
    told = {"record_id": await grade_key(school, student), "student_id": student, **value}
    payload = payload_of(GradeCorrect, told)
    viewer = await school.viewer(subject)
    outcome = await perform(school.store, viewer, "grade.correct", payload, reason="核对试卷")
    assert outcome.change_request_id is not None
    return outcome.change_request_id
