"""The export on a real log: files, tiles, keys, and rotation of the checkpoint key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bson import ObjectId

from archive_store.audit.exports import export_history, tile_path
from archive_store.audit.merkle import TileKey
from archive_store.audit.sequencer import sequence_entries
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.store import Store
from tests.audit.test_sequencer import append, require_whole_log

pytestmark = pytest.mark.anyio


async def test_an_export_has_every_entry_tile_and_key(empty_store: Store, tmp_path: Path) -> None:
    await append(empty_store, *(ObjectId() for _ in range(300)))
    await sequence_entries(empty_store, seconds=60)
    written = await export_history(empty_store, tmp_path / "export")
    files = {
        file.relative_to(tmp_path / "export").as_posix(): file.read_bytes()
        for file in (tmp_path / "export").rglob("*")
        if file.is_file()
    }
    assert files.keys() == {
        "checkpoint",
        "entries.jsonl",
        "keys/000",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
    }
    assert written.entries == files["entries.jsonl"].count(b"\n") == 300
    assert (len(files["tile/0/000"]), len(files["tile/0/001.p/44"])) == (8192, 44 * 32)
    assert (tmp_path / "export").stat().st_mode & 0o777 == 0o700


async def test_entries_written_since_are_left_out(empty_store: Store, tmp_path: Path) -> None:
    await append(empty_store, ObjectId())
    await sequence_entries(empty_store)
    await append(empty_store, ObjectId())
    assert (await export_history(empty_store, tmp_path / "export")).entries == 1


async def test_a_folder_that_is_there_is_left_alone(empty_store: Store, tmp_path: Path) -> None:
    await append(empty_store, ObjectId())
    await sequence_entries(empty_store)
    with pytest.raises(FileExistsError):
        await export_history(empty_store, tmp_path)
    assert not list(tmp_path.iterdir())


async def test_nothing_to_export(empty_store: Store, tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        await export_history(empty_store, tmp_path / "export")
    assert not list(tmp_path.iterdir())


async def test_the_log_goes_on_under_a_new_key(empty_store: Store, tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    made = Keyring.create(file, origin="school.example/log")
    before = replace(empty_store, keyring=replace(made, audit=empty_store.keyring.audit))
    await append(before, ObjectId())
    await sequence_entries(before)
    rotated = Keyring.rotate_checkpoint_key(file)
    after = replace(before, keyring=replace(rotated, audit=before.keyring.audit))
    await append(after, ObjectId())
    await sequence_entries(after)
    await require_whole_log(after, 2)
    await export_history(after, tmp_path / "export")
    old, new = made.checkpoint, rotated.checkpoint
    assert old is not None
    assert new is not None
    assert (tmp_path / "export" / "keys" / "000").read_text() == f"{old.verifier_key}\n"
    succession = (tmp_path / "export" / "keys" / "001").read_text()
    assert old.has_signed(f"school.example/log\nkey\n{new.verifier_key}\n", succession)
    assert old.seed.hex() not in file.read_text()


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (999, 5, "tile/0/999.p/5"),
        (1000, 256, "tile/0/x001/000"),
        # The specification's own example.
        (1234067, 256, "tile/0/x001/x234/067"),
    ],
)
def test_paths_of_tiles(number: int, width: int, path: str) -> None:
    assert tile_path(TileKey(0, number), width) == path
