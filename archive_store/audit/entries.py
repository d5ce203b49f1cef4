"""Entries of several subjects in their order, as stored: for what is told from a whole history."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit.documents import ENTRIES
from archive_store.foundation.database import Row
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store

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
