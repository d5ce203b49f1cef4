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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive_store.foundation.signed_notes import (
    SEED_BYTES,
    CheckpointKey,
    check_origin,
    new_checkpoint_key,
    successor,
)

_SIZES = {"field_master": 96, "lookup": 32, "audit": 32, "scans": 32}


class KeyringError(Exception):
    """The keyring file cannot be used; the message says why and never holds a key."""


@dataclass(frozen=True, repr=False)
class Keyring:
    """Root keys. `field_master` wraps MongoDB's field key (96 bytes), `lookup` keys the blind indexes, `audit`
    the audit chain, `scans` wraps the archive files' keys (32 bytes each). `id` names this set of keys.

    `checkpoint` is None in a file written before there were checkpoints.
    """

    id: str
    field_master: bytes
    lookup: bytes
    audit: bytes
    scans: bytes
    checkpoint: CheckpointKey | None = None

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
            checkpoint = _checkpoint_key(held["checkpoint"]) if "checkpoint" in held else None
        except (ValueError, KeyError, TypeError):
            raise KeyringError(f"{file} is not a keyring") from None
        if not isinstance(identity, str) or any(len(keys[name]) != size for name, size in _SIZES.items()):
            raise KeyringError(f"{file} is not a keyring")
        return cls(id=identity, **keys, checkpoint=checkpoint)

    @classmethod
    def create(cls, file: Path, *, origin: str | None = None) -> Keyring:
        """Write new keys; refuses to replace a file. `origin` names the audit log, else the keyring's id does."""
        identity = secrets.token_hex(8)
        held: dict[str, Any] = {"id": identity}
        held |= {name: secrets.token_hex(size) for name, size in _SIZES.items()}
        held["checkpoint"] = _as_json(new_checkpoint_key(origin or default_origin(identity)))
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
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Of two at once, the second goes on from what the first made.
            fcntl.flock(folder, fcntl.LOCK_EX)
            _replace(file, _with_new_checkpoint_key(cls.load(file), json.loads(file.read_bytes())))
            return cls.load(file)
        finally:
            os.close(folder)


def _with_new_checkpoint_key(keyring: Keyring, held: dict[str, Any]) -> dict[str, Any]:
    before = keyring.checkpoint
    after = new_checkpoint_key(default_origin(keyring.id)) if before is None else successor(before)
    return held | {"checkpoint": _as_json(after)}


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
