"""Verification of the stored log, with the database's full rights against it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from bson import Decimal128, ObjectId
from bson.binary import Binary
from bson.datetime_ms import DatetimeMS

from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import CHECKPOINTS, ENTRIES, LOG, TILES
from archive_store.audit.findings import Finding, Flaw
from archive_store.audit.sequencer import sequence_entries
from archive_store.audit.verification import verify_history
from archive_store.foundation.store import Store
from tests.audit.test_sequencer import append

pytestmark = pytest.mark.anyio
Tamper = Callable[[Any], Awaitable[Any]]
SUBJECT = ObjectId("0123456789abcdef01234567")


async def found(store: Store) -> list[Finding]:
    report = await verify_history(store, RECORD_TYPES)
    return report.findings


async def log_of(store: Store, *batches: int) -> None:
    for count in batches:
        for _ in range(count):
            await append(store, SUBJECT)
        await sequence_entries(store, seconds=60)


def forged(subject: str, sequence: int, last: int | None = None) -> Finding:
    return Finding(subject, sequence, Flaw.FORGED_LOG, last)


THING = f"Thing:{SUBJECT}"


async def test_an_honest_log_is_sound(empty_store: Store) -> None:
    await log_of(empty_store, 3, 1)
    for count in (252, 1, 300):
        await append(empty_store, *(ObjectId() for _ in range(count)))
        await sequence_entries(empty_store, seconds=60)
    await append(empty_store, SUBJECT)
    report = await verify_history(empty_store, RECORD_TYPES)
    assert (report.findings, report.entries, report.waiting) == ([], 558, 1)


async def _swap_places(mongo: Any) -> None:
    await mongo[ENTRIES].update_one({"log_index": 1}, {"$set": {"log_index": None}})
    await mongo[ENTRIES].update_one({"log_index": 2}, {"$set": {"log_index": 1}})
    await mongo[ENTRIES].update_one({"log_index": None}, {"$set": {"log_index": 2}})


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (_swap_places, [forged(THING, 2), forged(THING, 3)]),
        (
            lambda mongo: mongo[ENTRIES].update_one({"log_index": 2}, {"$set": {"log_index": 9}}),
            [forged(THING, 3), forged("log", 2)],
        ),
        (
            lambda mongo: mongo[ENTRIES].update_one({"log_index": 2}, {"$set": {"log_index": "refused"}}),
            [Finding(THING, 3, Flaw.UNLOGGED), forged("log", 2)],
        ),
        (
            lambda mongo: mongo[TILES].update_one(
                {"_id": "0/0"}, {"$set": {"hashes": Binary(b"\1" * 32 * 5)}}
            ),
            [*(forged(THING, at) for at in range(1, 6)), forged("log", 3, 5)],
        ),
        (
            lambda mongo: mongo[TILES].delete_one({"_id": "0/0"}),
            [*(forged(THING, at) for at in range(1, 6)), forged("log", 4), forged("log", 3, 5)],
        ),
        (lambda mongo: mongo[LOG].delete_many({}), [forged("log", 0)]),
        (lambda mongo: mongo[CHECKPOINTS].delete_many({}), [forged("log", 5)]),
        *(
            (
                lambda mongo, place=place: mongo[ENTRIES].update_one(
                    {"log_index": 2}, {"$set": {"log_index": place}}
                ),
                [forged(THING, 3), forged("log", 2)],
            )
            for place in (2.0, float("nan"), Decimal128("2"), [2])
        ),
        (
            lambda mongo: mongo[LOG].update_one({}, {"$set": {"size": 4}}),
            [forged(THING, 5), forged("log", 3), *2 * [forged("log", 4)], forged("log", 5)],
        ),
        (
            lambda mongo: mongo[CHECKPOINTS].update_one({"_id": 3}, {"$set": {"note": "x"}}),
            [forged("log", 3)],
        ),
        (
            lambda mongo: mongo[CHECKPOINTS].update_one({"_id": 3}, {"$set": {"root": Binary(bytes(32))}}),
            [forged("log", 3)],
        ),
        (
            lambda mongo: mongo[CHECKPOINTS].insert_one({"_id": 7, "note": "", "root": Binary(b"")}),
            [forged("log", 7)],
        ),
        (
            lambda mongo: mongo[CHECKPOINTS].insert_many(
                [{"_id": told, "note": "", "root": Binary(b"")} for told in (None, -2, 0, 2.5, 4, "x")]
            ),
            [forged("log", told) for told in (0, -2, 0, 0, 4, 0)],
        ),
        (
            lambda mongo: mongo[CHECKPOINTS].update_one({"_id": 5}, {"$set": {"at": DatetimeMS(2**62)}}),
            [],
        ),
    ],
)
async def test_each_way_to_forge_the_log_is_found(
    empty_store: Store, tamper: Tamper, expected: list[Finding]
) -> None:
    await log_of(empty_store, 3, 2)
    await tamper(empty_store.database.mongo)
    findings = await found(empty_store)
    assert sorted(map(repr, findings)) == sorted(map(repr, expected))


async def test_a_tile_above_is_compared_too(empty_store: Store) -> None:
    await append(empty_store, *(ObjectId() for _ in range(260)))
    await sequence_entries(empty_store, seconds=60)
    await empty_store.database.mongo[TILES].update_one(
        {"_id": "1/0"}, {"$set": {"hashes": Binary(bytes(32))}}
    )
    assert await found(empty_store) == [forged("log", 259)]


async def test_an_entry_that_the_log_passed_by(empty_store: Store) -> None:
    await log_of(empty_store, 3)
    entries, checkpoints = empty_store.database.mongo[ENTRIES], empty_store.database.mongo[CHECKPOINTS]
    await append(empty_store, SUBJECT)
    assert await found(empty_store) == []
    newest = await checkpoints.find_one({})
    assert newest is not None
    later = newest["at"] + timedelta(minutes=6)
    await checkpoints.update_one({}, {"$set": {"at": later}})
    assert await found(empty_store) == [Finding(THING, 4, Flaw.UNLOGGED)]
    await sequence_entries(empty_store)
    assert await found(empty_store) == []
    assert await entries.count_documents({"log_index": None}) == 0
