"""The people of a student: themself and the guardians, who are told of what is done."""

from __future__ import annotations

from bson import ObjectId

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import Record
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.students.documents import Student


async def family_of(unit: UnitOfWork, student_id: ObjectId) -> list[ObjectId]:
    """The persons of student and guardians; NOT_FOUND without the student."""
    row = await unit.store.database.collection(Student).find_one(
        {"_id": student_id}, {"person_id": 1, "guardians.person_id": 1}, session=unit.session
    )
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
    guardians = {held.get("person_id") for held in row.get("guardians", ())} - {None}
    return sorted({row["person_id"], *guardians})


async def tell_family(unit: UnitOfWork, record: Record, student_id: ObjectId, kind: str) -> None:
    """Notify each of them of the record."""
    for person_id in await family_of(unit, student_id):
        unit.notify(person_id, kind, Subject(record.subject_type, record.key))
