"""Candidates for a merge: pairs of records that agree in name and birth date, scored.

For those who read both of every student. Numbers are compared for whoever may read them, which is recorded as a
reading; for others they give no ground.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.duplicates.documents import DuplicateDismissal, MergeCase, MergeStatus
from archive_store.duplicates.merging import MERGERS
from archive_store.duplicates.rules import LEAVES, Ground, grounds, score
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.paging import check_page_size
from archive_store.foundation.store import Store
from archive_store.students.documents import Student, StudentStatus

RULE = "operation student.merge"
# What is compared at once: beyond it, the answer says that there is more.
GROUPS_LIMIT = 500
_OF_ONE_GROUP = 20
_COMPARED = frozenset().union(*LEAVES.values()) | {"gender"}
Pair = tuple[ObjectId, ObjectId]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two records that may be of one person; `grounds` are those that the viewer may know."""

    pair: Pair
    score: int
    grounds: frozenset[Ground]
    is_dismissed: bool


@dataclass(frozen=True, slots=True)
class Candidates:
    """The likeliest first; `is_whole` unless more pairs were found than are compared at once."""

    found: Sequence[Candidate]
    is_whole: bool


def ordered(one: ObjectId, other: ObjectId) -> Pair:
    """The pair as it is named: the smaller key first."""
    return (one, other) if one < other else (other, one)


async def duplicate_candidates(
    store: Store, viewer: Viewer, *, first: int, minimum_score: int = 50, with_dismissed: bool = False
) -> Candidates:
    """The pairs of at least this score. FORBIDDEN unless the viewer may ask for a merge."""
    check_page_size(first, store.settings.page_size_limit)
    viewer.require_any(MERGERS, rule=RULE)
    decision = viewer.decide(Student)
    # Without these there is nothing to find pairs by.
    if not {"name", "birth_date"} <= decision.readable:
        return Candidates((), True)
    groups = await _groups(store)
    pairs = {pair for ids in groups[:GROUPS_LIMIT] for pair in _pairs(ids)}
    rows = await _rows(store, viewer, {key for pair in pairs for key in pair}, _COMPARED & decision.readable)
    dismissed = await _dismissed(store, pairs)
    found = []
    for one, other in pairs:
        given = grounds(rows[one], rows[other])
        points = score(given, rows[one], rows[other])
        is_dismissed = (one, other) in dismissed
        if points >= minimum_score and (with_dismissed or not is_dismissed):
            found.append(Candidate((one, other), points, given, is_dismissed))
    found.sort(key=lambda held: (-held.score, held.pair))
    is_whole = len(groups) <= GROUPS_LIMIT and len(found) <= first
    return Candidates(found[:first], is_whole)


async def _groups(store: Store) -> list[list[ObjectId]]:
    """Keys of records that share a birth date and a name, present, former or in pinyin."""
    keys = [
        {"$cond": [{"$ifNull": [f"${name}", False]}, {"$concat": [kind, f"${name}"]}, None]}
        for name, kind in (("name", "n:"), ("former_name", "n:"), ("name_pinyin", "p:"))
    ]
    steps: list[Row] = [
        {"$match": {"merged_into": None, "status": {"$ne": StudentStatus.VOIDED.value}}},
        {"$project": {"birth_date": 1, "key": keys}},
        {"$unwind": "$key"},
        {"$match": {"key": {"$ne": None}}},
        {"$group": {"_id": {"key": "$key", "birth_date": "$birth_date"}, "ids": {"$addToSet": "$_id"}}},
        {"$match": {"ids.1": {"$exists": True}}},
        {"$sort": {"_id": 1}},
        {"$limit": GROUPS_LIMIT + 1},
        {"$project": {"ids": {"$slice": ["$ids", _OF_ONE_GROUP]}}},
    ]
    cursor = await store.database.collection(Student).aggregate(steps, allowDiskUse=True)
    return [row["ids"] for row in await cursor.to_list()]


def _pairs(ids: Iterable[ObjectId]) -> Iterable[Pair]:
    return combinations(sorted(ids), 2)


async def _rows(
    store: Store, viewer: Viewer, ids: Collection[ObjectId], paths: frozenset[str]
) -> Mapping[ObjectId, Row]:
    found = store.database.collection(Student).find(
        {"_id": {"$in": list(ids)}}, {"_id": 1, **dict.fromkeys(paths, 1)}
    )
    rows = await found.to_list()
    sensitive = paths & encrypted_paths(Student)
    await record_reading(
        store, viewer, Student, [ReadRows(sensitive, [row["_id"] for row in rows])] if rows else []
    )
    await store.cipher.decrypt_paths(rows, sensitive)
    return {row["_id"]: row for row in rows}


async def _dismissed(store: Store, pairs: Collection[Pair]) -> set[Pair]:
    firsts = list({one for one, _ in pairs})
    rows = store.database.collection(DuplicateDismissal).find(
        {"first_id": {"$in": firsts}, "is_in_force": True}, {"first_id": 1, "second_id": 1}
    )
    return {(row["first_id"], row["second_id"]) async for row in rows}


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
) -> dict[ObjectId, list[Row]]:
    """Merges in which each student survived or went, newest first, for who reads internal values (F1)."""
    if "survivor_id" not in viewer.decide(MergeCase).readable:
        return {}
    ids = list(student_ids)
    rows = store.database.collection(MergeCase).find(
        {"$or": [{"survivor_id": {"$in": ids}}, {"merged_id": {"$in": ids}}]},
        {"sealed": 0},
        sort=[("_id", -1)],
    )
    found: dict[ObjectId, list[Any]] = {key: [] for key in ids}
    async for row in rows:
        for key in (row["survivor_id"], row["merged_id"]):
            if key in found:
                found[key].append(row)
    return found
