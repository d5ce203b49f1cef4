"""Reading legal holds and disposal batches: for those who keep the archive, sealed papers included."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store
from archive_store.preservation.documents import DisposalBatch, LegalHold
from archive_store.preservation.rules import knows_every_scan


def _visible(viewer: Viewer) -> Row:
    return {} if knows_every_scan(viewer) else {"_id": {"$exists": False}}


async def list_holds(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None, in_force: bool | None = None
) -> Page[LegalHold]:
    """Holds, newest first, their reasons left empty; none to who does not keep the archive."""
    check_page_size(first, store.settings.page_size_limit)
    query = _visible(viewer)
    if in_force is not None:
        query = {"$and": [query, {"released_at": None if in_force else {"$ne": None}}]}
    page = await page_of_newest(store.database.collection(LegalHold), query, {}, first=first, after=after)
    return Page([_closed(row) for row in page.rows], page.has_next)


async def holds_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[LegalHold | None]:
    """In the order of the ids, their reasons left empty; None where there is none to see."""
    query = {"$and": [_visible(viewer), {"_id": {"$in": list(ids)}}]}
    rows = await store.database.collection(LegalHold).find(query).to_list()
    found = {row["_id"]: _closed(row) for row in rows}
    return [found.get(key) for key in ids]


def _closed(row: Row) -> LegalHold:
    hold: LegalHold = LegalHold.model_validate({**row, "reason": ""})
    return hold


async def open_reasons(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[str | None]:
    """Why each hold was placed, in the order of the ids: for a stated purpose, and recorded before; else None."""
    rows: list[Row] = []
    if viewer.reading.purpose is not None:
        query = {"$and": [_visible(viewer), {"_id": {"$in": list(ids)}}]}
        rows = await store.database.collection(LegalHold).find(query, {"reason": 1}).to_list()
    if rows:
        read = ReadRows(frozenset({"reason"}), [row["_id"] for row in rows])
        await record_reading(store, viewer, LegalHold, [read])
        await store.cipher.decrypt_paths(rows, encrypted_paths(LegalHold))
    reasons = {row["_id"]: row["reason"] for row in rows}
    return [reasons.get(key) for key in ids]


async def list_batches(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[DisposalBatch]:
    """Batches, newest first; none to who does not keep the archive."""
    check_page_size(first, store.settings.page_size_limit)
    collection = store.database.collection(DisposalBatch)
    page = await page_of_newest(collection, _visible(viewer), {}, first=first, after=after)
    return Page([DisposalBatch.model_validate(row) for row in page.rows], page.has_next)


async def batches_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[DisposalBatch | None]:
    """In the order of the ids, None where there is none to see."""
    query = {"$and": [_visible(viewer), {"_id": {"$in": list(ids)}}]}
    rows = await store.database.collection(DisposalBatch).find(query).to_list()
    found = {row["_id"]: DisposalBatch.model_validate(row) for row in rows}
    return [found.get(key) for key in ids]
