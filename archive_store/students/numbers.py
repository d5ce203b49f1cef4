"""The national student numbers (全国学籍号) of a student, one after the other; read as the number itself is (F3).

Registrar keeps numbers and never issues one, nor tells one from another: an L number is replaced by the G number that
the national system gave, and stays in the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import field_classes
from archive_store.foundation.store import Store
from archive_store.people.documents import IdentifierKind, Person
from archive_store.people.rules import NumberState, check_national_student_number, number_state
from archive_store.students.documents import Student
from archive_store.students.queries import decisions_by_id

NUMBER = "national_student_number"


@dataclass(frozen=True, slots=True)
class NumberPeriod:
    """A number and when it was in force; `state` is None of one that is not well formed, from before it was checked."""

    number: str
    state: NumberState | None
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class StudentNumbers:
    """The numbers, the first one first; `withheld` says why they are kept back."""

    periods: tuple[NumberPeriod, ...] = ()
    withheld: Withheld | None = None

    @property
    def state(self) -> NumberState | None:
        """Of the number in force."""
        return next((held.state for held in self.periods if held.valid_to is None), None)


async def numbers_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[StudentNumbers | None]:
    """In the order of the ids, None of a student out of sight. It is recorded that they are read."""
    while True:
        try:
            return await _numbers(store, viewer, ids)
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)


async def _numbers(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[StudentNumbers | None]:
    decisions = await decisions_by_id(store, viewer, ids)
    held_class = field_classes(Student)[NUMBER]
    found: dict[ObjectId, StudentNumbers] = {}
    read: list[ReadRows] = []
    for key, row in decisions.items():
        if NUMBER not in row.decision.readable:
            found[key] = StudentNumbers(withheld=row.decision.why_withheld(held_class))
            continue
        read.append(ReadRows(frozenset({NUMBER}), [key], row.grants_for(frozenset({NUMBER}))))
    await record_reading(store, viewer, Student, read)
    opened = [key for rows in read for key in rows.subject_ids]
    found |= await _opened(store, opened)
    return [found.get(key) for key in ids]


async def _opened(store: Store, ids: Sequence[ObjectId]) -> dict[ObjectId, StudentNumbers]:
    students = store.database.collection(Student).find({"_id": {"$in": list(ids)}}, {"person_id": 1})
    by_person = {row["person_id"]: row["_id"] async for row in students}
    persons = await (
        store.database.collection(Person)
        .find({"_id": {"$in": sorted(by_person)}}, {"identifiers": 1})
        .to_list()
    )
    for person in persons:
        person["identifiers"] = [
            held for held in person["identifiers"] if held["kind"] == IdentifierKind.NATIONAL_STUDENT_NUMBER
        ]
    await store.cipher.decrypt_paths(persons, {"identifiers.value"})
    return {
        by_person[person["_id"]]: StudentNumbers(tuple(_period(held) for held in person["identifiers"]))
        for person in persons
    }


def _period(held: Row) -> NumberPeriod:
    value = held["value"]
    state = None if check_national_student_number(value) else number_state(value)
    return NumberPeriod(value, state, held["valid_from"], held["valid_to"])
