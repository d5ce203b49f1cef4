"""Reading retrieval grants: one's own, and for those who decide on them everyone's."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store
from archive_store.retrieval.operations import REVOKERS


async def list_grants(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[RetrievalGrant]:
    """Grants, newest first, those that have ended included."""
    check_page_size(first, store.settings.page_size_limit)
    collection = store.database.collection(RetrievalGrant)
    page = await page_of_newest(collection, _visible(viewer), {}, first=first, after=after)
    return Page(await _opened(store, viewer, page.rows), page.has_next)


async def find_grant(store: Store, viewer: Viewer, grant_id: ObjectId) -> RetrievalGrant | None:
    """One grant, None when there is none to see."""
    row = await store.database.collection(RetrievalGrant).find_one({"_id": grant_id, **_visible(viewer)})
    return None if row is None else (await _opened(store, viewer, [row]))[0]


def _visible(viewer: Viewer) -> Row:
    decides = not viewer.is_service and viewer.holds_any(REVOKERS)
    return {} if decides else {"grantee_id": viewer.person_id}


async def _opened(store: Store, viewer: Viewer, rows: Sequence[Row]) -> list[RetrievalGrant]:
    """What others ask for is sensitive: shown for a stated purpose, and recorded."""
    shown = [
        row for row in rows if row["grantee_id"] == viewer.person_id or viewer.reading.purpose is not None
    ]
    others = [row["_id"] for row in shown if row["grantee_id"] != viewer.person_id]
    read = [ReadRows(frozenset({"purpose"}), others)] if others else []
    await record_reading(store, viewer, RetrievalGrant, read)
    await store.cipher.decrypt_paths(shown, encrypted_paths(RetrievalGrant))
    return [RetrievalGrant.model_validate(row if row in shown else {**row, "purpose": ""}) for row in rows]
