"""Opening what was written about a sanction or an appeal: the reasons and grounds, once the reading is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.conduct.queries import ConductView, appeals_by_id, sanctions_by_id
from archive_store.foundation.store import Store


async def open_sanction_texts(
    store: Store, viewer: Viewer, wanted: Mapping[ObjectId, frozenset[str]]
) -> dict[ObjectId, dict[str, str | None]]:
    """The texts at these paths of the sanctions in sight, as far as they may be read."""
    return await _open(store, viewer, await sanctions_by_id(store, viewer, list(wanted)), wanted)


async def open_appeal_texts(
    store: Store, viewer: Viewer, wanted: Mapping[ObjectId, frozenset[str]]
) -> dict[ObjectId, dict[str, str | None]]:
    """As `open_sanction_texts`, of appeals."""
    return await _open(store, viewer, await appeals_by_id(store, viewer, list(wanted)), wanted)


async def _open(
    store: Store,
    viewer: Viewer,
    found: Sequence[ConductView | None],
    wanted: Mapping[ObjectId, frozenset[str]],
) -> dict[ObjectId, dict[str, str | None]]:
    views = [view for view in found if view is not None]
    paths = {
        view.id: frozenset(path for path in wanted[view.id] & view.decision.readable if view.has_text(path))
        for view in views
    }
    groups: dict[tuple[frozenset[str], str | None], list[ObjectId]] = {}
    for view in views:
        if paths[view.id]:
            groups.setdefault((paths[view.id], view.purpose), []).append(view.id)
    for (read, purpose), ids in groups.items():
        await record_reading(store, viewer, views[0].record_type, [ReadRows(read, ids)], purpose=purpose)
    opened: dict[ObjectId, dict[str, str | None]] = {view.id: {} for view in views}
    for (read, _), ids in groups.items():
        collection = store.database.collection(views[0].record_type)
        rows = await collection.find({"_id": {"$in": ids}}, dict.fromkeys(read, 1)).to_list()
        await store.cipher.decrypt_paths(rows, read)
        for row in rows:
            opened[row["_id"]] = {path: row.get(path) for path in read}
    return opened
