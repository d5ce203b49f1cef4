"""The audit log as stored: its tree, its newest checkpoint, and proofs from its tiles. FORMAT.md has the shapes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit import merkle
from archive_store.audit.documents import CHECKPOINTS, LOG, TILES
from archive_store.audit.merkle import Span, TileKey, TreeHash
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.signed_notes import CheckpointKey
from archive_store.foundation.store import Store

LOG_ID = "log"
_SM3_LINE = "hash SM3\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was signed of the log at one size (存证点). `root` has 32 bytes.

    `note` is the C2SP checkpoint, signatures of witnesses included; `text` is what they sign.
    """

    origin: str
    size: int
    root: bytes
    note: str
    at: datetime

    @property
    def text(self) -> str:
        return self.note.rpartition("\n\n")[0] + "\n"


class ForgedLogError(Exception):
    """The stored log does not agree with itself: nothing is signed on top of it."""


def tree_hash(store: Store) -> TreeHash:
    return TreeHash(store.settings.audit_hash)


def checkpoint_key(store: Store) -> CheckpointKey:
    """LookupError in a keyring that has none."""
    key = store.keyring.checkpoint
    if key is None:
        raise LookupError(
            "the keyring has no checkpoint key: `registrar keyring rotate-checkpoint-key` makes one"
        )
    return key


def checkpoint_text(origin: str, size: int, root: bytes, hash_name: str) -> str:
    """The text of a C2SP tlog-checkpoint; with SM3 it says so in an extension line."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return text + _SM3_LINE if hash_name == "sm3" else text


async def log_size(store: Store, session: AsyncClientSession | None = None) -> int:
    """How many entries are in the log. ForgedLogError where it is another log than ours."""
    row = await store.database.mongo[LOG].find_one({"_id": LOG_ID}, session=session)
    if row is None:
        if await store.database.mongo[CHECKPOINTS].find_one({}, {"_id": 1}, session=session):
            raise ForgedLogError("there are checkpoints of a log that is gone")
        return 0
    ours = {"origin": checkpoint_key(store).origin, "hash_name": store.settings.audit_hash}
    if other := [name for name, value in ours.items() if row.get(name) != value]:
        raise ForgedLogError(f"the log began with another {' and '.join(other)}")
    size = row.get("size")
    if not isinstance(size, int) or size < 1:
        raise ForgedLogError("the size of the log is no number")
    return int(size)


async def load_tiles(
    store: Store, keys: Iterable[TileKey], session: AsyncClientSession | None = None
) -> dict[TileKey, bytes]:
    """The tiles of these that are stored."""
    ids = {tile_id(key): key for key in keys}
    if not ids:
        return {}
    found = store.database.mongo[TILES].find({"_id": {"$in": list(ids)}}, session=session)
    return {ids[row["_id"]]: bytes(row["hashes"]) async for row in found}


def tile_id(key: TileKey) -> str:
    return f"{key.level}/{key.number}"


async def newest_checkpoint(store: Store) -> Checkpoint | None:
    """None before the first entry is in the log."""
    rows = await store.database.mongo[CHECKPOINTS].find().sort("_id", -1).limit(1).to_list()
    return _checkpoint(store, rows[0]) if rows else None


async def checkpoint_covering(store: Store, size: int) -> Checkpoint | None:
    """The oldest checkpoint of at least this many entries."""
    found = store.database.mongo[CHECKPOINTS].find({"_id": {"$gte": size}}).sort("_id", 1).limit(1)
    rows = await found.to_list()
    return _checkpoint(store, rows[0]) if rows else None


def _checkpoint(store: Store, row: Row) -> Checkpoint:
    note = row["note"] + "".join(f"{line}\n" for line in row.get("cosignatures", ()))
    return Checkpoint(checkpoint_key(store).origin, row["_id"], bytes(row["root"]), note, row["at"])


async def span_hashes(
    store: Store, spans: Sequence[Span], session: AsyncClientSession | None = None
) -> list[bytes]:
    """The hash of each span. ForgedLogError where a tile is missing or cut short."""
    tiles = await load_tiles(store, merkle.tiles_for(spans), session)
    tree = tree_hash(store)
    try:
        return [merkle.span_hash(tree, tiles, span) for span in spans]
    except (KeyError, ValueError) as error:
        raise ForgedLogError(f"the tiles of the log are not whole: {error}") from error


async def inclusion_proof(store: Store, index: int, size: int) -> list[bytes]:
    """The audit path (RFC 6962 §2.1.1) of the entry at `index` in the first `size` entries, from the leaf up.

    INVALID_QUERY where the log has no such entry or size.
    """
    await _require_size(store, size, "treeSize")
    if not 0 <= index < size:
        raise RegistrarError(ErrorCode.INVALID_QUERY, field="logIndex", detail="no entry has that place")
    return await span_hashes(store, merkle.inclusion_spans(index, size))


async def consistency_proof(store: Store, old: int, size: int) -> list[bytes]:
    """The proof (RFC 6962 §2.1.2) that the first `old` entries begin the first `size`. INVALID_QUERY as above."""
    await _require_size(store, size, "to")
    if not 0 <= old <= size:
        raise RegistrarError(ErrorCode.INVALID_QUERY, field="from", detail="it is more than the later size")
    return await span_hashes(store, merkle.consistency_spans(old, size))


async def _require_size(store: Store, size: int, field: str) -> None:
    newest = await newest_checkpoint(store)
    if not 0 < size <= (newest.size if newest else 0):
        raise RegistrarError(ErrorCode.INVALID_QUERY, field=field, detail="no checkpoint covers that size")
