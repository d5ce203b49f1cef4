"""Who reads bed stays (住宿安排) and meals (用餐): logistics, who enter them, and who reads F2 of the student."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.logistics.documents import BedStay, DormitoryRoom
from archive_store.logistics.rules import Interval
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import StudentScope, student_scope

STAY = frozenset({"student_id", "room_id", "bed", "from_day", "to_day"})
_PERSONAL = frozenset({FieldClass.F2})


async def intervals(
    store: Store,
    query: Row,
    session: AsyncClientSession | None = None,
    *,
    as_one: frozenset[ObjectId] = frozenset(),
) -> list[Interval]:
    """The stays of the query that hold, as the rules compare them; students in `as_one` are one and the same."""
    rows = await store.database.collection(BedStay).find(query, session=session).to_list()
    stays = [BedStay.model_validate(row) for row in rows if row["annulled_on"] is None]
    one = max(as_one, default=None)
    return [
        Interval(
            one if stay.student_id in as_one else stay.student_id,
            stay.room_id,
            stay.bed,
            stay.from_day,
            stay.to_day,
        )
        for stay in stays
    ]


def decide_on_logistics(scope: StudentScope, facts: Row, record_type: type[Record]) -> FieldDecision:
    """How the viewer stands to what logistics enters of a student."""
    own = _PERSONAL if scope.viewer.holds_any(frozenset({Post.LOGISTICS})) else frozenset[FieldClass]()
    return scope.viewer.decide(record_type, scope.relationships(facts, record_type), own)


async def decisions_on(
    store: Store, viewer: Viewer, record_type: type[Record], ids: Sequence[ObjectId]
) -> dict[ObjectId, FieldDecision]:
    """How the viewer stands to each of these records of a student in sight."""
    query: Row = {"_id": {"$in": list(ids)}}
    rows = await store.database.collection(record_type).find(query, {"student_id": 1}).to_list()
    facts = await facts_by_id(store, viewer, [row["student_id"] for row in rows])
    scope = student_scope(viewer)
    return {
        row["_id"]: decide_on_logistics(scope, facts[row["student_id"]], record_type)
        for row in rows
        if row["student_id"] in facts
    }


@dataclass(frozen=True, slots=True)
class StayView:
    """A stay that the viewer reads, with its room."""

    stay: BedStay
    room: DormitoryRoom


async def stays_of_students(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[list[StayView] | Withheld]:
    """Stays of each student by day; why they are kept back where the viewer reads none."""
    seen = await _readable_students(store, viewer, student_ids)
    held: dict[ObjectId, list[StayView]] = defaultdict(list)
    for view in await _views(store, {"student_id": {"$in": sorted(seen)}}):
        held[view.stay.student_id].append(view)
    return [held[key] if key in seen else Withheld.NOT_PERMITTED for key in student_ids]


async def stays_in_rooms(
    store: Store, viewer: Viewer, room_ids: Sequence[ObjectId], day: str
) -> list[list[StayView]]:
    """Who sleeps in each room on the day (ISO), by bed: the stays that the viewer reads."""
    query: Row = {
        "room_id": {"$in": list(room_ids)},
        "from_day": {"$lte": day},
        "$or": [{"to_day": None}, {"to_day": {"$gte": day}}],
    }
    views = await _views(store, query)
    seen = await _readable_students(store, viewer, [view.stay.student_id for view in views])
    held: dict[ObjectId, list[StayView]] = defaultdict(list)
    for view in sorted(views, key=lambda view: view.stay.bed):
        if view.stay.student_id in seen:
            held[view.stay.room_id].append(view)
    return [held[key] for key in room_ids]


async def _readable_students(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> set[ObjectId]:
    scope, facts = student_scope(viewer), await facts_by_id(store, viewer, ids)
    return {key for key, row in facts.items() if decide_on_logistics(scope, row, BedStay).readable >= STAY}


async def _views(store: Store, query: Row) -> list[StayView]:
    rows = await store.database.collection(BedStay).find({**query, "annulled_on": None}).to_list()
    wanted: Row = {"_id": {"$in": sorted({row["room_id"] for row in rows})}}
    found = store.database.collection(DormitoryRoom).find(wanted)
    rooms = {row["_id"]: DormitoryRoom.model_validate(row) async for row in found}
    stays = sorted((BedStay.model_validate(row) for row in rows), key=lambda stay: stay.from_day)
    return [StayView(stay, rooms[stay.room_id]) for stay in stays]
