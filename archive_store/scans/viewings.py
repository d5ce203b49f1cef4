"""Viewings (阅览): a reader of one scan asks for many ranges of it, which together are one reading.

A viewing is of one person, one scan and one purpose, and lasts VIEWING_MINUTES from its first request. It saves later
requests from being counted and recorded again, and gives no right: `content.py` asks for the rights of each anew. It is
no record; what was read is told by the access event and the entry `scan:view` that open it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bson import ObjectId
from pymongo import IndexModel, ReturnDocument

from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork

VIEWINGS = "scan_viewings"
VIEWING_INDEXES = [IndexModel("ends_at", expireAfterSeconds=0)]
VIEWING_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Viewing:
    """The grants a view of which it has taken, and whether the scan's history tells of it already."""

    grant_ids: frozenset[ObjectId]
    is_noted: bool


class ViewingOpenError(Exception):
    """Another request of the same viewing was first."""


async def viewing_now(store: Store, viewer: Viewer, scan_id: ObjectId) -> Viewing | None:
    """The viewing that the viewer has begun of the scan, for the purpose they state."""
    row = await store.database.mongo[VIEWINGS].find_one(_now(store, viewer, scan_id))
    return None if row is None else Viewing(frozenset(row["grant_ids"]), row["is_noted"])


async def begin_viewing(
    unit: UnitOfWork, viewer: Viewer, scan_id: ObjectId, grant_ids: frozenset[ObjectId], *, continues: bool
) -> None:
    """In the transaction that counts it; a request that would have continued one raises ViewingOpenError if there is
    one by now."""
    viewings, now = unit.store.database.mongo[VIEWINGS], _now(unit.store, viewer, scan_id)
    if continues and await viewings.find_one(now, {"_id": 1}, session=unit.session):
        raise ViewingOpenError
    begun = {"grant_ids": sorted(grant_ids), "ends_at": unit.at + timedelta(minutes=VIEWING_MINUTES)}
    await viewings.update_one(  # house-rule: a viewing is no record
        {"_id": now["_id"]}, {"$set": begun | {"is_noted": False}}, upsert=True, session=unit.session
    )


async def note_viewing(unit: UnitOfWork, viewer: Viewer, scan_id: ObjectId) -> bool:
    """Whether the viewing was not noted in the scan's history yet; it is from now on."""
    viewings, mine = unit.store.database.mongo[VIEWINGS], {"_id": _id(unit.store, viewer, scan_id)}
    before = await viewings.find_one_and_update(  # house-rule: a viewing is no record
        mine, {"$set": {"is_noted": True}}, return_document=ReturnDocument.BEFORE, session=unit.session
    )
    return before is None or not before["is_noted"]


def _now(store: Store, viewer: Viewer, scan_id: ObjectId) -> Row:
    return {"_id": _id(store, viewer, scan_id), "ends_at": {"$gt": store.clock.now()}}


def _id(store: Store, viewer: Viewer, scan_id: ObjectId) -> str:
    # A purpose is sensitive text; equal ones need only be known as equal.
    told = f"{viewer.person_id}\0{scan_id}\0{viewer.reading.purpose or ''}"
    return store.cipher.blind_index("viewing", told)
