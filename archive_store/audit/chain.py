"""Canonical encoding and hashing of audit entries, pure. FORMAT.md beside this file says the bytes.

Each subject has its own chain, so no document is shared by unrelated changes. The hash is keyed: who can
write to the database but has no keyring cannot forge an entry.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

FIRST_PREVIOUS_HASH = b"\0" * 32
HASHED_FIELDS = (
    "subject_type",
    "subject_id",
    "sequence",
    "at",
    "actor_id",
    "actor_name",
    "actor_posts",
    "operation",
    "kind",
    "sealed",
    "previous_hash",
)
LEAF_FIELDS = (*HASHED_FIELDS, "hash")
_PLAIN = frozenset({str, int, type(None)})


def entry_hash(key: bytes, entry: Mapping[str, Any], hash_name: str) -> bytes:
    """HMAC over the entry, 32 bytes; it covers the hash before it. `hash_name` is `sha256` or `sm3`."""
    return hmac.digest(key, b"entry\0" + _canonical(entry, HASHED_FIELDS), hash_name)


def leaf_bytes(entry: Mapping[str, Any]) -> bytes:
    """The entry as the log has it: JSON with sorted keys and no blanks over exactly `LEAF_FIELDS`."""
    return _canonical(entry, LEAF_FIELDS)


def head_seal(key: bytes, subject: str, sequence: int, last_hash: bytes, hash_name: str) -> bytes:
    """Seal of a chain's end, so that entries cut off the end are missed; 32 bytes."""
    return hmac.digest(key, f"head\0{subject}\0{sequence}\0".encode() + last_hash, hash_name)


def _canonical(entry: Mapping[str, Any], names: tuple[str, ...]) -> bytes:
    return orjson.dumps({name: _plain(entry.get(name)) for name in names}, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    # By far the most, and there are many.
    if type(value) in _PLAIN:
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int)) else str(value)
