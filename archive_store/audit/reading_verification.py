"""Whether access events say what their audit entries do: the index that readings are found by, against the chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo.errors import EncryptionError

from archive_store.access.retrieval_grants import AccessEvent
from archive_store.audit.documents import ENTRIES
from archive_store.audit.entries import is_genuine
from archive_store.audit.findings import Finding, Flaw
from archive_store.audit.reading_content import repeated_by_event
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store

_AT_ONCE = 500


async def changed_readings(store: Store) -> list[Finding]:
    """A finding for each event that differs from its entry.

    Both are written once, together, so no snapshot is needed. An event without an entry, or whose entry is not
    genuine, is found by the chains; a value that cannot be decrypted since its key is gone is not compared.
    """
    database = store.database
    events = database.whatever_is_stored(database.collection(AccessEvent).name)
    entries = database.whatever_is_stored(ENTRIES)
    changed: list[Finding] = []

    async def compare(rows: Sequence[Row]) -> None:
        keys = [row["_id"] for row in rows]
        query = {"subject_type": AccessEvent.subject_type, "subject_id": {"$in": keys}, "sequence": 1}
        held = {entry["subject_id"]: entry for entry in await entries.find(query).to_list()}
        pairs = [(row, held[row["_id"]]) for row in rows if row["_id"] in held]
        pairs = [(row, entry) for row, entry in pairs if is_genuine(store, entry)]
        await _open(store, [entry for _, entry in pairs], "sealed")
        await _open(store, [row for row, _ in pairs], "purpose")
        changed.extend(
            Finding(f"{AccessEvent.subject_type}:{row['_id']}", 1, Flaw.CHANGED_READING)
            for row, entry in pairs
            if isinstance(entry["sealed"], dict) and row != _told_by(entry)
        )

    pending: list[Row] = []
    async for event in events.find().sort("_id", 1):
        pending.append(event)
        if len(pending) == _AT_ONCE:
            await compare(pending)
            pending.clear()
    await compare(pending)
    return changed


def _told_by(entry: Row) -> Row | None:
    """The event as it was written with the entry; None where the entry tells of no reading."""
    content = entry["sealed"].get("reading")
    if content is None:
        return None
    # Not by way of the model, which would check each key of each subject.
    return {
        "_id": entry["subject_id"],
        "revision": 1,
        "created_at": entry["at"],
        "updated_at": entry["at"],
        "viewer_id": entry["actor_id"],
        "viewer_name": entry["actor_name"],
        "viewer_posts": entry["actor_posts"],
        **repeated_by_event(content),
    }


async def _open(store: Store, rows: Sequence[Row], path: str) -> None:
    """Decrypt; a value that is none of ours stays as it is stored, which is what no entry tells."""
    try:
        await store.cipher.decrypt_paths(rows, [path])
    except EncryptionError:
        for row in rows:
            if path in row:
                row[path] = await _opened(store, row[path])


async def _opened(store: Store, value: Any) -> Any:
    try:
        return await store.cipher.decrypt(value)
    except EncryptionError:
        return value
