"""Numbers of candidates, which must be nobody else's: neither on record nor in another case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import AdmissionCase
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.people.identifiers import persons_by_lookup
from archive_store.students.documents import Student
from archive_store.students.registration import STUDENT_NUMBERS

Place = TypeVar("Place", int, None)


def lookups_of(store: Store, values: Mapping[str, Any]) -> list[str]:
    """The blind indexes of the numbers that are given."""
    return [
        store.cipher.blind_index(kind, values[field])
        for field, kind in STUDENT_NUMBERS.items()
        if values.get(field)
    ]


async def cases_by_lookup(
    store: Store, lookups: Sequence[str], session: AsyncClientSession | None = None
) -> dict[str, ObjectId]:
    """The case under way that has each of the numbers."""
    rows = store.database.collection(AdmissionCase).find(
        {"lookups": {"$in": list(lookups)}, "lookups.0": {"$exists": True}}, {"lookups": 1}, session=session
    )
    return {lookup: row["_id"] async for row in rows for lookup in row["lookups"]}


async def check_numbers(
    store: Store,
    viewer: Viewer,
    candidates: Mapping[Place, Mapping[str, Any]],
    *,
    purpose: str,
    own_case: ObjectId | None = None,
) -> None:
    """DUPLICATE, naming the candidate by place, for a number of somebody on record or in another case.

    It tells that the number is right, so that the reading of it is recorded.
    """
    places: dict[str, str] = {}
    for place, values in candidates.items():
        under = "applicant" if place is None else f"applicants.{place}.applicant"
        for field, kind in STUDENT_NUMBERS.items():
            if values.get(field):
                lookup = store.cipher.blind_index(kind, values[field])
                if lookup in places:
                    raise RegistrarError(ErrorCode.DUPLICATE, field=f"{under}.{field}", others="applicants")
                places[lookup] = f"{under}.{field}"
    if not places:
        return
    held = await _on_record(store, list(places))
    if held:
        lookup, student_id = next(iter(held.items()))
        field = places[lookup].rpartition(".")[2]
        read = ReadRows(frozenset({field}), [student_id])
        await record_reading(store, viewer, Student, [read], purpose=purpose)
        raise RegistrarError(ErrorCode.DUPLICATE, field=places[lookup], others="学籍 student records")
    for lookup, case_id in (await cases_by_lookup(store, list(places))).items():
        if case_id != own_case and lookup in places:
            field = places[lookup].rpartition(".")[2]
            read = ReadRows(frozenset({f"applicant.{field}"}), [case_id])
            await record_reading(store, viewer, AdmissionCase, [read], purpose=purpose)
            raise RegistrarError(ErrorCode.DUPLICATE, field=places[lookup], others="入学办理 admission cases")


async def _on_record(store: Store, lookups: list[str]) -> dict[str, ObjectId]:
    """The student who bears each number."""
    persons = await persons_by_lookup(store, lookups)
    rows = store.database.collection(Student).find(
        {"person_id": {"$in": sorted(set(persons.values()))}}, {"person_id": 1}
    )
    students: dict[Any, ObjectId] = {row["person_id"]: row["_id"] async for row in rows}
    return {
        lookup: students.get(person_id) or person_id
        for lookup, person_id in persons.items()
        if lookup in lookups
    }
