"""The sequencer on a real replica set: order, batches, rivals, forged entries, forged logs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId
from cryptography.hazmat.primitives import hashes
from pymerkle import InmemoryTree

from archive_store.archive import RECORD_TYPES
from archive_store.audit.chain import leaf_bytes
from archive_store.audit.documents import CHECKPOINTS, ENTRIES, LOG, TILES
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.log import (
    ForgedLogError,
    OtherLogError,
    checkpoint_text,
    newest_checkpoint,
    require_log_of_settings,
)
from archive_store.audit.sequencer import Sequenced, sequence_entries
from archive_store.audit.verification import verify_history
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import INSTALLATION, Subject, UnitOfWork

pytestmark = pytest.mark.anyio
INTERRUPTED = 11601


async def append(store: Store, *subjects: ObjectId) -> None:
    """One transaction with an entry on each of the subjects."""

    async def work(unit: UnitOfWork) -> None:
        for subject in subjects:
            unit.audit(Subject("Thing", subject), "thing:touch", note="试")

    await governed_transaction(store, INSTALLATION, "thing.touch", work)


async def logged(store: Store) -> list[Row]:
    return (
        await store.database.mongo[ENTRIES]
        .find({"log_index": {"$type": "number"}})
        .sort("log_index")
        .to_list()
    )


async def require_whole_log(store: Store, size: int) -> None:
    """Every entry is in the log once, each subject's in order, and the newest checkpoint signs that very tree."""
    rows = await logged(store)
    assert [row["log_index"] for row in rows] == list(range(size))
    assert await store.database.mongo[ENTRIES].count_documents({}) == size
    sequences: dict[Any, list[int]] = defaultdict(list)
    for row in rows:
        sequences[row["subject_id"]].append(row["sequence"])
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences.values())
    hash_name = store.settings.audit_hash
    oracle = InmemoryTree(algorithm="sha256") if hash_name == "sha256" else Sm3Tree()
    for row in rows:
        oracle.append_entry(leaf_bytes(row))
    checkpoint = await newest_checkpoint(store)
    assert checkpoint is not None
    key = store.keyring.checkpoint
    assert key is not None
    assert (checkpoint.size, checkpoint.root) == (size, oracle.get_root())
    assert key.has_signed(checkpoint_text(key.origin, size, checkpoint.root, hash_name), checkpoint.note)


