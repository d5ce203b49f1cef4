"""The keyring file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archive_store.foundation.keyring import Keyring, KeyringError


def test_a_new_keyring_is_private_and_loads_again(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "keyring.json"
    made = Keyring.create(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert Keyring.load(file) == made
    assert (len(made.field_master), len({made.lookup, made.audit, made.scans[-1].key})) == (96, 3)


def test_keys_are_not_shown(tmp_path: Path) -> None:
    made = Keyring.create(tmp_path / "keyring.json")
    assert made.audit.hex() not in repr(made)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_keyring_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "keyring.json"
    Keyring.create(file)
    file.chmod(mode)
    with pytest.raises(KeyringError, match="0600"):
        Keyring.load(file)


def test_a_keyring_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    made = Keyring.create(file)
    with pytest.raises(KeyringError):
        Keyring.create(file)
    assert Keyring.load(file) == made


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    Keyring.create(tmp_path / "real.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    with pytest.raises(KeyringError):
        Keyring.load(tmp_path / "link.json")


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", json.dumps({"id": "x", "audit": "zz"})])
def test_what_is_no_keyring(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keyring.json"
    file.touch(mode=0o600)
    file.write_text(content)
    with pytest.raises(KeyringError, match="not a keyring"):
        Keyring.load(file)
