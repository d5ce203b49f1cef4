"""Entries of the audit history as a viewer may see them, each value redacted by the class of the field it speaks of.

What a viewer may read of a subject is told by its room, as `SubjectRights`; here it is applied to stored rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.documents import ENTRIES
from archive_store.audit.entries import log_index_of, open_entries
from archive_store.audit.readings import ReadRows
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths, leaves_of
from archive_store.foundation.paging import Page
from archive_store.foundation.records import Record, plain_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject

# The path of a free text that speaks of no leaf in particular. It is sensitive (F3), whoever wrote it.
TEXT = "reason"
# The paths that the reason of an opened entry may speak of; None where nobody reads it here.
Texts = Callable[[type[Record], Row], frozenset[str] | None]


def texts_by_field(record_type: type[Record], row: Row) -> frozenset[str]:
    """All leaves that the entry touches, else all that are sensitive."""
    sealed = row["sealed"]
    fields = {change["field"] for change in sealed["changes"]} | set(sealed["touched"])
    leaves = frozenset(leaf for field in fields for leaf in leaves_of(record_type, field))
    return leaves or encrypted_paths(record_type) or frozenset({TEXT})


def _no_grants(paths: frozenset[str]) -> frozenset[ObjectId]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class TextRead:
    """What is recorded where a free text is shown that speaks of another record: of which type, and which leaves."""

    record_type: type[Record]
    rows: ReadRows


@dataclass(frozen=True, slots=True)
class SubjectRights:
    """What a viewer may read of one subject's history.

    `readable` are paths of its type, `TEXT` among them where a free text of no leaf in particular may be read.
    `grants_for` are the retrieval grants without which paths could not be read, `own` are sensitive paths that the
    viewer knows anyway and `purpose` stands in for one that they need not state.
    """

    readable: frozenset[str]
    texts: Texts = texts_by_field
    grants_for: Callable[[frozenset[str]], frozenset[ObjectId]] = _no_grants
    own: frozenset[str] = frozenset()
    purpose: str | None = None
    text_read: TextRead | None = None


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

    `actor_id` is told to auditors alone. `log_index` is its place in the log, None until it has one. `told` are the
    paths that a reason shown may speak of.
    """

    id: ObjectId
    subject: Subject
    sequence: int
    log_index: int | None
    at: datetime
    actor_id: ObjectId | None
    actor_name: str
    actor_posts: tuple[str, ...]
    operation: str
    kind: str
    changes: tuple[HistoryChange, ...]
    reason: str | None
    change_request_id: ObjectId | None
    effective_from: str | None  # ISO day from which the changes hold, where one was named
    hash: str
    told: frozenset[str]

    @property
    def shown(self) -> frozenset[str]:
        """The paths whose values it shows, or may tell."""
        return self.told.union(*(change.leaves for change in self.changes if not change.withheld))


async def histories_of(
    store: Store,
    viewer: Viewer,
    record_type: type[Record],
    rights: Mapping[ObjectId, SubjectRights],
    *,
    first: int,
    after: int | None = None,
) -> dict[ObjectId, Page[HistoryEntry]]:
    """A page of entries for each subject in one query, newest first.

    `after` is the sequence number that the last page ended with.
    """
    query: Row = {"subject_type": record_type.subject_type, "subject_id": {"$in": list(rights)}}
    if after is not None:
        query["sequence"] = {"$lt": after}
    newest = {"$topN": {"n": first + 1, "sortBy": {"sequence": -1}, "output": "$$ROOT"}}
    steps: list[Row] = [{"$match": query}, {"$group": {"_id": "$subject_id", "entries": newest}}]
    cursor = await store.database.mongo[ENTRIES].aggregate(steps)
    groups = {group["_id"]: group["entries"] for group in await cursor.to_list()}
    await open_entries(store, [row for rows in groups.values() for row in rows[:first]])
    return {
        key: Page([entry_of(row, viewer, record_type, held) for row in rows[:first]], len(rows) > first)
        for key, held in rights.items()
        for rows in [groups.get(key, [])]
    }


def entry_of(row: Row, viewer: Viewer, record_type: type[Record], rights: SubjectRights) -> HistoryEntry:
    """An opened row as far as it may be read."""
    sealed = row["sealed"]
    changes = tuple(_change(change, record_type, rights.readable) for change in sealed["changes"])
    # Free text can hold anything, so it is as sensitive as the most sensitive field it may speak of.
    told = rights.texts(record_type, row)
    shows_reason = told is not None and told <= rights.readable and not any(c.withheld for c in changes)
    reason = sealed["reason"] if shows_reason else None
    return HistoryEntry(
        id=row["_id"],
        subject=Subject(row["subject_type"], row["subject_id"]),
        sequence=row["sequence"],
        log_index=log_index_of(row),
        at=row["at"],
        actor_id=row["actor_id"] if viewer.audits else None,
        actor_name=row["actor_name"],
        actor_posts=tuple(row["actor_posts"]),
        operation=row["operation"],
        kind=row["kind"],
        changes=changes,
        reason=reason,
        change_request_id=sealed["change_request"],
        effective_from=sealed.get("effective_from"),
        hash=bytes(row["hash"]).hex(),
        told=(told or frozenset()) if reason else frozenset(),
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
