"""Who reads bed stays (住宿安排): logistics, who enter them, beside those who read F2 of the student."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, text_of
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.logistics.documents import BedStay, DormitoryRoom
from archive_store.logistics.rules import Interval
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import StudentScope, student_scope

STAY = frozenset({"student_id", "room_id", "bed", "from_day", "to_day"})
_PERSONAL = frozenset({FieldClass.F2})


async def intervals(store: Store, query: Row, session: AsyncClientSession | None = None) -> list[Interval]:
    """The stays of the query as the rules compare them."""
    rows = await store.database.collection(BedStay).find(query, session=session).to_list()
    stays = [BedStay.model_validate(row) for row in rows]
    return [Interval(stay.student_id, stay.room_id, stay.bed, stay.from_day, stay.to_day) for stay in stays]


def decide_on_stays(scope: StudentScope, facts: Row) -> FieldDecision:
    """How the viewer stands to the stays of a student."""
    own = _PERSONAL if scope.viewer.holds_any(frozenset({Post.LOGISTICS})) else frozenset[FieldClass]()
    return scope.viewer.decide(BedStay, scope.relationships(facts, BedStay), own)


async def stay_decisions(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> dict[ObjectId, FieldDecision]:
    """How the viewer stands to each stay of a student in sight."""
    query: Row = {"_id": {"$in": list(ids)}}
    rows = await store.database.collection(BedStay).find(query, {"student_id": 1}).to_list()
    facts = await facts_by_id(store, viewer, [row["student_id"] for row in rows])
    scope = student_scope(viewer)
    return {
        row["_id"]: decide_on_stays(scope, facts[row["student_id"]])
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
    scope, facts = student_scope(viewer), await facts_by_id(store, viewer, student_ids)
    seen = {key for key, row in facts.items() if decide_on_stays(scope, row).readable >= STAY}
    query: Row = {"student_id": {"$in": sorted(seen)}}
    rows = await store.database.collection(BedStay).find(query).sort("from_day", 1).to_list()
    wanted: Row = {"_id": {"$in": [row["room_id"] for row in rows]}}
    found = store.database.collection(DormitoryRoom).find(wanted)
    rooms = {row["_id"]: DormitoryRoom.model_validate(row) async for row in found}
    held: dict[ObjectId, list[StayView]] = defaultdict(list)
    for row in rows:
        stay = BedStay.model_validate(row)
        held[stay.student_id].append(StayView(stay, rooms[stay.room_id]))
    return [held[key] if key in seen else Withheld.NOT_PERMITTED for key in student_ids]


async def _rights(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Mapping[ObjectId, SubjectRights]:
    decisions = await stay_decisions(store, viewer, ids)
    return {
        key: SubjectRights(held.readable | text_of(held.classes))
        for key, held in decisions.items()
        if held.readable >= STAY
    }


BED_STAY_HISTORY = SubjectHistory(BedStay, _rights, lambda viewer: not student_scope(viewer).sees_nobody)
