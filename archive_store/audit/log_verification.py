"""Verification of the stored log: entries against tiles of leaves, the tree over those, checkpoints over the tree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection

from archive_store.audit import merkle
from archive_store.audit.chain import leaf_bytes
from archive_store.audit.documents import CHECKPOINTS, TILES
from archive_store.audit.findings import Finding, Flaw, finding_over
from archive_store.audit.log import (
    ForgedLogError,
    checkpoint_key,
    checkpoint_text,
    log_size,
    tile_id,
    tree_hash,
)
from archive_store.audit.merkle import HASH_BYTES, TILE_WIDTH, Span, TileKey
from archive_store.audit.remembered import Signed
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store

LOG = "log"  # the subject of a finding that no entry can be named for
# The log has passed an entry by that waits so long, or is so much older than the newest checkpoint.
SEQUENCED_WITHIN = timedelta(minutes=5)
_NO_HASH = bytes(HASH_BYTES)


async def verify_log(
    store: Store, entries: AsyncCollection[Row], signed: Signed | None, session: AsyncClientSession
) -> AsyncIterator[Finding]:
    """FORGED_LOG where entries, tiles and checkpoints do not agree; UNLOGGED for an entry that the log passed by.

    `signed` is what was recalled before the session's snapshot was taken. A finding without an entry has the subject
    `log` and a place in the log, from 0, or the size of a checkpoint.
    """
    checkpoints = store.database.whatever_is_stored(CHECKPOINTS)
    newest = await checkpoints.find(session=session).sort("_id", -1).limit(1).to_list()
    passed = max(newest[0]["at"], store.clock.now()) if newest and _is_time(newest[0].get("at")) else None
    async for row in entries.find({"log_index": {"$not": {"$type": "number"}}}, session=session):
        if row.get("log_index") is not None or _was_passed_by(row.get("at"), passed):
            yield _of_entry(row, Flaw.UNLOGGED)
    try:
        size = await log_size(store, session)
    except ForgedLogError:
        yield Finding(LOG, 0, Flaw.FORGED_LOG)
        return
    if signed is not None and size < signed[0]:
        yield Finding(LOG, size, Flaw.FORGED_LOG)
    log = _StoredLog(store, size, session)
    rows = entries.find({"log_index": {"$type": "number"}}, session=session).sort("log_index", 1)
    expected = 0
    async for row in rows:
        index = row["log_index"]
        # A number of another kind, or a list that holds one, is no place.
        if not isinstance(index, int) or index < expected or index >= size:
            yield _of_entry(row, Flaw.FORGED_LOG)
            continue
        if index > expected:
            yield finding_over(LOG, Flaw.FORGED_LOG, expected, index - 1)
        if log.tree.leaf(leaf_bytes(row)) != await log.told(index):
            yield _of_entry(row, Flaw.FORGED_LOG)
        expected = index + 1
    if expected < size:
        yield finding_over(LOG, Flaw.FORGED_LOG, expected, size - 1)
    async for finding in log.verify_tree(signed):
        yield finding


class _StoredLog:
    """Tiles and checkpoints of the log. `told` is asked in order, so one tile is held at a time."""

    def __init__(self, store: Store, size: int, session: AsyncClientSession) -> None:
        self.tree = tree_hash(store)
        self._store, self._size, self._session = store, size, session
        self._tile: tuple[int, bytes] = (-1, b"")

    async def told(self, index: int) -> bytes:
        """The hash that the tiles have for the leaf at this place."""
        number, place = divmod(index, TILE_WIDTH)
        if self._tile[0] != number:
            self._tile = (number, await self._load(TileKey(0, number)))
        return self._tile[1][place * HASH_BYTES : (place + 1) * HASH_BYTES]

    async def _load(self, key: TileKey) -> bytes:
        found = await self._store.database.mongo[TILES].find_one({"_id": tile_id(key)}, session=self._session)
        hashes = found.get("hashes") if found else b""
        return bytes(hashes) if isinstance(hashes, bytes) else b""

    async def verify_tree(self, signed: Signed | None) -> AsyncIterator[Finding]:
        """The tiles above, each checkpoint and what was `signed` here last, against the tree over the leaves' tiles."""
        # In the order of the log, so that no more than one is held; what is no size comes before or after the numbers.
        stored = self._store.database.whatever_is_stored(CHECKPOINTS)
        found = stored.find(session=self._session).sort("_id", 1)
        checkpoint = await anext(found, None)
        edge: dict[TileKey, bytes] = {}
        wrong: list[int] = []
        last = 0  # checkpoint there is
        for first in range(0, self._size, TILE_WIDTH):
            for index in range(first, min(first + TILE_WIDTH, self._size)):
                hashed = await self.told(index)
                merkle.append(self.tree, edge, index, [hashed if len(hashed) == HASH_BYTES else _NO_HASH])
                if signed is not None and signed[0] == index + 1 and self._root(edge, index + 1) != signed[1]:
                    wrong.append(index + 1)
                while checkpoint is not None and not _is_above(checkpoint["_id"], index + 1):
                    if not _is_size(checkpoint["_id"], index + 1):
                        yield _of_no_size(checkpoint)
                    else:
                        last = index + 1
                        if not self._is_signed(checkpoint, edge):
                            wrong.append(last)
                    checkpoint = await anext(found, None)
            for key in [key for key, hashes in edge.items() if len(hashes) == TILE_WIDTH * HASH_BYTES]:
                if edge.pop(key) != await self._load(key):
                    yield Finding(LOG, first, Flaw.FORGED_LOG)
        for key, hashes in edge.items():
            if hashes != await self._load(key):
                yield Finding(LOG, self._size - 1, Flaw.FORGED_LOG)
        if last != self._size:
            yield Finding(LOG, self._size, Flaw.FORGED_LOG)
        # Everything after a flaw is signed otherwise: one finding.
        if wrong:
            yield finding_over(LOG, Flaw.FORGED_LOG, wrong[0], wrong[-1])
        while checkpoint is not None:
            yield _of_no_size(checkpoint)
            checkpoint = await anext(found, None)

    def _root(self, edge: dict[TileKey, bytes], size: int) -> bytes:
        return merkle.span_hash(self.tree, edge, Span(0, size))

    def _is_signed(self, checkpoint: Row, edge: dict[TileKey, bytes]) -> bool:
        size, key = checkpoint["_id"], checkpoint_key(self._store)
        root = self._root(edge, size)
        text = checkpoint_text(key.origin, size, root, self.tree.hash_name)
        return checkpoint.get("root") == root and key.has_signed(text, checkpoint.get("note"))


def _is_above(told: Any, size: int) -> bool:
    return isinstance(told, (int, float)) and told > size


def _is_size(told: Any, size: int) -> bool:
    return isinstance(told, int) and not isinstance(told, bool) and told == size


def _of_no_size(checkpoint: Row) -> Finding:
    told = checkpoint["_id"]
    return Finding(LOG, told if isinstance(told, int) else 0, Flaw.FORGED_LOG)


def _was_passed_by(at: Any, newest: Any) -> bool:
    return isinstance(at, datetime) and newest is not None and at < newest - SEQUENCED_WITHIN


def _is_time(told: Any) -> bool:
    return isinstance(told, datetime)


def _of_entry(row: Row, flaw: Flaw) -> Finding:
    sequence = row.get("sequence")
    number = sequence if isinstance(sequence, int) else 0
    return Finding(f"{row.get('subject_type')}:{row.get('subject_id')}", number, flaw)
