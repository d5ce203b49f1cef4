"""The histories of a type's subjects: who may read what of them, pages of entries, and the record of that reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bson import ObjectId

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.audit.queries import (
    TEXT,
    HistoryEntry,
    SubjectRights,
    Texts,
    histories_of,
    texts_by_field,
)
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass, encrypted_paths
from archive_store.foundation.paging import Page, check_page_size
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store

# Of each subject among the ids whose history the viewer may read.
Rights = Callable[[Store, Viewer, Sequence[ObjectId]], Awaitable[Mapping[ObjectId, SubjectRights]]]


def _perhaps(viewer: Viewer) -> bool:
    return True


@dataclass(frozen=True)
class SubjectHistory:
    """The histories of one type. `in_reach` tells without I/O that a viewer cannot read that of any subject."""

    record_type: type[Record]
    rights: Rights
    in_reach: Callable[[Viewer], bool] = _perhaps

    async def pages(
        self, store: Store, viewer: Viewer, ids: Sequence[ObjectId], *, first: int, after: int | None = None
    ) -> list[Page[HistoryEntry] | None]:
        """The audit history of each subject, newest first, in the order of the ids; None where it may not be read."""
        check_page_size(first, store.settings.page_size_limit)
        if not viewer.has_scope(Scope.AUDIT_READ):
            return [None] * len(ids)
        while True:
            rights = await self.rights(store, viewer, ids)
            pages = (
                await histories_of(store, viewer, self.record_type, rights, first=first, after=after)
                if rights
                else {}
            )
            shown = [
                (self.record_type, rights[key], entry) for key, page in pages.items() for entry in page.rows
            ]
            try:
                await record_entries_read(store, viewer, shown)
            except GrantExhaustedError as error:
                viewer = viewer.without_grants(error.grant_ids)
            else:
                return [pages.get(key) for key in ids]


def by_class(
    record_type: type[Record], least: FieldClass = FieldClass.F1, texts: Texts = texts_by_field
) -> SubjectHistory:
    """Of a type that nothing but posts ties to a viewer: for those who read this class of it."""

    async def rights(
        store: Store, viewer: Viewer, ids: Sequence[ObjectId]
    ) -> Mapping[ObjectId, SubjectRights]:
        decision = viewer.decide(record_type)
        if least not in decision.classes:
            return {}
        return dict.fromkeys(ids, SubjectRights(decision.readable | text_of(decision.classes), texts))

    return SubjectHistory(record_type, rights, lambda viewer: least in viewer.decide(record_type).classes)


def of_no_leaf(record_type: type[Record], row: Row) -> frozenset[str]:
    """The paths of a reason that may speak of anything."""
    return frozenset({TEXT})


def text_of(classes: frozenset[FieldClass]) -> frozenset[str]:
    """`TEXT` where these classes open it."""
    return frozenset({TEXT} if FieldClass.F3 in classes else ())


async def record_entries_read(
    store: Store, viewer: Viewer, shown: Iterable[tuple[type[Record], SubjectRights, HistoryEntry]]
) -> None:
    """Record which sensitive and sealed values the entries show, one event for each type and purpose.

    Nothing may be shown if this raises; GrantExhaustedError when a grant has no view left.
    """
    paths: dict[tuple[type[Record], ObjectId], set[str]] = defaultdict(set)
    held: dict[tuple[type[Record], ObjectId], SubjectRights] = {}
    for record_type, rights, entry in shown:
        subject = (record_type, entry.subject.id)
        held[subject] = rights
        paths[subject] |= (entry.shown & (encrypted_paths(record_type) | {TEXT})) - rights.own
    events: dict[tuple[type[Record], str | None], list[ReadRows]] = defaultdict(list)
    for (record_type, key), rights in held.items():
        read = frozenset(paths[record_type, key])
        if TEXT in read and rights.text_read is not None:
            events[rights.text_read.record_type, rights.purpose].append(rights.text_read.rows)
            read -= {TEXT}
        events[record_type, rights.purpose].append(ReadRows(read, [key], rights.grants_for(read)))
    for (record_type, purpose), rows in events.items():
        await record_reading(store, viewer, record_type, rows, purpose=purpose)
