"""With the database's full rights and no keyring: history set back, begun anew, or hidden. It is refused, or found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.errors import EncryptionError

from archive_store.access.retrieval_grants import AccessEvent
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import CHECKPOINTS, ENTRIES, HEADS, LOG, TILES, WITNESSES
from archive_store.audit.exports import export_history
from archive_store.audit.findings import Finding, Flaw
from archive_store.audit.log import ForgedLogError
from archive_store.audit.remembered import memory_file
from archive_store.audit.sequencer import sequence_entries
from archive_store.audit.verification import verify_history
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.store import Store
from archive_store.students import record_check
from archive_store.students.record_check import records_unlike_history
from archive_store.verifier.verification import verify_export
from tests.audit.test_sequencer import append, require_whole_log
from tests.readings.told import PHONE, family, history, look
from tests.school import School

pytestmark = pytest.mark.anyio
VICTIM = ObjectId("0123456789abcdef01234567")


async def flaws(store: Store) -> set[Flaw]:
    return {finding.flaw for finding in (await verify_history(store, RECORD_TYPES)).findings}


async def erase_last_of_victim(store: Store, old_head: Any) -> None:
    mongo = store.database.mongo
    last = await mongo[ENTRIES].find_one({"subject_id": VICTIM}, sort=[("sequence", -1)])
    assert last is not None
    await mongo[ENTRIES].delete_one({"_id": last["_id"]})
    await mongo[HEADS].replace_one({"_id": old_head["_id"]}, old_head)


async def test_a_log_that_was_set_back_is_not_signed_again(empty_store: Store) -> None:
    store, mongo = empty_store, empty_store.database.mongo
    await append(store, VICTIM, ObjectId())
    await sequence_entries(store, seconds=60)
    head = await mongo[HEADS].find_one({"_id": f"Thing:{VICTIM}"})
    log, tiles = await mongo[LOG].find_one({}), await mongo[TILES].find().to_list()
    assert log is not None
    await append(store, VICTIM)
    await append(store, ObjectId(), ObjectId())
    await sequence_entries(store, seconds=60)
    await erase_last_of_victim(store, head)
    await mongo[CHECKPOINTS].delete_many({"_id": {"$gt": log["size"]}})
    await mongo[LOG].replace_one({"_id": "log"}, log)
    await mongo[TILES].delete_many({})
    await mongo[TILES].insert_many(tiles)
    await mongo[ENTRIES].update_many({"log_index": {"$gte": log["size"]}}, {"$set": {"log_index": None}})
    with pytest.raises(ForgedLogError, match="was signed here, and this one has 2"):
        await sequence_entries(store, seconds=60)
    assert Flaw.FORGED_LOG in await flaws(store)


async def test_a_log_is_not_begun_anew(empty_store: Store) -> None:
    store, mongo = empty_store, empty_store.database.mongo
    await append(store, VICTIM, ObjectId())
    head = await mongo[HEADS].find_one({"_id": f"Thing:{VICTIM}"})
    await append(store, VICTIM)
    await sequence_entries(store, seconds=60)
    await erase_last_of_victim(store, head)
    for name in (LOG, TILES, CHECKPOINTS, WITNESSES):
        await mongo[name].delete_many({})
    await mongo[ENTRIES].update_many({}, {"$set": {"log_index": None}})
    with pytest.raises(ForgedLogError, match="was signed here"):
        await sequence_entries(store, seconds=60)
    assert await flaws(store) == {Flaw.FORGED_LOG}


@pytest.mark.parametrize("content", ["", "x", "3 AAAA", f"0 {'A' * 43}=", "\xff"])
async def test_a_memory_that_says_nothing_stops_the_sequencer(empty_store: Store, content: str) -> None:
    await append(empty_store, VICTIM)
    memory_file(empty_store).write_text(content)
    with pytest.raises(ForgedLogError, match="does not say what was signed"):
        await sequence_entries(empty_store)


async def test_after_a_backup_was_restored_the_memory_is_removed_by_hand(empty_store: Store) -> None:
    store, mongo = empty_store, empty_store.database.mongo
    await append(store, VICTIM)
    await sequence_entries(store)
    for name in (ENTRIES, HEADS, LOG, TILES, CHECKPOINTS):
        await mongo[name].delete_many({})
    await append(store, VICTIM)
    with pytest.raises(ForgedLogError):
        await sequence_entries(store)
    memory_file(store).unlink()
    await sequence_entries(store)
    await require_whole_log(store, 1)


def with_decoy(raw: bytes, name: str, decoy: object) -> RawBSONDocument:
    """The document with a false field of that name before the true one."""
    body, first = raw[4:-1], bson.encode({name: decoy})[4:-1]
    return RawBSONDocument((5 + len(first) + len(body)).to_bytes(4, "little") + first + body + b"\0")


@pytest.mark.parametrize(
    ("place", "name", "decoy"),
    [(ENTRIES, "subject_id", ObjectId()), ("access_events", "groups", []), (HEADS, "sequence", 0)],
)
async def test_a_field_that_is_there_twice_is_found(
    school: School, place: str, name: str, decoy: object
) -> None:
    """The server finds by the first of them, a driver shows the last: so a reading would be hidden."""
    student, director = await school.student(), await school.viewer("director")
    own, _ = await family(school)
    await look(school, director, student.key, PHONE)
    assert len(await history(school, own, student.key) or ()) == 1
    assert await flaws(school.store) == set()
    event = await school.store.database.collection(AccessEvent).find_one({"viewer_id": director.person_id})
    assert event is not None
    query: Any = {
        ENTRIES: {"subject_id": event["_id"]},
        "access_events": {"_id": event["_id"]},
        HEADS: {"_id": f"AccessEvent:{event['_id']}"},
    }[place]
    rows = school.store.database.mongo.get_collection(place, codec_options=CodecOptions(RawBSONDocument))
    stored: Any = await rows.find_one(query)
    await rows.delete_one(query)
    await rows.insert_one(with_decoy(stored.raw, name, decoy))
    assert Flaw.DOUBLE_FIELD in await flaws(school.store)


async def test_an_entry_of_other_types_is_refused(empty_store: Store) -> None:
    """The hash of a key is that of its text."""
    await append(empty_store, VICTIM)
    await empty_store.database.mongo[ENTRIES].update_one({}, {"$set": {"subject_id": str(VICTIM)}})
    done = await sequence_entries(empty_store)
    assert (done.entries, done.refused) == (0, 1)


@pytest.mark.parametrize(
    "spoil", [lambda note: note + "junk\n", lambda note: note + note.splitlines()[-1] + "\n"]
)
async def test_a_checkpoint_with_more_lines_is_found(empty_store: Store, spoil: Callable[[str], str]) -> None:
    await append(empty_store, VICTIM)
    await sequence_entries(empty_store)
    checkpoints = empty_store.database.mongo[CHECKPOINTS]
    row = await checkpoints.find_one({})
    assert row is not None
    await checkpoints.update_one({}, {"$set": {"note": spoil(row["note"])}})
    assert (await verify_history(empty_store, RECORD_TYPES)).findings == [Finding("log", 1, Flaw.FORGED_LOG)]


async def test_an_index_made_otherwise_stalls_nothing(empty_store: Store) -> None:
    entries = empty_store.database.mongo[ENTRIES]
    await append(empty_store, VICTIM)
    held = (await entries.index_information())["unsequenced"]
    await entries.drop_index("unsequenced")
    try:
        await entries.create_index("nothing", name="unsequenced", sparse=True)
        assert (await sequence_entries(empty_store)).entries == 1
    finally:
        await entries.drop_index("unsequenced")
        await entries.create_index(
            held["key"], name="unsequenced", partialFilterExpression=held["partialFilterExpression"]
        )


async def test_an_export_is_sound_right_after_the_key_was_rotated(empty_store: Store, tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    made = Keyring.create(file, origin="school.example/log")
    before = replace(empty_store, keyring=replace(made, audit=empty_store.keyring.audit))
    await append(before, VICTIM)
    await sequence_entries(before)
    rotated = Keyring.rotate_checkpoint_key(file)
    after = replace(before, keyring=replace(rotated, audit=before.keyring.audit))
    await sequence_entries(after)
    await export_history(after, tmp_path / "export")
    assert made.checkpoint is not None
    assert verify_export(tmp_path / "export", made.checkpoint.verifier_key).sound
    assert (await verify_history(after, RECORD_TYPES)).sound
    assert (await sequence_entries(after)).entries == 0


async def test_two_rotations_at_once_make_one_line(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    Keyring.create(file)
    rotated = await asyncio.gather(
        *(asyncio.to_thread(Keyring.rotate_checkpoint_key, file) for _ in range(4))
    )
    line = Keyring.load(file).checkpoint
    assert line is not None
    named = {note.split("\n")[2] for note in line.successions}
    assert {held.checkpoint.verifier_key for held in rotated if held.checkpoint} == named
    assert len(named) == 4
    assert [each.name for each in tmp_path.iterdir()] == ["keyring.json"]


async def test_a_record_is_not_compared_where_the_key_of_its_history_is_gone(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        raise EncryptionError(ValueError("no such key"))

    assert await records_unlike_history(school.store) == []
    monkeypatch.setattr(record_check, "open_entries", gone)
    assert await records_unlike_history(school.store) == []
