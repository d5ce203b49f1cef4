"""Publishing checkpoints: to a folder, and to a witness over HTTP that checks what it signs."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bson import ObjectId
from bson.binary import Binary
from starlette.responses import Response, StreamingResponse

from api.cli.main import app
from api.witnesses import publish_checkpoint
from archive_store.audit.documents import CHECKPOINTS, TILES, WITNESSES
from archive_store.audit.log import newest_checkpoint
from archive_store.audit.remembered import memory_file
from archive_store.audit.sequencer import sequence_entries
from archive_store.audit.witnesses import Witness
from archive_store.foundation.clock import school_day
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.store import Store
from tests.audit.test_sequencer import append
from tests.audit.witness import NAME, LoneWitness

pytestmark = pytest.mark.anyio


@pytest.fixture
async def witness(empty_store: Store) -> AsyncIterator[LoneWitness]:
    key = empty_store.keyring.checkpoint
    assert key is not None
    held = LoneWitness(key)
    async with held.running():
        yield held


def publishing(store: Store, *witnesses: str, folder: Path | None = None) -> Store:
    told = {"audit_witnesses": witnesses, "audit_publish_folder": folder}
    return replace(store, settings=store.settings.model_copy(update=told))


async def grow(store: Store, entries: int) -> None:
    await append(store, *(ObjectId() for _ in range(entries)))
    await sequence_entries(store, seconds=60)


async def publish(store: Store) -> int:
    return await publish_checkpoint(store, store.clock.now())


async def test_nothing_to_publish_yet(empty_store: Store, tmp_path: Path) -> None:
    assert await publish(publishing(empty_store, folder=tmp_path)) == 0
    assert not list(tmp_path.iterdir())


async def test_the_newest_checkpoint_lies_in_the_folder(empty_store: Store, tmp_path: Path) -> None:
    store = publishing(empty_store, folder=tmp_path / "published")
    notes = []
    for _ in range(2):
        await grow(store, 3)
        assert await publish(store) == 1
        checkpoint = await newest_checkpoint(store)
        assert checkpoint is not None
        notes.append(checkpoint.note)
        files = {file.name: file.read_text() for file in (tmp_path / "published").iterdir()}
        assert len(files) == 2
        assert set(files.values()) == {checkpoint.note}
    assert await publish(store) == 0
    assert len(set(notes)) == 2


async def test_a_witness_cosigns_each_checkpoint_it_is_sent(empty_store: Store, witness: LoneWitness) -> None:
    store = publishing(empty_store, witness.setting)
    for entries in (1, 299, 3):
        await grow(store, entries)
        assert await publish(store) == 1
        checkpoint = await newest_checkpoint(store)
        assert checkpoint is not None
        assert (witness.size, witness.root) == (checkpoint.size, checkpoint.root)
        assert Witness.parse(witness.setting).has_cosigned(checkpoint.text, checkpoint.note.splitlines()[-1])
    assert await publish(store) == 0
    assert witness.requests == 3
    # A cosignature beside it is no reason to doubt the checkpoint.
    await grow(store, 1)


async def test_a_witness_that_holds_another_size_than_we_remember(
    empty_store: Store, witness: LoneWitness
) -> None:
    store = publishing(empty_store, witness.setting)
    await grow(store, 5)
    await publish(store)
    await store.database.mongo[WITNESSES].delete_many({})
    await grow(store, 5)
    assert await publish(store) == 1
    assert witness.size == 10


async def test_a_witness_finds_a_rewritten_history(empty_store: Store, witness: LoneWitness) -> None:
    """Rewritten with the keyring and the database's full rights: only who holds an older checkpoint can tell."""
    store = publishing(empty_store, witness.setting)
    await grow(store, 5)
    await publish(store)
    held = (witness.size, witness.root)
    memory_file(store).unlink()
    for name in await store.database.mongo.list_collection_names():
        if name.startswith("audit_") and name != WITNESSES:
            await store.database.mongo[name].delete_many({})
    await grow(store, 9)
    with pytest.raises(ExceptionGroup) as caught:
        await publish(store)
    assert "another history" in str(caught.value.exceptions[0])
    assert (witness.size, witness.root) == held


async def test_a_witness_that_has_more_than_we_do(empty_store: Store, witness: LoneWitness) -> None:
    store = publishing(empty_store, witness.setting)
    await grow(store, 2)
    witness.size, witness.root = 7, b"\0" * 32
    with pytest.raises(ExceptionGroup) as caught:
        await publish(store)
    assert "7 entries, more than there are here" in str(caught.value.exceptions[0])


