"""Root keys of the keyring file, also while it is replaced; and both providers side by side."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson import ObjectId
from pydantic import SecretStr

from archive_store.foundation.keyring import Keyring, KeyringError
from archive_store.foundation.root_key_providers import BothProviders, KeyringRootKeys, root_keys_of
from archive_store.foundation.root_keys import KeyNotGenuineError, RootKeyMissingError, WrappedKey
from archive_store.foundation.settings import Settings
from archive_store.foundation.vault import VaultRootKeys
from tests.foundation.vault_double import SERVER, vault_double

KEY, PURPOSE, OWNER = bytes(range(32)), b"registrar/test", ObjectId()
LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    Keyring.create(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


def keys_of(file: Path) -> KeyringRootKeys:
    return KeyringRootKeys(file, Keyring.load(file))


async def test_a_key_opens_for_its_owner_and_purpose_alone(file: Path) -> None:
    keys = keys_of(file)
    wrapped = await keys.wrap(KEY, PURPOSE, OWNER)
    assert (len(wrapped.wrapped), wrapped.root_key_id) == (60, Keyring.load(file).id)
    assert await keys.unwrap(wrapped, PURPOSE, OWNER) == KEY
    flipped = WrappedKey(wrapped.root_key_id, wrapped.wrapped[:-1] + bytes([wrapped.wrapped[-1] ^ 1]))
    cut = WrappedKey(wrapped.root_key_id, wrapped.wrapped[:11])
    for told, purpose, owner in (
        (wrapped, b"another", OWNER),
        (wrapped, PURPOSE, ObjectId()),
        (flipped, PURPOSE, OWNER),
        (cut, PURPOSE, OWNER),
    ):
        with pytest.raises(KeyNotGenuineError):
            await keys.unwrap(told, purpose, owner)


async def test_the_keyring_of_another_installation_opens_nothing(file: Path, tmp_path: Path) -> None:
    wrapped = await keys_of(file).wrap(KEY, PURPOSE, OWNER)
    other = Keyring.create(tmp_path / "other.json")
    theirs = KeyringRootKeys(tmp_path / "other.json", other)
    with pytest.raises(RootKeyMissingError, match=wrapped.root_key_id):
        await theirs.unwrap(wrapped, PURPOSE, OWNER)
    with pytest.raises(KeyNotGenuineError):
        await theirs.unwrap(WrappedKey(other.scans[-1].id, wrapped.wrapped), PURPOSE, OWNER)


async def test_a_rotated_key_is_noticed_and_those_before_it_open(file: Path) -> None:
    keys = keys_of(file)
    before = await keys.wrap(KEY, PURPOSE, OWNER)
    rotated = Keyring.rotate_scan_key(file)
    assert [key.id for key in rotated.scans] == [rotated.id, f"{rotated.id}.2"]
    assert await keys.current_id() == f"{rotated.id}.2"
    after = await keys.wrap(KEY, PURPOSE, OWNER)
    assert after.root_key_id == f"{rotated.id}.2"
    assert await keys.unwrap(before, PURPOSE, OWNER) == await keys.unwrap(after, PURPOSE, OWNER) == KEY
    with pytest.raises(KeyNotGenuineError):
        await keys.unwrap(WrappedKey(after.root_key_id, before.wrapped), PURPOSE, OWNER)


async def test_who_only_reads_notices_it_too(file: Path) -> None:
    reader, writer = keys_of(file), keys_of(file)
    Keyring.rotate_scan_key(file)
    assert await reader.unwrap(await writer.wrap(KEY, PURPOSE, OWNER), PURPOSE, OWNER) == KEY


@pytest.mark.parametrize("ruin", ["mode", "content", "gone", "another"])
async def test_a_file_that_cannot_be_used_leaves_the_keys_held_so_far(file: Path, ruin: str) -> None:
    keys = keys_of(file)
    wrapped = await keys.wrap(KEY, PURPOSE, OWNER)
    if ruin == "mode":
        file.chmod(0o640)
    elif ruin == "content":
        file.write_text("{")
    else:
        file.unlink()
        if ruin == "another":
            Keyring.create(file)
    assert await keys.current_id() == wrapped.root_key_id
    assert await keys.unwrap(wrapped, PURPOSE, OWNER) == KEY


def test_a_keyring_of_before_keys_were_rotated_goes_on(file: Path) -> None:
    held = json.loads(file.read_text())
    key = held["scans"][0]["key"]
    file.write_text(json.dumps(held | {"scans": key}))
    old = Keyring.load(file)
    assert [(each.id, each.key.hex(), each.made_at) for each in old.scans] == [(old.id, key, None)]
    rotated = Keyring.rotate_scan_key(file)
    assert rotated.scans[0] == old.scans[0]
    assert (rotated.field_master, rotated.audit, rotated.checkpoint) == (
        old.field_master,
        old.audit,
        old.checkpoint,
    )
    assert Keyring.rotate_checkpoint_key(file).scans == rotated.scans
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    "scans",
    [
        [],
        [{"id": "a"}],
        [{"id": "a", "key": "00", "made_at": None}],
        [{"id": 1, "key": "00" * 32, "made_at": None}],
        7,
    ],
)
def test_root_keys_that_are_none(file: Path, scans: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | {"scans": scans}))
    with pytest.raises(KeyringError, match="not a keyring"):
        Keyring.load(file)


async def test_retired_keys_are_gone_and_no_id_comes_twice(file: Path) -> None:
    keys = keys_of(file)
    first = await keys.wrap(KEY, PURPOSE, OWNER)
    Keyring.rotate_scan_key(file)
    second = Keyring.rotate_scan_key(file).scans[1].id
    retired = Keyring.retire_scan_keys(file, {first.root_key_id, second}, now=LATER)
    assert [key.id for key in retired.scans] == [f"{retired.id}.3"]
    with pytest.raises(RootKeyMissingError, match=first.root_key_id):
        await keys.unwrap(first, PURPOSE, OWNER)
    assert Keyring.rotate_scan_key(file).scans[-1].id == f"{retired.id}.4"


def test_neither_the_key_in_use_nor_one_of_minutes_ago_is_retired(file: Path) -> None:
    old = Keyring.rotate_scan_key(file)
    for key_id, why in ((old.scans[1].id, "in use"), (old.scans[0].id, "minutes ago")):
        with pytest.raises(KeyringError, match=why):
            Keyring.retire_scan_keys(file, {key_id})
    assert Keyring.load(file) == old


async def test_nothing_shows_a_key(file: Path) -> None:
    rotated = Keyring.rotate_scan_key(file)
    keys = keys_of(file)
    wrapped = await keys.wrap(KEY, PURPOSE, OWNER)
    told = [repr(rotated), repr(rotated.scans), repr(keys)]
    for wrong in (WrappedKey("gone", wrapped.wrapped), WrappedKey(rotated.id, wrapped.wrapped)):
        try:
            await keys.unwrap(wrong, PURPOSE, OWNER)
        except (RootKeyMissingError, KeyNotGenuineError) as error:
            told += traceback.format_exception(error)
    text = "\n".join(told)
    assert "RootKeyMissingError" in text and "KeyNotGenuineError" in text
    for key in (KEY, *(root.key for root in rotated.scans)):
        assert key.hex() not in text and repr(key)[2:-1] not in text


async def test_a_school_changes_over_to_vault_and_back(file: Path, settings: Settings) -> None:
    with vault_double() as double:
        ours, vault = keys_of(file), VaultRootKeys(double.url, token=SecretStr(SERVER))
        before = BothProviders(ours, vault, first=ours)
        after = BothProviders(ours, vault, first=vault)
        in_file, in_vault = [await each.wrap(KEY, PURPOSE, OWNER) for each in (before, after)]
        assert in_vault.root_key_id == await after.current_id() == "vault:registrar:v1"
        assert in_file.root_key_id == await before.current_id()
        for both in (before, after):
            for wrapped in (in_file, in_vault):
                assert await both.unwrap(wrapped, PURPOSE, OWNER) == KEY
        told = {"keyring_file": file, "vault_url": double.url, "vault_token": SERVER, "root_keys": "vault"}
        opened = root_keys_of(Settings(**settings.model_dump() | told), Keyring.load(file))
        assert await opened.current_id() == "vault:registrar:v1"
        with pytest.raises(RootKeyMissingError):
            await ours.unwrap(in_vault, PURPOSE, OWNER)


async def test_a_file_replaced_before_the_first_use_is_noticed(file: Path) -> None:
    held = Keyring.load(file)
    Keyring.rotate_scan_key(file)
    assert await KeyringRootKeys(file, held).current_id() == f"{held.id}.2"
