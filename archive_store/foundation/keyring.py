"""The keyring: root keys in a local file that only its owner may read.

A production school keeps a copy of this file where neither the database nor the bucket is: without it the
encrypted fields and scans are lost, with it they are open.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from archive_store.foundation.credential_keys import CredentialKey, new_credential_key
from archive_store.foundation.signed_notes import (
    SEED_BYTES,
    CheckpointKey,
    check_origin,
    new_checkpoint_key,
    successor,
)

_SIZES = {"field_master": 96, "lookup": 32, "audit": 32}
_SCAN_KEY_SIZE = 32
# Who wraps a key looks at the file first and stores it seconds later; a root key that was in use this recently may yet
# come to have been used.
_SETTLING = timedelta(minutes=10)


class KeyringError(Exception):
    """The keyring file cannot be used; the message says why and never holds a key."""


@dataclass(frozen=True, repr=False, slots=True)
class ScanKey:
    """A root key of the scans. `made_at` is None of one that was made before they were rotated."""

    id: str
    key: bytes
    made_at: datetime | None


@dataclass(frozen=True, repr=False)
class Keyring:
    """Root keys. `field_master` wraps MongoDB's field key (96 bytes), `lookup` keys the blind indexes, `audit`
    the audit chain (32 bytes each). `id` names this set of keys.

    `scans` wrap the archive files' keys (32 bytes each): oldest first, the last is in use.

    `checkpoint` is None in a file written before there were checkpoints, `credential`, which signs certificates, in
    one from before those.
    """

    id: str
    field_master: bytes
    lookup: bytes
    audit: bytes
    scans: tuple[ScanKey, ...]
    checkpoint: CheckpointKey | None = None
    credential: CredentialKey | None = None

    @classmethod
    def load(cls, file: Path) -> Keyring:
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise KeyringError(f"cannot open the keyring {file}: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as opened:
            # Checked on the open file, so that it cannot be swapped in between.
            found = os.fstat(opened.fileno())
            if found.st_uid != os.geteuid():
                raise KeyringError(f"the keyring {file} belongs to another user")
            if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyringError(f"the keyring {file} can be read by others; set its mode to 0600")
            content = opened.read()
        try:
            held = json.loads(content)
            keys = {name: bytes.fromhex(held[name]) for name in _SIZES}
            identity = held["id"]
            scans = tuple(_scan_keys(held))
            checkpoint = _checkpoint_key(held["checkpoint"]) if "checkpoint" in held else None
            credential = CredentialKey.from_json(held["credential"]) if "credential" in held else None
        except (ValueError, KeyError, TypeError):
            raise KeyringError(f"{file} is not a keyring") from None
        if not isinstance(identity, str) or any(len(keys[name]) != size for name, size in _SIZES.items()):
            raise KeyringError(f"{file} is not a keyring")
        return cls(id=identity, **keys, scans=scans, checkpoint=checkpoint, credential=credential)

    @classmethod
    def create(cls, file: Path, *, origin: str | None = None) -> Keyring:
        """Write new keys; refuses to replace a file. `origin` names the audit log, else the keyring's id does."""
        identity = secrets.token_hex(8)
        held: dict[str, Any] = {"id": identity}
        held |= {name: secrets.token_hex(size) for name, size in _SIZES.items()}
        held["scans"] = [_new_scan_key(identity)]
        held["checkpoint"] = _as_json(new_checkpoint_key(origin or default_origin(identity)))
        held["credential"] = new_credential_key().as_json()
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise KeyringError(f"{file} exists; a keyring is never replaced") from error
        _write(descriptor, held)
        return cls.load(file)

    @classmethod
    def rotate_checkpoint_key(cls, file: Path) -> Keyring:
        """Put a new checkpoint key in the place of the one there is, which is forgotten; makes the first where none is.

        The file is replaced whole or stays as it is.
        """
        return cls._change(file, _with_new_checkpoint_key)

    @classmethod
    def rotate_credential_key(cls, file: Path) -> Keyring:
        """Put a new credential key in the place of the one there is, whose public half stays; or make the first."""
        return cls._change(file, _with_new_credential_key)

    @classmethod
    def rotate_scan_key(cls, file: Path) -> Keyring:
        """Add a root key for scans, which is in use from now on; those before it stay, so that all scans open."""
        return cls._change(file, _with_new_scan_key)

    @classmethod
    def retire_scan_keys(
        cls, file: Path, key_ids: Collection[str], *, now: datetime | None = None
    ) -> Keyring:
        """Forget root keys of scans: what they wrapped is lost, in backups as well.

        That nothing is wrapped by them any more is for the caller to know. KeyringError as `check_retirable`.
        """

        def without(keyring: Keyring, held: dict[str, Any]) -> dict[str, Any]:
            keyring.check_retirable(key_ids, now or datetime.now(UTC))
            return held | {"scans": [_scan_key_json(key) for key in keyring.scans if key.id not in key_ids]}

        return cls._change(file, without)

    def check_retirable(self, key_ids: Collection[str], now: datetime) -> None:
        """KeyringError of the root key of scans in use, and of one that was minutes ago."""
        for position, key in enumerate(self.scans):
            if key.id not in key_ids:
                continue
            if position + 1 == len(self.scans):
                raise KeyringError(f"the root key {key.id} is in use")
            until = self.scans[position + 1].made_at
            if until is not None and now < until + _SETTLING:
                raise KeyringError(f"the root key {key.id} was in use minutes ago; wait {_SETTLING}")

    @classmethod
    def _change(cls, file: Path, change: Callable[[Keyring, dict[str, Any]], dict[str, Any]]) -> Keyring:
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Of two at once, the second goes on from what the first made.
            fcntl.flock(folder, fcntl.LOCK_EX)
            _replace(file, change(cls.load(file), json.loads(file.read_bytes())))
            os.fsync(folder)
            return cls.load(file)
        finally:
            os.close(folder)


