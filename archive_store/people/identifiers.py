"""What a person is known by: numbers, of which a replaced one is closed and never erased, and the name."""

from __future__ import annotations

from collections.abc import Iterable

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.documents import Identifier, IdentifierKind, Person


async def replace_identifier(
    unit: UnitOfWork, person_id: ObjectId, kind: IdentifierKind, value: str | None
) -> None:
    """Close the number of this kind in force and, unless None, begin the new one. DUPLICATE if another has it."""
    person = await unit.load(Person, person_id)
    if person is None:
        raise LookupError(f"no person {person_id}")
    before = [held.value for held in person.identifiers if held.kind is kind and held.valid_to is None]
    identifiers = [
        held.model_copy(update={"valid_to": unit.at}) if held.kind is kind and held.valid_to is None else held
        for held in person.identifiers
    ]
    if value is not None:
        identifiers.append(Identifier(kind=kind, value=value, valid_from=unit.at))
    lookups = [
        unit.store.cipher.blind_index(held.kind, held.value) for held in identifiers if held.valid_to is None
    ]
    await unit.change(person, {"identifiers": identifiers, "identifier_lookups": lookups})
    change = FieldChange("identifiers.value", before[0] if before else None, value)
    unit.audit(Subject(Person.subject_type, person_id), "person:identifier:replace", [change])


async def persons_by_lookup(
    store: Store, lookups: Iterable[str], session: AsyncClientSession | None = None
) -> dict[str, ObjectId]:
    """Who bears the number of each blind index, and of any other number of theirs."""
    # The index holds persons with a number alone, and is used where the query says so.
    query = {"identifier_lookups": {"$in": list(lookups)}, "identifier_lookups.0": {"$exists": True}}
    found = store.database.collection(Person).find(query, {"identifier_lookups": 1}, session=session)
    return {lookup: person["_id"] async for person in found for lookup in person["identifier_lookups"]}


async def rename_person(unit: UnitOfWork, person_id: ObjectId, name: str) -> None:
    """The name under which the person acts follows the record's."""
    person = await unit.load(Person, person_id)
    if person is None:
        raise LookupError(f"no person {person_id}")
    if person.name != name:
        await unit.change(person, {"name": name})
        change = FieldChange("name", person.name, name)
        unit.audit(Subject(Person.subject_type, person_id), "person:rename", [change])
