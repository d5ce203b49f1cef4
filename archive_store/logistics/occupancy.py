"""Rooms with their beds: taken and free today, and beds held by who is not in study (policy §一(一))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.paging import Cursor, Page, check_page_size, rows_after
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.logistics.documents import BedStay, DormitoryRoom
from archive_store.logistics.steps import POLICY
from archive_store.students.documents import Student, StudentStatus

READERS = frozenset(
    {
        *(Post.LOGISTICS, Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR),
        *(Post.DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL),
    }
)
_ORDER = "ROOM"


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room and how many of its beds are taken today."""

    room: DormitoryRoom
    taken: int
    is_closed: bool = False

    @property
    def id(self) -> ObjectId:
        return self.room.key

    @property
    def free(self) -> int:
        """Beds that can be had today; none of a closed room."""
        return 0 if self.is_closed else self.room.beds - self.taken


@dataclass(frozen=True, slots=True)
class BuildingOccupancy:
    """宿舍楼: beds of the rooms that are not closed, today."""

    building: str
    rooms: int
    beds: int
    taken: int


async def list_rooms(
    store: Store, viewer: Viewer, *, building: str | None = None, first: int, after: str | None = None
) -> tuple[Page[RoomView], list[str]]:
    """A page of rooms by number, and its cursors; FORBIDDEN without a post that plans with them."""
    viewer.require_any(READERS, rule=POLICY)
    check_page_size(first, store.settings.page_size_limit)
    query: Row = {} if building is None else {"building": building}
    if after is not None:
        query = {"$and": [query, rows_after("number", 1, Cursor.decode(after, order=_ORDER))]}
    rows = store.database.collection(DormitoryRoom).find(query).sort([("number", 1), ("_id", 1)])
    found = [DormitoryRoom.model_validate(row) for row in await rows.limit(first + 1).to_list()]
    views = await _views(store, found[:first])
    cursors = [Cursor(_ORDER, view.room.number, view.id).encode() for view in views]
    return Page(views, len(found) > first), cursors


async def _views(store: Store, rooms: Sequence[DormitoryRoom]) -> list[RoomView]:
    taken = await _taken(store, {"room_id": {"$in": [room.key for room in rooms]}})
    today = school_day(store.clock.now())
    return [
        RoomView(room, taken.get(room.key, 0), room.closed_on is not None and room.closed_on <= today)
        for room in rooms
    ]


async def _taken(store: Store, query: Row) -> dict[ObjectId, int]:
    day = school_day(store.clock.now()).isoformat()
    today: Row = {"from_day": {"$lte": day}, "$or": [{"to_day": None}, {"to_day": {"$gte": day}}]}
    steps: list[Row] = [
        {"$match": {**query, **today, "annulled_on": None}},
        {"$group": {"_id": "$room_id", "taken": {"$sum": 1}}},
    ]
    return {
        row["_id"]: row["taken"] async for row in await store.database.collection(BedStay).aggregate(steps)
    }


async def occupancy(store: Store, viewer: Viewer) -> list[BuildingOccupancy]:
    """Of each building by name; FORBIDDEN without a post that plans with them."""
    viewer.require_any(READERS, rule=POLICY)
    today = school_day(store.clock.now()).isoformat()
    is_open: Row = {"$or": [{"closed_on": None}, {"closed_on": {"$gt": today}}]}
    rows = await store.database.collection(DormitoryRoom).find(is_open).to_list()
    taken = await _taken(store, {"room_id": {"$in": [row["_id"] for row in rows]}})
    found: dict[str, BuildingOccupancy] = {}
    for row in rows:
        held = found.get(row["building"], BuildingOccupancy(row["building"], 0, 0, 0))
        found[row["building"]] = BuildingOccupancy(
            held.building, held.rooms + 1, held.beds + row["beds"], held.taken + taken.get(row["_id"], 0)
        )
    return [found[name] for name in sorted(found)]


async def stays_out_of_study(store: Store, limit: int) -> list[ObjectId]:
    """Stays of today, not told of yet, of students who are not in study; by key."""
    day = school_day(store.clock.now()).isoformat()
    steps: list[Row] = [
        {
            "$match": {
                "annulled_on": None,
                "told_held_on": None,
                "from_day": {"$lte": day},
                "$or": [{"to_day": None}, {"to_day": {"$gte": day}}],
            }
        },
        {
            "$lookup": {
                "from": Student.Settings.name,
                "localField": "student_id",
                "foreignField": "_id",
                "as": "student",
                "pipeline": [{"$project": {"status": 1}}],
            }
        },
        {"$match": {"student.status": {"$ne": StudentStatus.ENROLLED.value}}},
        {"$sort": {"_id": 1}},
        {"$limit": limit},
        {"$project": {"_id": 1}},
    ]
    return [row["_id"] async for row in await store.database.collection(BedStay).aggregate(steps)]
