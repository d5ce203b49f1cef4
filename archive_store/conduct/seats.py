"""What a seat opens of sanctions and appeals: on the committee of an appeal, or at the awaited step of a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ChangeRequest
from archive_store.approvals.queries import awaiting_viewer
from archive_store.approvals.routing import DECIDING
from archive_store.conduct.documents import Appeal, AppealStatus, Award
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store

REVIEWING = "申诉复查 reviewing an appeal"
_KNOWN = frozenset({FieldClass.F0, FieldClass.F1, FieldClass.F2})
_TEXTS = frozenset({FieldClass.F3})


@dataclass(frozen=True, slots=True)
class Seat:
    """The classes that it opens, and for what the texts are read; None where it opens none."""

    classes: frozenset[FieldClass]
    purpose: str | None


async def seats_of(
    store: Store,
    viewer: Viewer,
    record_type: type[Record],
    rows: Sequence[Row],
    session: AsyncClientSession | None = None,
) -> dict[ObjectId, Seat]:
    """The viewer's seats about each of these rows: who reviews reads the texts, and who decides what they decide on."""
    if record_type is Award or viewer.is_service or not rows:
        return {}
    deciding = await _deciding(store, viewer, record_type, rows, session)
    seats = dict.fromkeys(deciding, Seat(_KNOWN | _TEXTS, DECIDING))
    for key, is_reviewing in (await _committees(store, viewer, record_type, rows, session)).items():
        if is_reviewing:
            seats[key] = Seat(_KNOWN | _TEXTS, REVIEWING)
        elif key not in seats:
            seats[key] = Seat(_KNOWN, None)
    return seats


async def _deciding(
    store: Store,
    viewer: Viewer,
    record_type: type[Record],
    rows: Sequence[Row],
    session: AsyncClientSession | None,
) -> list[ObjectId]:
    """Those about which a request awaits the viewer's signature now."""
    about = {"target_id": {"$in": [row["_id"] for row in rows]}, "target_type": record_type.subject_type}
    query = {"$and": [about, awaiting_viewer(viewer)]}
    found = store.database.collection(ChangeRequest).find(query, {"target_id": 1}, session=session)
    return [row["target_id"] for row in await found.to_list()]


async def _committees(
    store: Store,
    viewer: Viewer,
    record_type: type[Record],
    rows: Sequence[Row],
    session: AsyncClientSession | None,
) -> dict[ObjectId, bool]:
    """Those before whose committee the viewer sits, and whether it is reviewing now."""
    if not viewer.posts:
        return {}
    path = "_id" if record_type is Appeal else "sanction_id"
    query = {path: {"$in": [row["_id"] for row in rows]}, "committee.person_id": viewer.person_id}
    found = store.database.collection(Appeal).find(query, {path: 1, "status": 1}, session=session)
    under_review = AppealStatus.UNDER_REVIEW.value
    return {row[path]: row["status"] == under_review for row in await found.to_list()}