class Sm3Tree:
    """RFC 6962 §2.1 word for word, by SM3 of another make than the log's."""

    def __init__(self) -> None:
        self._leaves: list[bytes] = []

    def append_entry(self, data: bytes) -> None:
        self._leaves.append(data)

    def get_root(self) -> bytes:
        return self._root(self._leaves)

    def _root(self, leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return self._digest(b"\0" + leaves[0])
        left = 1
        while left * 2 < len(leaves):
            left *= 2
        return self._digest(b"\1" + self._root(leaves[:left]) + self._root(leaves[left:]))

    def _digest(self, data: bytes) -> bytes:
        digest = hashes.Hash(hashes.SM3())
        digest.update(data)
        return digest.finalize()


async def test_the_profile_with_sm3(empty_store: Store) -> None:
    sm3 = replace(empty_store, settings=empty_store.settings.model_copy(update={"audit_hash": "sm3"}))
    await append(sm3, *(ObjectId() for _ in range(5)))
    await sequence_entries(sm3)
    await require_whole_log(sm3, 5)
    checkpoint = await newest_checkpoint(sm3)
    assert checkpoint is not None
    assert checkpoint.text.splitlines()[3:] == ["hash SM3"]
    assert (await verify_history(sm3, RECORD_TYPES)).sound
    # An installation keeps its hash: the server does not start with the other.
    await require_log_of_settings(sm3)
    with pytest.raises(OtherLogError, match="hash_name"):
        await require_log_of_settings(empty_store)
    await append(empty_store, ObjectId())
    with pytest.raises(ForgedLogError):
        await sequence_entries(empty_store)


async def test_an_empty_log_has_no_checkpoint(empty_store: Store) -> None:
    assert (await sequence_entries(empty_store)).size == 0
    assert await newest_checkpoint(empty_store) is None


@pytest.mark.parametrize("batch", [1, 3, 500])
async def test_each_entry_gets_one_place_in_order(empty_store: Store, batch: int) -> None:
    subjects = [ObjectId() for _ in range(3)]
    for _ in range(4):
        await append(empty_store, *subjects)
    done = await sequence_entries(empty_store, batch=batch, seconds=60)
    assert (done.entries, done.refused, done.size, done.waiting) == (12, 0, 12, 0)
    await require_whole_log(empty_store, 12)


async def test_a_log_grows_over_its_tiles(empty_store: Store) -> None:
    for count in (250, 5, 1, 3, 260):
        await append(empty_store, *(ObjectId() for _ in range(count)))
        await sequence_entries(empty_store, batch=100, seconds=60)
    await require_whole_log(empty_store, 519)
    ids = {row["_id"] async for row in empty_store.database.mongo[TILES].find({}, {"_id": 1})}
    assert ids == {"0/0", "0/1", "0/2", "1/0"}


async def test_a_round_ends_in_time_and_says_what_waits(empty_store: Store) -> None:
    await append(empty_store, *(ObjectId() for _ in range(5)))
    done = await sequence_entries(empty_store, batch=2, seconds=0)
    assert (done.entries, done.waiting) == (2, 3)


async def test_rivals_give_no_place_twice(empty_store: Store) -> None:
    subjects = [ObjectId() for _ in range(6)]

    async def write() -> None:
        for _ in range(10):
            await append(empty_store, *subjects)

    writing = asyncio.create_task(write())
    while not writing.done():
        rivals = (sequence_entries(empty_store, batch=7) for _ in range(3))
        for ended in await asyncio.gather(*rivals, return_exceptions=True):
            # Whoever takes over kills what another has open; that ends the other's round.
            assert isinstance(ended, Sequenced) or getattr(ended, "code", None) == INTERRUPTED, ended
    await writing
    await sequence_entries(empty_store, seconds=60)
    await require_whole_log(empty_store, 60)


async def test_a_forged_entry_is_refused_and_stops_nothing(empty_store: Store) -> None:
    entries = empty_store.database.mongo[ENTRIES]
    real, forged = ObjectId(), ObjectId()
    await append(empty_store, real)
    row = await entries.find_one({"subject_id": real})
    assert row is not None
    await entries.insert_one({**row, "_id": ObjectId(), "subject_id": forged})
    await entries.insert_one({"_id": ObjectId(), "log_index": None, "subject_type": "Junk"})
    await append(empty_store, real)
    done = await sequence_entries(empty_store)
    assert (done.entries, done.refused) == (2, 2)
    assert [row["subject_id"] for row in await logged(empty_store)] == [real, real]


async def test_what_follows_a_changed_entry_is_logged_all_the_same(empty_store: Store) -> None:
    subject = ObjectId()
    for _ in range(3):
        await append(empty_store, subject)
    await empty_store.database.mongo[ENTRIES].update_one({"sequence": 2}, {"$set": {"actor_name": "nobody"}})
    done = await sequence_entries(empty_store)
    assert (done.entries, done.refused) == (2, 1)
    assert [row["sequence"] for row in await logged(empty_store)] == [1, 3]


async def test_an_entry_waits_for_the_one_before_it(empty_store: Store) -> None:
    """As on a sharded cluster, where insertion gives no order."""
    subject, entries = ObjectId(), empty_store.database.mongo[ENTRIES]
    await append(empty_store, subject)
    await append(empty_store, subject)
    first = await entries.find_one_and_delete({"sequence": 1})
    assert first is not None
    await entries.insert_one(first)
    done = await sequence_entries(empty_store, batch=1, seconds=60)
    assert done.entries == 0
    await sequence_entries(empty_store)
    await sequence_entries(empty_store)
    await require_whole_log(empty_store, 2)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda mongo: mongo[TILES].update_one({"_id": "0/0"}, {"$set": {"hashes": b"\1" * 96}}),
        lambda mongo: mongo[TILES].delete_one({"_id": "0/0"}),
        lambda mongo: mongo[CHECKPOINTS].delete_many({}),
        lambda mongo: mongo[CHECKPOINTS].update_one({}, {"$set": {"note": "x"}}),
        lambda mongo: mongo[LOG].delete_many({}),
        lambda mongo: mongo[LOG].update_one({}, {"$set": {"size": 2}}),
        lambda mongo: mongo[LOG].update_one({}, {"$set": {"origin": "other.example"}}),
        lambda mongo: mongo[LOG].update_one({}, {"$set": {"hash_name": "sm3"}}),
    ],
)
async def test_nothing_is_signed_on_a_log_that_was_tampered_with(empty_store: Store, tamper: Any) -> None:
    await append(empty_store, *(ObjectId() for _ in range(3)))
    await sequence_entries(empty_store)
    await tamper(empty_store.database.mongo)
    await append(empty_store, ObjectId())
    before = await empty_store.database.mongo[CHECKPOINTS].find().to_list()
    with pytest.raises(ForgedLogError):
        await sequence_entries(empty_store)
    assert await empty_store.database.mongo[CHECKPOINTS].find().to_list() == before
    assert await empty_store.database.mongo[ENTRIES].count_documents({"log_index": None}) == 1


async def test_the_place_of_an_entry_is_looked_up_by_an_index(empty_store: Store) -> None:
    await append(empty_store, ObjectId())
    await sequence_entries(empty_store)
    for query in ({"log_index": None}, {"log_index": {"$gte": 0, "$lt": 5, "$type": "number"}}):
        plan = await empty_store.database.mongo[ENTRIES].find(query).explain()
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), query


async def test_a_round_that_ended_leaves_no_session_to_kill(empty_store: Store) -> None:
    """The driver gives its session to the next that asks, which a later round must not take for a dead sequencer's."""
    await append(empty_store, ObjectId())
    await sequence_entries(empty_store)
    attempts = 0

    async def work(unit: UnitOfWork) -> None:
        nonlocal attempts
        attempts += 1
        await unit.serialise("thing")
        if attempts == 1:
            await append(empty_store, ObjectId())
            await sequence_entries(empty_store)
        unit.audit(Subject("Thing", ObjectId()), "thing:touch")

    await governed_transaction(empty_store, INSTALLATION, "thing.touch", work)
    assert attempts == 1
