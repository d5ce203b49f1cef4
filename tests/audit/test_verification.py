"""Verification finds each way to rewrite history, with the database's full rights but without the keyring."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from archive_store.archive import RECORD_TYPES
from archive_store.audit.chain import FIRST_PREVIOUS_HASH, entry_hash, head_seal
from archive_store.audit.documents import ENTRIES, HEADS
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.verification import Finding, Flaw, verify_chain, verify_history
from archive_store.foundation.unit_of_work import INSTALLATION, Subject, UnitOfWork
from archive_store.students.documents import Student
from tests.school import School

KEY = bytes(32)
Database = Any


async def history(school: School) -> tuple[Database, list[dict[str, Any]]]:
    """A student with at least three entries."""
    student = await school.student()
    for number in range(3):
        await school.approve(
            "director", await school.request("information", student, phone=f"1370000000{number}")
        )
    database = school.store.database.mongo
    entries = await database[ENTRIES].find({"subject_id": student.key}).sort("sequence", 1).to_list()
    assert len(entries) == 4
    return database, entries


async def flaws(school: School) -> list[tuple[int, Flaw]]:
    report = await verify_history(school.store, RECORD_TYPES)
    return [(finding.sequence, finding.flaw) for finding in report.findings]


async def test_honest_history_is_sound(school: School) -> None:
    await history(school)
    report = await verify_history(school.store, RECORD_TYPES)
    assert report.sound
    assert report.entries == await school.store.database.mongo[ENTRIES].count_documents({})
    assert report.subjects == await school.store.database.mongo[HEADS].count_documents({})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("actor_name", "somebody else"),
        ("actor_posts", ["PRINCIPAL"]),
        ("operation", "student.other"),
        ("kind", "student:other"),
        ("actor_id", ObjectId()),
        ("sealed", b"\0" * 64),
        ("hash", b"\1" * 32),
        ("previous_hash", b"\1" * 32),
    ],
)
async def test_a_changed_entry(school: School, field: str, value: object) -> None:
    database, entries = await history(school)
    await database[ENTRIES].update_one({"_id": entries[1]["_id"]}, {"$set": {field: value}})
    found = await flaws(school)
    assert (2, Flaw.CHANGED) in found
    assert {sequence for sequence, _ in found} == {2}


async def test_a_changed_time(school: School) -> None:
    database, entries = await history(school)
    await database[ENTRIES].update_one({"_id": entries[1]["_id"]}, {"$set": {"at": entries[0]["at"]}})
    assert (2, Flaw.CHANGED) in await flaws(school)


async def test_a_missing_entry(school: School) -> None:
    database, entries = await history(school)
    await database[ENTRIES].delete_one({"_id": entries[1]["_id"]})
    assert await flaws(school) == [(2, Flaw.MISSING)]


async def test_a_missing_first_entry(school: School) -> None:
    database, entries = await history(school)
    await database[ENTRIES].delete_one({"_id": entries[0]["_id"]})
    assert await flaws(school) == [(1, Flaw.MISSING)]


async def test_entries_cut_off_the_end(school: School) -> None:
    database, entries = await history(school)
    await database[ENTRIES].delete_many({"_id": {"$in": [entries[2]["_id"], entries[3]["_id"]]}})
    report = await verify_history(school.store, RECORD_TYPES)
    subject = f"Student:{entries[0]['subject_id']}"
    assert report.findings == [Finding(subject, 3, Flaw.TRUNCATED, last_sequence=4)]


async def test_entries_cut_off_with_the_head_set_back(school: School) -> None:
    database, entries = await history(school)
    await database[ENTRIES].delete_one({"_id": entries[3]["_id"]})
    identifier = f"Student:{entries[0]['subject_id']}"
    await database[HEADS].update_one(
        {"_id": identifier}, {"$set": {"sequence": 3, "hash": entries[2]["hash"]}}
    )
    assert await flaws(school) == [(3, Flaw.FORGED_HEAD)]


async def test_two_entries_in_each_others_place(school: School) -> None:
    database, entries = await history(school)
    second, third = entries[1], entries[2]
    collection = database[ENTRIES]
    await collection.update_one({"_id": second["_id"]}, {"$set": {"sequence": 99}})
    await collection.update_one({"_id": third["_id"]}, {"$set": {"sequence": 2}})
    await collection.update_one({"_id": second["_id"]}, {"$set": {"sequence": 3}})
    found = await flaws(school)
    assert (2, Flaw.REORDERED) in found
    assert (3, Flaw.REORDERED) in found


async def test_an_added_entry(school: School) -> None:
    database, entries = await history(school)
    forged = {**entries[3], "_id": ObjectId(), "sequence": 5, "previous_hash": entries[3]["hash"]}
    forged["hash"] = entry_hash(KEY, forged, "sha256")
    await database[ENTRIES].insert_one(forged)
    found = await flaws(school)
    assert (5, Flaw.ADDED) in found
    assert (5, Flaw.REORDERED) in found or (5, Flaw.CHANGED) in found


async def test_a_whole_history_removed(school: School) -> None:
    database, entries = await history(school)
    subject_id = entries[0]["subject_id"]
    await database[ENTRIES].delete_many({"subject_id": subject_id})
    assert {flaw for _, flaw in await flaws(school)} == {Flaw.TRUNCATED}
    await database[HEADS].delete_one({"_id": f"Student:{subject_id}"})
    assert await flaws(school) == [(0, Flaw.NO_HISTORY)]


async def test_a_record_written_past_the_operations(school: School) -> None:
    students = school.store.database.collection(Student)
    row = await students.find_one({})
    assert row is not None
    row |= {"_id": ObjectId(), "person_id": ObjectId(), "auxiliary_number": "0", "pseudonym": "0"}
    await students.insert_one(row)
    assert await flaws(school) == [(0, Flaw.NO_HISTORY)]


async def test_what_is_written_without_a_word_of_history_is_refused(school: School) -> None:
    student = await school.student()

    async def silent(unit: UnitOfWork) -> None:
        loaded = await unit.load(Student, student.key)
        assert loaded is not None
        await unit.change(loaded, {"native_place": "无"})

    with pytest.raises(AssertionError, match="without an audit event"):
        await governed_transaction(school.store, INSTALLATION, "silent", silent)
    assert (await school.student()).native_place == student.native_place


async def test_verification_while_others_write_finds_nothing(school: School) -> None:
    import asyncio

    student = await school.student()

    async def write() -> None:
        for _ in range(15):

            async def note(unit: UnitOfWork) -> None:
                unit.audit(Subject("Student", student.key), "student:note")

            await governed_transaction(school.store, INSTALLATION, "note", note)

    async def verify() -> list[bool]:
        return [(await verify_history(school.store, RECORD_TYPES)).sound for _ in range(5)]

    results = await asyncio.gather(write(), write(), verify())
    assert results[2] == [True] * 5
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_record_that_was_removed(school: School) -> None:
    student = await school.student()
    await school.store.database.collection(Student).delete_one({"_id": student.key})
    assert await flaws(school) == [(0, Flaw.NO_RECORD)]


def chain(length: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    entries, previous = [], FIRST_PREVIOUS_HASH
    for sequence in range(1, length + 1):
        entry = {
            "subject_type": "Student",
            "subject_id": ObjectId("0" * 24),
            "sequence": sequence,
            "at": datetime(2026, 9, 1, tzinfo=UTC),
            "actor_id": None,
            "actor_name": "n",
            "actor_posts": [],
            "operation": "o",
            "kind": "k",
            "sealed": Binary(b"", 6),
            "previous_hash": previous,
        }
        previous = entry["hash"] = entry_hash(KEY, entry, "sha256")
        entries.append(entry)
    return entries, {
        "sequence": length,
        "hash": previous,
        "seal": head_seal(KEY, "s", length, previous, "sha256"),
    }


@given(st.integers(1, 12), st.data())
def test_any_one_removal_or_change_is_found(length: int, data: st.DataObject) -> None:
    entries, head = chain(length)
    assert list(verify_chain(KEY, "s", entries, head, "sha256")) == []
    place = data.draw(st.integers(0, length - 1))
    removed = entries[:place] + entries[place + 1 :]
    assert list(verify_chain(KEY, "s", removed, head, "sha256"))
    changed = [dict(entry) for entry in entries]
    changed[place]["kind"] = "forged"
    assert list(verify_chain(KEY, "s", changed, head, "sha256"))
    assert list(verify_chain(KEY, "s", entries, None, "sha256"))


@pytest.mark.parametrize(
    ("update", "wanted"),
    [
        ({"$unset": {"hash": 1}}, [(2, Flaw.CHANGED)]),
        ({"$set": {"hash": "text"}}, [(2, Flaw.CHANGED)]),
        ({"$unset": {"previous_hash": 1}}, [(2, Flaw.CHANGED)]),
        ({"$set": {"at": DatetimeMS(2**62)}}, [(2, Flaw.CHANGED)]),
        ({"$unset": {"sequence": 1}}, [(0, Flaw.CHANGED), (2, Flaw.MISSING)]),
        ({"$set": {"sequence": "2"}}, [(0, Flaw.CHANGED), (2, Flaw.MISSING)]),
        ({"$set": {"sequence": 2.0}}, [(0, Flaw.CHANGED), (2, Flaw.MISSING)]),
    ],
)
async def test_a_malformed_entry_is_a_finding_and_the_rest_is_verified(
    school: School, update: dict[str, Any], wanted: list[tuple[int, Flaw]]
) -> None:
    database, entries = await history(school)
    await database[ENTRIES].update_one({"_id": entries[1]["_id"]}, update)
    other = await school.student(1)
    await database[ENTRIES].update_one({"subject_id": other.key}, {"$set": {"kind": "student:other"}})
    report = await verify_history(school.store, RECORD_TYPES)
    found = [(f.subject, f.sequence, f.flaw) for f in report.findings]
    assert (f"Student:{other.key}", 1, Flaw.CHANGED) in found
    mine = [(sequence, flaw) for subject, sequence, flaw in found if subject != f"Student:{other.key}"]
    assert mine == wanted


def _alike(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return value.hex() if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize("field", ["subject_id", "at", "actor_id", "sealed"])
async def test_a_value_in_place_of_which_its_text_stands(school: School, field: str) -> None:
    """The seal is alike of both, but no query finds the text: so a reading could be hidden from who was read of."""
    database, entries = await history(school)
    for entry in entries:
        text = _alike(entry[field])
        await database[ENTRIES].update_one({"_id": entry["_id"]}, {"$set": {field: text}})
    assert await flaws(school) == [(sequence, Flaw.CHANGED) for sequence in range(1, 5)]


@pytest.mark.parametrize("field", ["subject_id", "subject_type"])
async def test_an_entry_without_its_subject(school: School, field: str) -> None:
    database, entries = await history(school)
    await database[ENTRIES].update_one({"_id": entries[1]["_id"]}, {"$unset": {field: 1}})
    found = await flaws(school)
    assert (2, Flaw.MISSING) in found
    assert (2, Flaw.CHANGED) in found


@pytest.mark.parametrize(
    ("update", "sequence"),
    [
        ({"$unset": {"seal": 1}}, 4),
        ({"$unset": {"hash": 1}}, 4),
        ({"$set": {"hash": "text"}}, 4),
        ({"$unset": {"sequence": 1}}, 4),
        ({"$set": {"sequence": "9"}}, 4),
        ({"$set": {"sequence": 9}}, 9),
    ],
)
async def test_a_malformed_head_is_forged(school: School, update: dict[str, Any], sequence: int) -> None:
    database, entries = await history(school)
    await database[HEADS].update_one({"_id": f"Student:{entries[0]['subject_id']}"}, update)
    assert await flaws(school) == [(sequence, Flaw.FORGED_HEAD)]


async def test_a_head_that_is_no_subjects(school: School) -> None:
    await school.store.database.mongo[HEADS].insert_one({"_id": {"odd": 1}})
    assert await flaws(school) == [(0, Flaw.FORGED_HEAD)]


def test_a_gap_is_one_finding_however_long() -> None:
    entries, head = chain(3)
    far = entries[2] | {"sequence": 2_000_000, "kind": "forged"}
    assert list(verify_chain(KEY, "s", [*entries[:2], far], head, "sha256")) == [
        Finding("s", 3, Flaw.MISSING, last_sequence=1_999_999),
        Finding("s", 2_000_000, Flaw.CHANGED),
        Finding("s", 4, Flaw.ADDED, last_sequence=2_000_000),
    ]
    assert Finding("s", 3, Flaw.MISSING, 1_999_999).place == "3–1999999"
    assert Finding("s", 3, Flaw.MISSING).place == "3"
    cut_off = list(verify_chain(KEY, "s", [], head, "sha256"))
    assert cut_off == [Finding("s", 1, Flaw.TRUNCATED, last_sequence=3)]


def test_entries_beside_flawed_ones_are_not_accused() -> None:
    entries, head = chain(6)
    second, fourth = entries[1] | {"sequence": 4}, entries[3] | {"sequence": 2}
    swapped = [entries[0], fourth, entries[2], second, *entries[4:]]
    assert list(verify_chain(KEY, "s", swapped, head, "sha256")) == [
        Finding("s", 2, Flaw.REORDERED),
        Finding("s", 4, Flaw.REORDERED),
    ]
