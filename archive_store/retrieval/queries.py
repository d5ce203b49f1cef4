"""Reading retrieval grants: one's own, and for those who decide on them everyone's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    return (await grants_by_id(store, viewer, [grant_id]))[0]


async def grants_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], *, opens_purpose: bool = True
) -> list[RetrievalGrant | None]:
    """In the order of the ids, None where there is none to see; the purpose left empty unless it is asked for."""
    query = {"_id": {"$in": list(ids)}, **_visible(viewer)}
    rows = await store.database.collection(RetrievalGrant).find(query).to_list()
    grants = await _opened(store, viewer, rows) if opens_purpose else [_closed(row) for row in rows]
    found = {grant.key: grant for grant in grants}
    return [found.get(key) for key in ids]


async def grantees_in_sight(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Mapping[ObjectId, ObjectId]:
    """The grantee of each grant in sight; nothing of it is opened."""
    query = {"_id": {"$in": list(ids)}, **_visible(viewer)}
    rows = store.database.collection(RetrievalGrant).find(query, {"grantee_id": 1})
    return {row["_id"]: row["grantee_id"] for row in await rows.to_list()}


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
    return [RetrievalGrant.model_validate(row) if row in shown else _closed(row) for row in rows]


def _closed(row: Row) -> RetrievalGrant:
    grant: RetrievalGrant = RetrievalGrant.model_validate({**row, "purpose": ""})
    return grant
