"""Witnesses (见证方) of the audit log: what each has cosigned (C2SP tlog-cosignature), and checking that it has."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archive_store.audit.documents import CHECKPOINTS, WITNESSES
from archive_store.audit.log import Checkpoint
from archive_store.foundation.store import Store

_COSIGNATURE = b"\x04"  # timestamped Ed25519
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Witness:
    """A second party that holds our checkpoints: its name, its public key of 32 bytes, and where it takes them."""

    name: str
    public_key: bytes
    url: str

    @classmethod
    def parse(cls, text: str) -> Witness:
        """From `<verifier key>@<URL prefix>`; ValueError says what is wrong."""
        told = re.fullmatch(r"(?P<key>\S+?)@(?P<url>https?://\S+)", text)
        parts = told["key"].split("+", 2) if told else []
        if told is None or len(parts) != 3 or not parts[0]:
            raise ValueError("a witness is <verifier key>@<URL>")
        key = base64.b64decode(parts[2], validate=True)
        witness = cls(parts[0], key[1:], told["url"].rstrip("/"))
        if key[:1] != _COSIGNATURE or len(key) != 1 + _KEY_BYTES or witness._id.hex() != parts[1].lower():
            raise ValueError("the key is no verifier key of Ed25519 cosignatures")
        return witness

    @property
    def _id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + _COSIGNATURE + self.public_key).digest()[:4]

    def has_cosigned(self, text: str, line: str) -> bool:
        """Whether this signature line is the witness's over the checkpoint text."""
        prefix = f"— {self.name} "
        try:
            told = base64.b64decode(line.removeprefix(prefix), validate=True)
            # Of one signature there is one line: an export with another would be malformed.
            if line != prefix + base64.b64encode(told).decode() or told[:4] != self._id:
                return False
            seconds = int.from_bytes(told[4:12], "big")
            message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(told[12:], message)
        except (ValueError, InvalidSignature):
            return False
        return True


async def size_held_by(store: Store, witness: Witness) -> int:
    """The size of the newest checkpoint that it cosigned, 0 before the first."""
    row = await store.database.mongo[WITNESSES].find_one({"_id": witness.name})
    return int(row["size"]) if row else 0


async def keep_cosignature(store: Store, witness: Witness, checkpoint: Checkpoint, line: str) -> None:
    """Keep it beside the checkpoint; a signature that is not the witness's is a ValueError."""
    if not witness.has_cosigned(checkpoint.text, line):
        raise ValueError(f"{witness.name} did not sign that")
    database = store.database.mongo
    await database[CHECKPOINTS].update_one(  # house-rule: the log
        {"_id": checkpoint.size}, {"$addToSet": {"cosignatures": line}}
    )
    await keep_size(store, witness, checkpoint.size)


async def keep_size(store: Store, witness: Witness, size: int) -> None:
    """Remember what the witness says it holds."""
    await store.database.mongo[WITNESSES].update_one(  # house-rule: the log
        {"_id": witness.name}, {"$set": {"size": size}}, upsert=True
    )