async def test_a_cosignature_in_another_base64(
    empty_store: Store, witness: LoneWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last digit has bits that mean nothing; kept, it would make every export of the checkpoint malformed."""
    honest = LoneWitness._cosignature

    def bent(self: LoneWitness, text: str) -> str:
        line = honest(self, text)
        assert line[-4] in "AQgw"
        return line[:-4] + chr(ord(line[-4]) + 1) + line[-3:]

    monkeypatch.setattr(LoneWitness, "_cosignature", bent)
    await grow(empty_store, 1)
    with pytest.raises(ExceptionGroup) as caught:
        await publish(publishing(empty_store, witness.setting))
    assert "no signature by its key" in str(caught.value.exceptions[0])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Response(status_code=404), "answered 404"),
        (Response(status_code=500), "answered 500"),
        (Response("— witness.example/w1 AAAA\n"), "no signature by its key"),
        (Response("\xff"), "no signature by its key"),
        (Response("x\n", 409, media_type="text/x.tlog.size"), "no size"),
        (Response(status_code=422), "another history"),
    ],
)
async def test_an_answer_that_is_no_cosignature(
    empty_store: Store, witness: LoneWitness, answer: Response, says: str
) -> None:
    store = publishing(empty_store, witness.setting)
    await grow(store, 2)
    witness.answers_with = answer
    with pytest.raises(ExceptionGroup) as caught:
        await publish(store)
    assert NAME in str(caught.value.exceptions[0])
    assert says in str(caught.value.exceptions[0])
    rows = await store.database.mongo[CHECKPOINTS].find().to_list()
    assert all("cosignatures" not in row for row in rows)


async def test_one_witness_out_of_reach_keeps_no_other_waiting(
    empty_store: Store, witness: LoneWitness
) -> None:
    away = witness.setting.replace(f":{witness.port}/", ":9/")
    store = publishing(empty_store, away, witness.setting)
    await grow(store, 2)
    with pytest.raises(ExceptionGroup):
        await publish(store)
    assert witness.size == 2


async def test_a_folder_out_of_reach_keeps_no_witness_waiting(
    empty_store: Store, witness: LoneWitness, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    store = publishing(empty_store, witness.setting, folder=tmp_path / "file" / "folder")
    await grow(store, 2)
    with pytest.raises(ExceptionGroup) as caught:
        await publish(store)
    assert isinstance(caught.value.exceptions[0], OSError)
    assert witness.size == 2


async def test_broken_tiles_reach_no_witness(empty_store: Store, witness: LoneWitness) -> None:
    store = publishing(empty_store, witness.setting)
    await grow(store, 2)
    await publish(store)
    await grow(store, 2)
    await store.database.mongo[TILES].update_one({"_id": "0/0"}, {"$set": {"hashes": Binary(b"\1" * 32)}})
    with pytest.raises(ExceptionGroup):
        await publish(store)
    assert witness.size == 2


@pytest.mark.parametrize(
    "setting",
    [
        "witness.example/w1",
        "witness.example/w1@https://witness.example",
        "witness.example/w1+00000000+BAAA@https://witness.example",
        "w+3f0e7b5a+AQ==@https://witness.example",
        f"w+00000000+{'A' * 44}@https://witness.example",
        "w+00000000+%%%@https://witness.example",
    ],
)
async def test_a_setting_that_names_no_witness_stops_the_start(
    setting: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Witness.parse(setting)
    from typer.testing import CliRunner

    Keyring.create(tmp_path / "keyring.json")
    values = {
        "MONGODB_URL": "mongodb://127.0.0.1:9",
        "S3_ENDPOINT": "127.0.0.1:9",
        "S3_ACCESS_KEY": "a",
        "S3_SECRET_KEY": "b",
        "KEYRING_FILE": str(tmp_path / "keyring.json"),
        "OIDC_ISSUER": "https://issuer.example",
        "AUDIT_WITNESSES": setting,
    }
    for name, value in values.items():
        monkeypatch.setenv(f"REGISTRAR_{name}", value)
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 1
    assert "REGISTRAR_AUDIT_WITNESSES" in result.output


async def test_what_is_published_is_replaced_by_what_continues_it_alone(
    empty_store: Store, tmp_path: Path
) -> None:
    store, mongo = publishing(empty_store, folder=tmp_path), empty_store.database.mongo
    await grow(store, 3)
    await publish(store)
    published = {file.name: file.read_text() for file in tmp_path.iterdir()}
    # Another history, of more entries.
    memory_file(store).unlink()
    for name in await mongo.list_collection_names():
        if name.startswith("audit_"):
            await mongo[name].delete_many({})
    for entries in (2, 2):
        await grow(store, entries)
        with pytest.raises(ExceptionGroup, match="not published") as caught:
            await publish(store)
        assert "does not continue" in str(caught.value.exceptions[0])
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == published


async def test_a_day_is_that_of_publishing(empty_store: Store, tmp_path: Path) -> None:
    store = publishing(empty_store, folder=tmp_path)
    await grow(store, 1)
    await store.database.mongo[CHECKPOINTS].update_many(
        {}, {"$set": {"at": datetime(2020, 1, 1, tzinfo=UTC)}}
    )
    await publish(store)
    today = school_day(store.clock.now()).isoformat()
    assert {file.name for file in tmp_path.iterdir()} == {"checkpoint", f"{today}.checkpoint"}


@pytest.mark.parametrize("how", ["long", "packed"])
async def test_a_huge_answer_is_not_read(empty_store: Store, witness: LoneWitness, how: str) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 1 << 20
            yield b"x" * (1 << 20)

    packed = Response(gzip.compress(b"\n" * (1 << 20)), headers={"content-encoding": "gzip"})
    witness.answers_with = StreamingResponse(endless()) if how == "long" else packed
    store = publishing(empty_store, witness.setting)
    await grow(store, 1)
    with pytest.raises(ExceptionGroup) as caught:
        await publish(store)
    assert ("more than 65536 bytes" if how == "long" else "packed") in str(caught.value.exceptions[0])
    assert sent < 100 << 20