def _with_new_checkpoint_key(keyring: Keyring, held: dict[str, Any]) -> dict[str, Any]:
    before = keyring.checkpoint
    after = new_checkpoint_key(default_origin(keyring.id)) if before is None else successor(before)
    return held | {"checkpoint": _as_json(after)}


def _with_new_credential_key(keyring: Keyring, held: dict[str, Any]) -> dict[str, Any]:
    before = keyring.credential
    after = new_credential_key() if before is None else before.successor()
    return held | {"credential": after.as_json()}


def _with_new_scan_key(keyring: Keyring, held: dict[str, Any]) -> dict[str, Any]:
    _, _, number = keyring.scans[-1].id.partition(".")
    made = _new_scan_key(f"{keyring.id}.{int(number or 1) + 1}")
    return held | {"scans": [*(_scan_key_json(key) for key in keyring.scans), made]}


def _scan_keys(held: dict[str, Any]) -> Iterator[ScanKey]:
    told = held["scans"]
    # A file of before they were rotated holds one, which has the keyring's id.
    keys = [{"id": held["id"], "key": told, "made_at": None}] if isinstance(told, str) else told
    if not keys or len({each["id"] for each in keys}) != len(keys):
        raise ValueError("no root key of scans, or one twice")
    for each in keys:
        key, made_at = bytes.fromhex(each["key"]), each["made_at"]
        if not isinstance(each["id"], str) or len(key) != _SCAN_KEY_SIZE:
            raise ValueError("not a root key of scans")
        yield ScanKey(each["id"], key, None if made_at is None else datetime.fromisoformat(made_at))


def _scan_key_json(key: ScanKey) -> dict[str, Any]:
    return {"id": key.id, "key": key.key.hex(), "made_at": key.made_at and key.made_at.isoformat()}


def _new_scan_key(key_id: str) -> dict[str, Any]:
    return _scan_key_json(ScanKey(key_id, secrets.token_bytes(_SCAN_KEY_SIZE), datetime.now(UTC)))


def _replace(file: Path, held: dict[str, Any]) -> None:
    descriptor, written = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600
    try:
        _write(descriptor, held)
        Path(written).replace(file)
    except BaseException:
        Path(written).unlink(missing_ok=True)
        raise


def default_origin(keyring_id: str) -> str:
    return f"registrar/{keyring_id}"


def _checkpoint_key(held: dict[str, Any]) -> CheckpointKey:
    seed, successions = bytes.fromhex(held["seed"]), tuple(held["successions"])
    texts = (held["origin"], held["first_verifier_key"], *successions)
    if len(seed) != SEED_BYTES or any(not isinstance(text, str) for text in texts):
        raise ValueError("not a checkpoint key")
    check_origin(held["origin"])
    return CheckpointKey(held["origin"], seed, held["first_verifier_key"], successions)


def _as_json(key: CheckpointKey) -> dict[str, Any]:
    return {
        "origin": key.origin,
        "seed": key.seed.hex(),
        "first_verifier_key": key.first_verifier_key,
        "successions": list(key.successions),
    }


def _write(descriptor: int, held: dict[str, Any]) -> None:
    with os.fdopen(descriptor, "w") as opened:
        json.dump(held, opened, indent=1)
        opened.flush()
        os.fsync(opened.fileno())
