"""Reading the history of one subject, each value redacted by the class of the field it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from archive_store.audit.documents import ENTRIES
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths, leaves_of
from archive_store.foundation.paging import Page
from archive_store.foundation.records import Record, plain_value
from archive_store.foundation.store import Store


@dataclass(frozen=True, slots=True)
class HistoryChange:
    """Stored values before and after; both None where `withheld`."""

    field: str
    before: Any
    after: Any
    withheld: bool
    leaves: tuple[str, ...]  # of the field


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Who did what when and why. `hash` is the entry's link in the chain, 64 hex digits.

    `reason_leaves` are what the reason may speak of, where it is shown.
    """

    id: ObjectId
    sequence: int
    at: datetime
    actor_name: str
    actor_posts: tuple[str, ...]
    operation: str
    kind: str
    changes: tuple[HistoryChange, ...]
    reason: str | None
    change_request_id: ObjectId | None
    effective_from: str | None  # ISO day from which the changes hold, where one was named
    hash: str
    reason_leaves: frozenset[str] = frozenset()


async def histories_of(
    store: Store,
    record_type: type[Record],
    readable: Mapping[ObjectId, frozenset[str]],
    *,
    first: int,
    after: int | None = None,
) -> dict[ObjectId, Page[HistoryEntry]]:
    """A page of entries for each subject in one query, newest first.

    `readable` says for each subject which of its paths may be read; `after` is the sequence number that the last
    page ended with.
    """
    query: Row = {"subject_type": record_type.subject_type, "subject_id": {"$in": list(readable)}}
    if after is not None:
        query["sequence"] = {"$lt": after}
    newest = {"$topN": {"n": first + 1, "sortBy": {"sequence": -1}, "output": "$$ROOT"}}
    steps: list[Row] = [{"$match": query}, {"$group": {"_id": "$subject_id", "entries": newest}}]
    cursor = await store.database.mongo[ENTRIES].aggregate(steps)
    groups = {group["_id"]: group["entries"] for group in await cursor.to_list()}
    await store.cipher.decrypt_paths([row for rows in groups.values() for row in rows[:first]], ["sealed"])
    return {
        key: Page([_entry(row, record_type, paths) for row in rows[:first]], len(rows) > first)
        for key, paths in readable.items()
        for rows in [groups.get(key, [])]
    }


def _entry(row: Row, record_type: type[Record], readable: frozenset[str]) -> HistoryEntry:
    sealed = row["sealed"]
    changes = tuple(_change(change, record_type, readable) for change in sealed["changes"])
    # Free text can hold anything, so it is as sensitive as the most sensitive field it may speak of.
    touched = frozenset(leaf for name in sealed["touched"] for leaf in leaves_of(record_type, name))
    shows_reason = not any(change.withheld for change in changes) and touched <= readable
    if not changes and not sealed["touched"]:
        shows_reason = encrypted_paths(record_type) <= readable
    return HistoryEntry(
        id=row["_id"],
        sequence=row["sequence"],
        at=row["at"],
        actor_name=row["actor_name"],
        actor_posts=tuple(row["actor_posts"]),
        operation=row["operation"],
        kind=row["kind"],
        changes=changes,
        reason=sealed["reason"] if shows_reason else None,
        change_request_id=sealed["change_request"],
        effective_from=sealed.get("effective_from"),
        hash=bytes(row["hash"]).hex(),
        reason_leaves=touched if shows_reason and sealed["reason"] else frozenset(),
    )


def _change(change: Row, record_type: type[Record], readable: frozenset[str]) -> HistoryChange:
    leaves = leaves_of(record_type, change["field"])
    may_read = bool(leaves) and readable.issuperset(leaves)
    return HistoryChange(
        change["field"],
        plain_value(change["before"]) if may_read else None,
        plain_value(change["after"]) if may_read else None,
        withheld=not may_read,
        leaves=tuple(leaves),
    )
