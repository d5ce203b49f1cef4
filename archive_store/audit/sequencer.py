"""The sequencer: gives committed entries their places in the log, and signs a checkpoint over each batch.

One runs at a time, by a lease; that two do is harmless, since a batch commits only on the size that it began from.
All that it goes on from is in the database, so another takes over wherever one was killed; what is remembered outside
only keeps it from signing another history.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from bson import ObjectId
from bson.binary import Binary
from pymongo import ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from archive_store.audit import merkle
from archive_store.audit.chain import leaf_bytes
from archive_store.audit.documents import CHECKPOINTS, ENTRIES, LOG, TILES
from archive_store.audit.entries import is_genuine
from archive_store.audit.log import (
    LOG_ID,
    ForgedLogError,
    checkpoint_key,
    checkpoint_text,
    load_tiles,
    log_size,
    span_hash,
    tile_id,
    tree_hash,
)
from archive_store.audit.merkle import Span
from archive_store.audit.remembered import recall, remember, require_continued
from archive_store.foundation.database import Row
from archive_store.foundation.leases import LEASES
from archive_store.foundation.store import Store

REFUSED = "refused"
SESSION_ID = "audit-sequencer-session"
BATCH = 500
# A round ends then, so that the lease can be renewed; what is left waits for the next.
ROUND_SECONDS = 2.0

log = structlog.get_logger("registrar.sequencer")
_Place = tuple[Any, Any, Any]  # subject type, subject id, sequence


@dataclass(frozen=True, slots=True)
class Sequenced:
    """What a round did. `oldest_at` is when the oldest entry that it gave a place was written."""

    entries: int = 0
    refused: int = 0
    size: int = 0
    root: bytes = b""
    oldest_at: datetime | None = None
    waiting: int = 0

    def after(self, batch: Sequenced) -> Sequenced:
        oldest = min((at for at in (self.oldest_at, batch.oldest_at) if at is not None), default=None)
        return replace(
            batch,
            entries=self.entries + batch.entries,
            refused=self.refused + batch.refused,
            oldest_at=oldest,
        )


async def sequence_entries(store: Store, *, batch: int = BATCH, seconds: float = ROUND_SECONDS) -> Sequenced:
    """Give places until no entry waits or the time is over. ForgedLogError, and nothing signed, on a forged log."""
    until, done = time.monotonic() + seconds, Sequenced()
    await _sign_after_rotation(store)
    if not await _anything_waits(store):
        return done

    async def attempt(session: AsyncClientSession) -> Sequenced:
        return await _sequence_batch(store, session, batch)

    async with store.database.client.start_session() as session:
        await _take_over(store, session)
        try:
            while True:
                one = await store.database.transaction_of(session, attempt)
                done = done.after(one)
                if one.entries:
                    await remember(store, one.size, one.root)
                is_over = one.entries + one.refused == 0 or time.monotonic() > until
                if is_over or not await _anything_waits(store):
                    return replace(done, waiting=await _count_waiting(store))
        finally:
            # Before the driver gives the session to whatever this process does next: that is not to be killed.
            with suppress(PyMongoError):
                await _let_go(store, session)


async def _take_over(store: Store, session: AsyncClientSession) -> None:
    """End the transaction that another sequencer left open: the server would keep its locks for a minute."""
    ours = session.session_id["id"]
    before = await store.database.mongo[LEASES].find_one_and_update(  # house-rule: a lease is no record
        {"_id": SESSION_ID}, {"$set": {"session": ours}}, upsert=True
    )
    held = None if before is None else before.get("session")
    if held not in (None, ours):
        await store.database.kill_session(held)


async def _let_go(store: Store, session: AsyncClientSession) -> None:
    """No transaction is open in the session any more."""
    ours = session.session_id["id"]
    await store.database.mongo[LEASES].update_one(  # house-rule: a lease is no record
        {"_id": SESSION_ID, "session": ours}, {"$set": {"session": None}}
    )


def _entries(store: Store) -> AsyncCollection[Row]:
    """What is no entry must be refused, not end the sequencer."""
    return store.database.whatever_is_stored(ENTRIES)


async def _anything_waits(store: Store) -> bool:
    row = await _entries(store).find_one({"log_index": None}, {"_id": 1})
    return row is not None


async def _count_waiting(store: Store) -> int:
    return await _entries(store).count_documents({"log_index": None})


async def _sequence_batch(store: Store, session: AsyncClientSession, limit: int) -> Sequenced:
    signed = await recall(store)
    size = await log_size(store, session)
    tiles = await load_tiles(store, merkle.tiles_at_the_edge(size), session)
    tree = tree_hash(store)
    await _require_signed(store, session, size, tiles)
    await require_continued(store, size, signed, session)
    waiting = await _entries(store).find({"log_index": None}, session=session).limit(limit).to_list()
    refused = [row for row in waiting if not is_genuine(store, row)]
    taken = await _in_order(store, session, waiting, {row["_id"] for row in refused})
    if refused:
        log.error(
            "audit_entries_refused", entries=[str(row["_id"]) for row in refused[:20]], count=len(refused)
        )
    await _give_places(store, session, [row["_id"] for row in refused], REFUSED)
    order = [row["_id"] for row in taken]
    await _give_places(store, session, order, {"$add": [size, {"$indexOfArray": [order, "$_id"]}]})
    root = b""
    if taken:
        changed = merkle.append(tree, tiles, size, [tree.leaf(leaf_bytes(row)) for row in taken])
        root = span_hash(tree, tiles, Span(0, size + len(taken)))
        await _write(store, session, size, len(taken), {at: tiles[at] for at in changed}, root)
    return Sequenced(
        entries=len(taken),
        refused=len(refused),
        size=size + len(taken),
        root=root,
        oldest_at=min((row["at"] for row in taken), default=None),
    )


async def _give_places(store: Store, session: AsyncClientSession, ids: list[ObjectId], place: Any) -> None:
    """One update for all of a batch: an update each takes several times as long."""
    if not ids:
        return
    waiting = {"_id": {"$in": ids}, "log_index": None}
    given = await _entries(store).update_many(  # house-rule: the log
        waiting, [{"$set": {"log_index": place}}], session=session
    )
    if given.modified_count != len(ids):
        raise ForgedLogError("an entry got its place from elsewhere")


async def _require_signed(
    store: Store, session: AsyncClientSession, size: int, tiles: Mapping[merkle.TileKey, bytes]
) -> None:
    """That what the log is now is what was signed last: an edge edited in the database would be signed else."""
    checkpoints = store.database.whatever_is_stored(CHECKPOINTS)
    rows = await checkpoints.find(session=session).sort("_id", -1).limit(1).to_list()
    if not rows and not size:
        return
    key, hash_name = checkpoint_key(store), store.settings.audit_hash
    root = span_hash(tree_hash(store), tiles, Span(0, size))
    text = checkpoint_text(key.origin, size, root, hash_name)
    if not rows or rows[0]["_id"] != size or not key.has_signed(text, rows[0].get("note")):
        raise ForgedLogError("the tiles of the log are not those that the newest checkpoint was signed over")


async def _sign_after_rotation(store: Store) -> None:
    """Sign the newest checkpoint by the new key, so that it is trusted while nothing is written."""
    key = checkpoint_key(store)
    if not key.successions:  # the first key has none to sign after
        return
    checkpoints = store.database.whatever_is_stored(CHECKPOINTS)
    for row in await checkpoints.find().sort("_id", -1).limit(1).to_list():
        text, _, _ = str(row.get("note")).partition("\n\n")
        if key.has_signed(f"{text}\n", row.get("note")) and key.sign(f"{text}\n") != row["note"]:
            await checkpoints.update_one(  # house-rule: the log
                {"_id": row["_id"], "note": row["note"]}, {"$set": {"note": key.sign(f"{text}\n")}}
            )


async def _in_order(
    store: Store, session: AsyncClientSession, waiting: Sequence[Row], refused: set[ObjectId]
) -> list[Row]:
    """The entries to take, each after the one before it of its subject; one whose turn has not come waits.

    Where there is no entry before, or no genuine one, it is taken all the same: that gap is evidence.
    """
    genuine = {_place(row): row for row in waiting if row["_id"] not in refused}
    wanted = {_place_before(place) for place in genuine if place[2] > 1} - genuine.keys()
    stored = await _log_indexes(store, session, wanted)
    taken: dict[_Place, Row] = {}
    for place, row in genuine.items():
        before = _place_before(place)
        if place[2] > 1 and before not in taken:
            if before in genuine or stored.get(before, REFUSED) is None:
                continue
            if not isinstance(stored.get(before), int):
                log.error("audit_entry_follows_a_gap", subject=f"{place[0]}:{place[1]}", sequence=place[2])
        taken[place] = row
    return list(taken.values())


def _place(row: Row) -> _Place:
    return row["subject_type"], row["subject_id"], row["sequence"]


def _place_before(place: _Place) -> _Place:
    return place[0], place[1], place[2] - 1


async def _log_indexes(store: Store, session: AsyncClientSession, places: set[_Place]) -> dict[_Place, Any]:
    """`log_index` of the stored entries among these."""
    if not places:
        return {}
    named = [dict(zip(("subject_type", "subject_id", "sequence"), place, strict=True)) for place in places]
    shown = {"subject_type": 1, "subject_id": 1, "sequence": 1, "log_index": 1}
    found = _entries(store).find({"$or": named}, shown, session=session)
    return {_place(row): row.get("log_index") async for row in found}


async def _write(
    store: Store,
    session: AsyncClientSession,
    size: int,
    grown_by: int,
    tiles: Mapping[merkle.TileKey, bytes],
    root: bytes,
) -> None:
    database, key, hash_name = store.database.mongo, checkpoint_key(store), store.settings.audit_hash
    new_size = size + grown_by
    replaced = [
        ReplaceOne({"_id": tile_id(at)}, {"hashes": Binary(hashes)}, upsert=True)
        for at, hashes in tiles.items()
    ]
    await database[TILES].bulk_write(replaced, session=session, ordered=False)  # house-rule: the log
    named = {"origin": key.origin, "hash_name": hash_name}
    if size == 0:
        await database[LOG].insert_one(  # house-rule: the log
            {"_id": LOG_ID, "size": new_size, **named}, session=session
        )
    else:
        grown = await database[LOG].update_one(  # house-rule: the log
            {"_id": LOG_ID, "size": size}, {"$set": {"size": new_size}}, session=session
        )
        if grown.matched_count != 1:
            raise ForgedLogError("the log grew from elsewhere")
    note = key.sign(checkpoint_text(key.origin, new_size, root, hash_name))
    await database[CHECKPOINTS].insert_one(  # house-rule: the log
        {"_id": new_size, "root": Binary(root), "note": note, "at": store.clock.now()}, session=session
    )
