"""The audit log as stored: its tree, its newest checkpoint, and proofs from its tiles. FORMAT.md has the shapes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit import merkle
from archive_store.audit.chain import leaf_bytes
from archive_store.audit.documents import CHECKPOINTS, ENTRIES, LOG, TILES
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


class NoCheckpointKeyError(LookupError):
    """The keyring is of before there were checkpoints."""


class NothingLoggedError(LookupError):
    """No checkpoint has been signed yet."""


class OtherLogError(Exception):
    """The settings or the keyring are of another installation than the database."""


def tree_hash(store: Store) -> TreeHash:
    return TreeHash(store.settings.audit_hash)


def checkpoint_key(store: Store) -> CheckpointKey:
    """NoCheckpointKeyError in a keyring that has none."""
    key = store.keyring.checkpoint
    if key is None:
        raise NoCheckpointKeyError(
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
    if other := _differing(store, row):
        raise ForgedLogError(f"the log began with another {other}")
    size = row.get("size")
    if not isinstance(size, int) or size < 1:
        raise ForgedLogError("the size of the log is no number")
    return int(size)


async def require_log_of_settings(store: Store) -> None:
    """OtherLogError at the start, before anything is written that the log could not take."""
    row = await store.database.mongo[LOG].find_one({"_id": LOG_ID})
    if row is not None and (other := _differing(store, row)):
        raise OtherLogError(f"the audit log of this database began with another {other} than is set")


def _differing(store: Store, row: Row) -> str:
    ours = {"origin": checkpoint_key(store).origin, "hash_name": store.settings.audit_hash}
    return " and ".join(name for name, value in ours.items() if row.get(name) != value)


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


async def checkpoint_of(store: Store, size: int) -> Checkpoint | None:
    """The checkpoint over exactly so many entries; None where none was signed."""
    row = await store.database.mongo[CHECKPOINTS].find_one({"_id": size})
    return _checkpoint(store, row) if row else None


def _checkpoint(store: Store, row: Row) -> Checkpoint:
    note = row["note"] + "".join(f"{line}\n" for line in row.get("cosignatures", ()))
    return Checkpoint(checkpoint_key(store).origin, row["_id"], bytes(row["root"]), note, row["at"])


async def span_hashes(
    store: Store, spans: Sequence[Span], session: AsyncClientSession | None = None
) -> list[bytes]:
    """The hash of each span. ForgedLogError where a tile is missing or cut short."""
    tiles = await load_tiles(store, merkle.tiles_for(spans), session)
    tree = tree_hash(store)
    # Proofs of entries beside each other have most spans in common.
    hashes = {span: span_hash(tree, tiles, span) for span in dict.fromkeys(spans)}
    return [hashes[span] for span in spans]


def span_hash(tree: TreeHash, tiles: Mapping[TileKey, bytes], span: Span) -> bytes:
    """The hash of a span by stored tiles. ForgedLogError where one is missing or cut short."""
    try:
        return merkle.span_hash(tree, tiles, span)
    except (KeyError, ValueError) as error:
        raise ForgedLogError(f"the tiles of the log are not whole: {error}") from error


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The audit path (RFC 6962 §2.1.1) of the entry at `index` in the checkpoint's tree, from the leaf up.

    `leaf_hash` and each of `hashes` have 32 bytes.
    """

    index: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint

    @property
    def text(self) -> str:
        """As C2SP tlog-proof writes it."""
        path = "".join(f"{base64.b64encode(hashed).decode()}\n" for hashed in self.hashes)
        return f"c2sp.org/tlog-proof@v1\nindex {self.index}\n{path}\n{self.checkpoint.note}"


async def inclusion_proofs(
    store: Store, indexes: Sequence[int], size: int | None = None
) -> list[InclusionProof]:
    """Proofs in the order of the indexes, under the checkpoint of that size, else the newest; few queries for all.

    NOT_FOUND where there is no such checkpoint, or it covers no such entry.
    """
    checkpoint = await _require_checkpoint(store, size, "treeSize")
    if not all(0 <= index < checkpoint.size for index in indexes):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="logIndex")
    paths = [[Span(index, index + 1), *merkle.inclusion_spans(index, checkpoint.size)] for index in indexes]
    hashes = iter(await span_hashes(store, [span for path in paths for span in path]))
    return [
        InclusionProof(index, next(hashes), tuple(next(hashes) for _ in path[1:]), checkpoint)
        for index, path in zip(indexes, paths, strict=True)
    ]


async def leaves_at(store: Store, indexes: Sequence[int]) -> dict[int, bytes]:
    """The canonical bytes of the entries at these places, values encrypted: what `leaf_hash` is the hash of."""
    found = store.database.mongo[ENTRIES].find({"log_index": {"$in": list(indexes), "$type": "number"}})
    return {row["log_index"]: leaf_bytes(row) async for row in found}


async def root_of(store: Store, size: int, session: AsyncClientSession | None = None) -> bytes:
    """The root of the first `size` entries, of no more than there are."""
    (root,) = await span_hashes(store, [Span(0, size)], session)
    return root


async def consistency_proof(store: Store, old: int, size: int) -> list[bytes]:
    """The proof (RFC 6962 §2.1.2) that the first `old` entries begin the first `size`, hashes of 32 bytes.

    NOT_FOUND where the log has not so many.
    """
    newest = await _require_checkpoint(store, None, "toSize")
    if not 0 < size <= newest.size:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="toSize")
    if not 0 <= old <= size:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="fromSize")
    return await span_hashes(store, merkle.consistency_spans(old, size))


async def _require_checkpoint(store: Store, size: int | None, field: str) -> Checkpoint:
    found = await (newest_checkpoint(store) if size is None else checkpoint_of(store, size))
    if found is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
    return found
