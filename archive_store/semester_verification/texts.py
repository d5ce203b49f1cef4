"""Opening what was written about a record: found values, the reporter's note and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.semester_verification.documents import VerificationItem
from archive_store.semester_verification.queries import ItemView, items_by_id


@dataclass(frozen=True, slots=True)
class OpenedTexts:
    """The texts of an item as far as they were asked for and may be read; found values by field."""

    note: str | None
    answer: str | None
    found: Mapping[str, str]


async def open_texts(
    store: Store, viewer: Viewer, wanted: Mapping[ObjectId, frozenset[str]]
) -> dict[ObjectId, OpenedTexts]:
    """The encrypted leaves at these paths of the visible items, as far as they may be read; the reading is recorded."""
    views = [view for view in await items_by_id(store, viewer, list(wanted)) if view is not None]
    paths = {view.id: _opened(view, wanted[view.id]) for view in views}
    groups: dict[tuple[frozenset[str], str | None], list[ObjectId]] = {}
    for view in views:
        groups.setdefault((paths[view.id], view.purpose), []).append(view.id)
    for (read, purpose), ids in groups.items():
        await record_reading(store, viewer, VerificationItem, [ReadRows(read, ids)], purpose=purpose)
    keys = [view.id for view in views if paths[view.id]]
    rows = store.database.collection(VerificationItem).find(
        {"_id": {"$in": keys}}, {"found", "note", "answer"}
    )
    stored = {row["_id"]: row async for row in rows}
    opened = {}
    for view in views:
        row, read = stored.get(view.id, {}), paths[view.id]
        found = [
            held for held in row.get("found", ()) if "found.value" in read and view.shows_found(held["field"])
        ]
        shown: Row = {"found": found, **{name: row.get(name) for name in ("note", "answer") if name in read}}
        await store.cipher.decrypt_paths([shown], read)
        values = {held["field"]: held["value"] for held in found}
        opened[view.id] = OpenedTexts(shown.get("note"), shown.get("answer"), values)
    return opened


def _opened(view: ItemView, wanted: frozenset[str]) -> frozenset[str]:
    read = wanted & view.decision.readable - {"found.value"}
    shown = any(view.shows_found(held["field"]) for held in view.row["found"])
    stated = {name for name in read if view.row["has"][name]}
    return frozenset(stated | ({"found.value"} if shown and "found.value" in wanted else set()))
