"""Objections of students, each leaf by the rights on the record, and those that wait for an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store
from archive_store.objections.documents import ObjectionStatus, RecordObjection
from archive_store.objections.operations import RULE
from archive_store.objections.sight import ANSWERERS, ANSWERING, TEXTS, why_texts_withheld
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope


@dataclass(frozen=True, slots=True)
class ObjectionView:
    """An objection with the leaves that may be read, and why the others are withheld."""

    row: Row
    withheld: dict[str, Withheld]

    def value(self, name: str) -> Any:
        return self.row.get(name)


async def objections_of(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId], paths: frozenset[str]
) -> list[list[ObjectionView] | None]:
    """In the order of the ids, newest first; None of a student of whom the viewer may not know of any."""
    facts = await facts_by_id(store, viewer, student_ids)
    query = {"student_id": {"$in": sorted(facts)}}
    rows = await store.database.collection(RecordObjection).find(query).sort("_id", -1).to_list()
    views = await _views(store, viewer, rows, facts, paths)
    known = {key for key, row in facts.items() if "field" in _readable(viewer, row)}
    return [
        [view for view in views if view.row["student_id"] == key] if key in known else None
        for key in student_ids
    ]


async def objections_waiting(
    store: Store, viewer: Viewer, paths: frozenset[str], *, first: int, after: ObjectId | None = None
) -> Page[ObjectionView]:
    """A page of the open ones, newest first; FORBIDDEN for who does not answer them."""
    viewer.require_any(ANSWERERS, rule=RULE)
    check_page_size(first, store.settings.page_size_limit)
    page = await page_of_newest(
        store.database.collection(RecordObjection),
        {"status": ObjectionStatus.OPEN.value},
        {},
        first=first,
        after=after,
    )
    facts = await facts_by_id(store, viewer, [row["student_id"] for row in page.rows])
    return Page(await _views(store, viewer, page.rows, facts, paths), page.has_next)


def _readable(viewer: Viewer, facts: Row) -> frozenset[str]:
    return student_scope(viewer).decide(facts, RecordObjection).without_grants.readable


async def _views(
    store: Store, viewer: Viewer, rows: Sequence[Row], facts: dict[ObjectId, Row], paths: frozenset[str]
) -> list[ObjectionView]:
    scope = student_scope(viewer)
    sealed = TEXTS & paths
    views, read = [], []
    for row in rows:
        if (held := facts.get(row["student_id"])) is None:
            continue
        readable = scope.decide(held, RecordObjection).without_grants.readable
        if "field" not in readable:
            continue
        why = why_texts_withheld(viewer, held, row["field"])
        opened = sealed if why is None else frozenset[str]()
        if opened:
            read.append(ReadRows(opened, [row["student_id"]]))
        shown = {name: value for name, value in row.items() if name in (readable - TEXTS) | opened}
        withheld = {} if why is None else dict.fromkeys(sealed, why)
        views.append(ObjectionView(shown | {"_id": row["_id"], "student_id": row["student_id"]}, withheld))
    await store.cipher.decrypt_paths([view.row for view in views], sealed)
    purpose = ANSWERING if viewer.holds_any(ANSWERERS) else None
    await record_reading(store, viewer, RecordObjection, read, purpose=purpose)
    return views
