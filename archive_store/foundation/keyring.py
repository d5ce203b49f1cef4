"""The keyring: root keys in a local file that only its owner may read.

A production school keeps a copy of this file where neither the database nor the bucket is: without it the
encrypted fields and scans are lost, with it they are open.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

_SIZES = {"field_master": 96, "lookup": 32, "audit": 32, "scans": 32}


class KeyringError(Exception):
    """The keyring file cannot be used; the message says why and never holds a key."""


@dataclass(frozen=True, repr=False)
class Keyring:
    """Root keys. `field_master` wraps MongoDB's field key (96 bytes), `lookup` keys the blind indexes, `audit`
    the audit chain, `scans` wraps the archive files' keys (32 bytes each). `id` names this set of keys."""

    id: str
    field_master: bytes
    lookup: bytes
    audit: bytes
    scans: bytes

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
        except (ValueError, KeyError, TypeError):
            raise KeyringError(f"{file} is not a keyring") from None
        if not isinstance(identity, str) or any(len(keys[name]) != size for name, size in _SIZES.items()):
            raise KeyringError(f"{file} is not a keyring")
        return cls(id=identity, **keys)

    @classmethod
    def create(cls, file: Path) -> Keyring:
        """Write new keys; refuses to replace a file."""
        held = {"id": secrets.token_hex(8)} | {name: secrets.token_hex(size) for name, size in _SIZES.items()}
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise KeyringError(f"{file} exists; a keyring is never replaced") from error
        with os.fdopen(descriptor, "w") as opened:
            json.dump(held, opened, indent=1)
            opened.flush()
            os.fsync(opened.fileno())
        return cls.load(file)
