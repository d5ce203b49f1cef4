"""Verification finds each way to rewrite who read what, with the database's full rights but without the keyring."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from archive_store.access.retrieval_grants import AccessEvent
from archive_store.archive import RECORD_TYPES
from archive_store.audit import reading_verification
from archive_store.audit.documents import ENTRIES
from archive_store.audit.findings import Finding, Flaw
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.verification import verify_history
from archive_store.foundation.unit_of_work import INSTALLATION, Subject, UnitOfWork
from archive_store.students.queries import find_student, list_students
from tests.school import School

PHONE = frozenset({"phone"})
OTHER = ObjectId("6" * 24)


async def readings(school: School) -> tuple[Any, list[dict[str, Any]]]:
    """The collection of events, and the four that were just written."""
    student, director = await school.student(), await school.viewer("director")
    await find_student(school.store, director, student.key, PHONE)
    await list_students(school.store, director, PHONE, first=3)
    for purpose in ("核实", "复核"):
        viewer = await school.viewer("director", purpose)
        await find_student(school.store, viewer, student.key, PHONE)
    events = school.store.database.collection(AccessEvent)
    return events, await events.find().sort("_id", 1).to_list()


async def findings(school: School) -> list[Finding]:
    return (await verify_history(school.store, RECORD_TYPES)).findings


def changed(event: dict[str, Any]) -> Finding:
    return Finding(f"AccessEvent:{event['_id']}", 1, Flaw.CHANGED_READING)


async def test_honest_readings_are_sound(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    await readings(school)
    assert await findings(school) == []
    monkeypatch.setattr(reading_verification, "_AT_ONCE", 3)
    assert await findings(school) == []


@pytest.mark.parametrize(
    "update",
    [
        {"$set": {"viewer_id": OTHER}},
        {"$set": {"viewer_name": "somebody else"}},
        {"$set": {"viewer_posts": ["PRINCIPAL"]}},
        {"$set": {"read_type": "Scan"}},
        {"$set": {"groups": []}},
        {"$set": {"groups.0.fields": ["name"]}},
        {"$set": {"groups.0.subject_ids.0": OTHER}},
        {"$push": {"groups.0.subject_ids": OTHER}},
        {"$pull": {"groups.0.fields": "phone"}},
        {"$set": {"grant_ids": [OTHER]}},
        {"$set": {"team_ids": [OTHER]}},
        {"$set": {"purpose": None}},
        {"$set": {"purpose": "in the clear"}},
        {"$unset": {"purpose": 1}},
        {"$unset": {"groups": 1}},
        {"$set": {"created_at": DatetimeMS(2**62)}},
        {"$set": {"more": 1}},
    ],
    ids=str,
)
async def test_an_edited_event(school: School, update: dict[str, Any]) -> None:
    events, (event, *_) = await readings(school)
    await events.update_one({"_id": event["_id"]}, update)
    assert await findings(school) == [changed(event)]


async def test_a_purpose_that_does_not_decrypt_keeps_no_other_from_being_found(school: School) -> None:
    events, (first, second, *_) = await readings(school)
    garbage = type(first["purpose"])(b"\0" * 64, 6)
    await events.update_one({"_id": first["_id"]}, {"$set": {"purpose": garbage}})
    await events.update_one({"_id": second["_id"]}, {"$set": {"viewer_name": "somebody else"}})
    assert await findings(school) == [changed(first), changed(second)]


async def test_purposes_in_each_others_place(school: School) -> None:
    """Both are genuine ciphertext."""
    events, (*_, third, fourth) = await readings(school)
    await events.update_one({"_id": third["_id"]}, {"$set": {"purpose": fourth["purpose"]}})
    assert await findings(school) == [changed(third)]


async def test_a_removed_event_and_one_of_nobodys(school: School) -> None:
    events, (first, second, *_) = await readings(school)
    await events.delete_one({"_id": first["_id"]})
    forged = second | {"_id": ObjectId()}
    await events.insert_one(forged)
    assert await findings(school) == [
        Finding(f"AccessEvent:{first['_id']}", 0, Flaw.NO_RECORD),
        Finding(f"AccessEvent:{forged['_id']}", 0, Flaw.NO_HISTORY),
    ]


async def test_an_event_under_anothers_key(school: School) -> None:
    events, (first, second, *_) = await readings(school)
    await events.replace_one({"_id": first["_id"]}, second | {"_id": first["_id"]})
    assert await findings(school) == [changed(first)]


async def test_a_changed_entry_is_told_as_such(school: School) -> None:
    """The event is not held against what we did not write."""
    _, (first, second, *_) = await readings(school)
    entries = school.store.database.mongo[ENTRIES]
    other = await entries.find_one({"subject_id": second["_id"]})
    assert other is not None
    await entries.update_one({"subject_id": first["_id"]}, {"$set": {"sealed": other["sealed"]}})
    assert await findings(school) == [Finding(f"AccessEvent:{first['_id']}", 1, Flaw.CHANGED)]


async def test_an_event_whose_entry_tells_of_no_reading(school: School) -> None:
    director = await school.viewer("director")

    async def write(unit: UnitOfWork) -> None:
        event = AccessEvent(
            viewer_id=director.person_id,  # type: ignore[arg-type]
            viewer_name=director.name,
            viewer_posts=[],
            purpose=None,
            read_type="Student",
            groups=[],
        )
        await unit.insert(event)
        unit.audit(Subject(AccessEvent.subject_type, event.key), "access:read")

    await governed_transaction(school.store, INSTALLATION, "x", write)
    (event,) = await school.store.database.collection(AccessEvent).find().to_list()
    assert await findings(school) == [changed(event)]
