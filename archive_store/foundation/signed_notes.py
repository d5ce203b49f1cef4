"""Signed notes (C2SP signed-note) with Ed25519: the checkpoint key of the audit log, and what it signs. Pure.

The line of keys is described in FORMAT.md of `archive_store/audit`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED_BYTES = 32
_ED25519 = b"\x01"
# As a key's name: no blank, no plus sign, no control character.
_ORIGIN = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True)
class CheckpointKey:
    """The Ed25519 key that signs for the log named `origin`, by its seed of 32 bytes.

    `successions` are the notes in which each key before it named the next; `first_verifier_key` begins that line.
    """

    origin: str
    seed: bytes = field(repr=False)
    first_verifier_key: str
    successions: tuple[str, ...] = ()

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def _public(self) -> bytes:
        return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @cached_property
    def _id(self) -> bytes:
        return hashlib.sha256(self.origin.encode() + b"\n" + _ED25519 + self._public).digest()[:4]

    @property
    def verifier_key(self) -> str:
        """`<origin>+<id in hex>+<base64>`, one line, without a line break."""
        return f"{self.origin}+{self._id.hex()}+{_base64(_ED25519 + self._public)}"

    def sign(self, text: str) -> str:
        """The note of a text that ends in a line break: the text, an empty line, and one signature line."""
        signature = _base64(self._id + self._private.sign(text.encode()))
        return f"{text}\n— {self.origin} {signature}\n"

    def has_signed(self, text: str, note: object) -> bool:
        """Whether this is the text with one signature, by a key of the line: this one, or one before it."""
        if not isinstance(note, str) or not note.startswith(f"{text}\n") or not note.endswith("\n"):
            return False
        line = note.removeprefix(f"{text}\n").removesuffix("\n")
        return "\n" not in line and any(_is_signature(line, verifier, text) for verifier in self._line)

    @cached_property
    def _line(self) -> tuple[str, ...]:
        named = (note.split("\n")[2] for note in self.successions)
        return (self.first_verifier_key, *named)


def _is_signature(line: str, verifier_key: str, text: str) -> bool:
    name, key_id, encoded = verifier_key.split("+", 2)
    prefix = f"— {name} "
    try:
        told = base64.b64decode(line.removeprefix(prefix), validate=True)
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
        if not line.startswith(prefix) or told[:4] != bytes.fromhex(key_id):
            return False
        public.verify(told[4:], text.encode())
    except (ValueError, InvalidSignature):
        return False
    return True


def check_origin(origin: str) -> str:
    """ValueError unless it can be a log's origin and the name of its keys."""
    if not _ORIGIN.fullmatch(origin) or not origin.isprintable():
        raise ValueError(
            "an origin has 1 to 200 printable characters, and among them no blank and no plus sign"
        )
    return origin


def new_checkpoint_key(origin: str) -> CheckpointKey:
    """The first key of a log."""
    seed = secrets.token_bytes(SEED_BYTES)
    unnamed = CheckpointKey(check_origin(origin), seed, first_verifier_key="")
    return CheckpointKey(origin, seed, unnamed.verifier_key)


def successor(key: CheckpointKey) -> CheckpointKey:
    """A new key for the same log, named by the key before it."""
    after = new_checkpoint_key(key.origin)
    succession = key.sign(f"{key.origin}\nkey\n{after.verifier_key}\n")
    return CheckpointKey(key.origin, after.seed, key.first_verifier_key, (*key.successions, succession))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
