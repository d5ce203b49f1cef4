"""Merges as those read them who read internal values (F1), and which records a merge in force concerns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.duplicates.documents import MergeCase, MergeStatus
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.students.documents import Student
from archive_store.students.scope import RELATIONSHIP_FACTS, student_scope


@dataclass(frozen=True, slots=True)
class MergeView:
    """A merge in sight, without what it sealed."""

    id: ObjectId
    survivor_id: ObjectId
    merged_id: ObjectId
    fields: Sequence[str]
    status: MergeStatus
    merged_at: datetime
    reversed_at: datetime | None


async def merges_of(store: Store, student_ids: Collection[ObjectId]) -> set[ObjectId]:
    """Those of the students that a merge in force concerns."""
    ids = list(student_ids)
    rows = store.database.collection(MergeCase).find(
        {
            "status": MergeStatus.MERGED.value,
            "$or": [{"survivor_id": {"$in": ids}}, {"merged_id": {"$in": ids}}],
        },
        {"survivor_id": 1, "merged_id": 1},
    )
    return {key async for row in rows for key in (row["survivor_id"], row["merged_id"])} & set(ids)


async def merge_cases_by_student(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> dict[ObjectId, list[MergeView]]:
    """Merges in which each student survived or went, newest first, for who reads internal values (F1)."""
    if not _reads_merges(viewer):
        return {}
    ids = list(student_ids)
    rows = store.database.collection(MergeCase).find(
        {"$or": [{"survivor_id": {"$in": ids}}, {"merged_id": {"$in": ids}}]},
        {"sealed": 0},
        sort=[("_id", -1)],
    )
    found: dict[ObjectId, list[MergeView]] = {key: [] for key in ids}
    async for row in rows:
        for key in (row["survivor_id"], row["merged_id"]):
            if key in found:
                found[key].append(_view(row))
    return found


async def merge_cases_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[MergeView | None]:
    """In the order of the ids, None where there is none to see."""
    if not _reads_merges(viewer):
        return [None] * len(ids)
    rows = store.database.collection(MergeCase).find({"_id": {"$in": list(ids)}}, {"sealed": 0})
    found = {row["_id"]: _view(row) async for row in rows}
    return [found.get(key) for key in ids]


def _reads_merges(viewer: Viewer) -> bool:
    return viewer.reads_by_post and "survivor_id" in viewer.decide(MergeCase).readable


def _view(row: Row) -> MergeView:
    told = {
        name: row.get(name) for name in ("merged_at", "reversed_at", "fields", "survivor_id", "merged_id")
    }
    return MergeView(id=row["_id"], status=MergeStatus(row["status"]), **told)  # type: ignore[arg-type]


async def merged_students(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> dict[ObjectId, list[ObjectId]]:
    """The records that went into each of these: those in sight, of whose merge the viewer may know.

    Empty for whoever may know of no merge.
    """
    scope = student_scope(viewer)
    if "merged_into" not in scope.somewhere.readable:
        return {}
    rows = store.database.collection(Student).find(
        {"$and": [{"merged_into": {"$in": list(student_ids), "$type": "objectId"}}, scope.visible]},
        {"merged_into": 1, **dict.fromkeys(RELATIONSHIP_FACTS, 1)},
        sort=[("_id", 1)],
    )
    found: dict[ObjectId, list[ObjectId]] = {key: [] for key in student_ids}
    async for row in rows:
        if "merged_into" in scope.decide(row).decision.readable:
            found[row["merged_into"]].append(row["_id"])
    return found
