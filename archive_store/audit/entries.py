"""Entries as stored: loading those of several subjects in their order, opening them, and what is told by each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import NoneType

from bson import ObjectId
from bson.binary import Binary
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit.chain import entry_hash
from archive_store.audit.documents import ENTRIES
from archive_store.foundation.database import Row
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store

_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("subject_type", "actor_name", "operation", "kind"), (str,)),
    **{"subject_id": (ObjectId,), "actor_id": (ObjectId, NoneType), "at": (datetime,)},
    **{"actor_posts": (list,), "sealed": (Binary,)},
}
_PARTS = ("subject_id", "sequence", "at", "kind", "sealed")


async def entries_of(
    store: Store,
    record_type: type[Record],
    ids: Sequence[ObjectId],
    session: AsyncClientSession | None = None,
) -> dict[ObjectId, list[Row]]:
    """All entries of each subject in one query, still sealed; {} of who has none."""
    query = {"subject_type": record_type.subject_type, "subject_id": {"$in": list(ids)}}
    found = store.database.mongo[ENTRIES].find(query, dict.fromkeys(_PARTS, 1), session=session)
    entries: dict[ObjectId, list[Row]] = {}
    for row in await found.sort([("subject_id", 1), ("sequence", 1)]).to_list():
        entries.setdefault(row["subject_id"], []).append(row)
    return entries


async def open_entries(store: Store, entries: Sequence[Row]) -> None:
    """Decrypt what they seal, in place and in one batch."""
    await store.cipher.decrypt_paths(entries, ["sealed"])


def is_well_typed(entry: Row) -> bool:
    """Whether each field has the type that it is found or opened by: the hash is alike of a value and of its text."""
    return all(type(entry.get(name, ...)) in types for name, types in _TYPES.items())


def is_genuine(store: Store, entry: Row) -> bool:
    """Whether we wrote the entry as it stands; its place in the chain is for verification to say."""
    if not is_well_typed(entry):
        return False
    written = entry_hash(store.keyring.audit, entry, store.settings.audit_hash)
    return bool(written == entry.get("hash"))


def log_index_of(entry: Row) -> int | None:
    """Its place in the log; None until it has one, and of an entry that was refused."""
    index = entry.get("log_index")
    return index if isinstance(index, int) and not isinstance(index, bool) else None
