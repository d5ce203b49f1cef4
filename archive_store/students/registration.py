"""Registration (建档): new records in study with their persons, of one candidate or of a block of a roster.

What takes long of many rows, their shape and their encryption, needs no transaction: `prepare_records` is for a thread,
before it begins. The transaction adds its own time and writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from archive_store.audit.governed_transaction import tell_ahead
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.records import stored_shape
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.documents import Identifier, IdentifierKind, Person
from archive_store.students.documents import Guardian, StatusPeriod, Student, StudentStatus
from archive_store.students.replay import REGISTRATION

STUDENT_NUMBERS = {
    "identity_number": IdentifierKind.IDENTITY_NUMBER,
    "national_student_number": IdentifierKind.NATIONAL_STUDENT_NUMBER,
}
_PERIODS = "status_periods"
_TOLD_APART = Student.bookkeeping | {_PERIODS}


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record and its person as they will be stored, encrypted, but for their times; what its history tells of it."""

    student: Row
    person: Row
    told: Sequence[FieldChange]


def record_of(values: Mapping[str, Any]) -> Row:
    """The record of these values as it is stored, in clear. They are stored values, checked: no model checks them."""
    guardians = [stored_shape(Guardian, guardian) for guardian in values.get("guardians", ())]
    given = {**values, "person_id": ObjectId(), "guardians": guardians}
    return {"_id": ObjectId()} | stored_shape(Student, given)


def prepare_records(store: Store, records: Sequence[Row]) -> list[NewRecord]:
    """New records of what they will hold, in clear; `person_id` of each is taken as the key of the new person.

    A record without status periods is in study from the first day of its month of entrance.
    """
    # A copy: what is encrypted is encrypted in place.
    students = [
        record | {"guardians": [dict(guardian) for guardian in record["guardians"]]} for record in records
    ]
    persons = [_person_of(store, record) for record in records]
    store.cipher.seal_paths(students, encrypted_paths(Student))
    store.cipher.seal_paths(persons, encrypted_paths(Person))
    return [
        NewRecord(student, person, _told(record))
        for student, person, record in zip(students, persons, records, strict=True)
    ]


def _told(record: Row) -> list[FieldChange]:
    return [
        FieldChange(field, None, value)
        for field, value in record.items()
        if value is not None and value != [] and field not in _TOLD_APART
    ]


def _person_of(store: Store, record: Row) -> Row:
    numbers = [(kind, record[field]) for field, kind in STUDENT_NUMBERS.items() if record[field] is not None]
    held = {
        "name": record["name"],
        "identifiers": [
            stored_shape(Identifier, {"kind": kind.value, "value": number, "valid_from": None})
            for kind, number in numbers
        ],
        "identifier_lookups": [store.cipher.blind_index(kind, number) for kind, number in numbers],
    }
    return {"_id": record["person_id"]} | stored_shape(Person, held)


async def register_records(unit: UnitOfWork, new: Sequence[NewRecord]) -> None:
    """Insert new records with their persons; DUPLICATE where a number is another's."""
    students: list[Row] = []
    for record in new:
        for identifier in record.person["identifiers"]:
            identifier["valid_from"] = unit.at
        student = record.student
        if not student[_PERIODS]:
            student = student | {_PERIODS: [_in_study(student["enrolled_month"], unit.at)]}
        students.append(student)
        told = [*record.told, FieldChange(_PERIODS, None, student[_PERIODS])]
        unit.audit(Subject(Student.subject_type, student["_id"]), REGISTRATION, told)
        unit.audit(Subject(Person.subject_type, record.person["_id"]), "person:register")
    tell_ahead(unit)
    await unit.insert_sealed(Person, [record.person for record in new])
    await unit.insert_sealed(Student, students)


def _in_study(month: str, at: datetime) -> Row:
    since = {"effective_from": f"{month}-01", "recorded_at": at}
    return stored_shape(StatusPeriod, {"status": StudentStatus.ENROLLED.value, **since})
