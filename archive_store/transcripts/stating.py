"""What a transcript states of a student: as much of the person as the paper needs, the courses by term, the average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from bson import ObjectId

from archive_store.academics.averages import average
from archive_store.academics.documents import GradeRecord, GradeStatus
from archive_store.academics.queries import GradeView, views_of
from archive_store.academics.rules import GpaScale
from archive_store.academics.scales import scale_of
from archive_store.certificates.making import school_name
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.organisation.stages import stages_of_students
from archive_store.students.documents import Student
from archive_store.students.merged import owners_of_merged
from archive_store.transcripts.documents import StatedGrade
from archive_store.transcripts.rules import RULE

# No identity number, no birth date: the number of the school tells who it is.
_PRINTED = ("name", "auxiliary_number", "class_name", "enrolled_month", "status")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is stated, as it is signed, and the grades that it is told by."""

    told: Mapping[str, Any]
    grades: tuple[StatedGrade, ...]


async def statement_of(unit: UnitOfWork, student_id: ObjectId, *, number: str, issued_on: date) -> Statement:
    """As the records are in the transaction. NOT_FOUND of no student; WRONG_STATE of one without grades."""
    store, session = unit.store, unit.session
    fields = dict.fromkeys(_PRINTED, 1)
    student = await store.database.collection(Student).find_one({"_id": student_id}, fields, session=session)
    if student is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id", rule=RULE)
    found = store.database.collection(GradeRecord).find({"student_id": student_id}, session=session)
    views = await views_of(store, await found.to_list())
    if not views:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=RULE, state="NO_GRADES")
    stages = await stages_of_students(store, session, [student_id])
    told: dict[str, Any] = {
        "transcriptNumber": number,
        "issuedOn": issued_on.isoformat(),
        "schoolName": await school_name(store),
        **_person(student),
        "stage": stages[student_id].value if student_id in stages else None,
        "courses": _courses(views),
        "average": _average(views, await scale_of(store)),
        "omitsMerged": await _has_merged_grades(unit, student_id) or None,
    }
    stated = tuple(StatedGrade(grade_id=view.id, revision=view.record.revision) for view in views)
    return Statement({name: value for name, value in told.items() if value is not None}, stated)


async def _has_merged_grades(unit: UnitOfWork, student_id: ObjectId) -> bool:
    """Whether a record that was merged into this one has grades; who reads this one does not read them."""
    owners = await owners_of_merged(unit.store, unit.session, [student_id])
    merged = {"student_id": {"$in": sorted(owners.keys() - {student_id})}}
    grades = unit.store.database.collection(GradeRecord)
    return await grades.find_one(merged, {"_id": 1}, session=unit.session) is not None


def _person(student: Row) -> dict[str, Any]:
    return {
        "name": student["name"],
        "studentNumber": student["auxiliary_number"],
        "className": student["class_name"],
        "studiedFrom": student["enrolled_month"],
        "studentStatus": student["status"],
    }


def _courses(views: Sequence[GradeView]) -> list[dict[str, Any]]:
    """By term and course. Decimals are text, so that every reader has the same ones."""
    lines = [
        {
            "schoolYear": view.term.school_year,
            "term": view.term.number,
            "code": view.course.code,
            "name": view.course.name,
            "credits": decimal_text(view.course.credits),
            "scheme": view.course.scheme.value,
            "kind": view.record.kind.value,
            "status": _shown_status(view.record),
            "score": view.record.score,
        }
        for view in views
    ]
    return [{name: value for name, value in line.items() if value is not None} for line in lines]


def _shown_status(record: GradeRecord) -> str:
    """Whether a grade was corrected before is nothing that the paper shows."""
    return (record.status if record.score is None else GradeStatus.ENTERED).value


def _average(views: Sequence[GradeView], scale: GpaScale) -> dict[str, Any] | None:
    held = average(views, scale)
    if held is None:
        return None
    return {"value": str(held.value), "credits": decimal_text(held.credits), "scale": held.scale}


def decimal_text(value: float | Decimal) -> str:
    """4 for 4.0, 2.5 for 2.5."""
    return f"{Decimal(str(value)).normalize():f}"
