"""Candidates for a merge: pairs of records that one person may stand behind, scored.

Pairs are found by blocks: records that share a birth date and a name, and a number that was another's before. For
those who may ask for a merge; what they may not read finds nothing and gives no ground. Numbers that are compared are
recorded as read. Memory does not grow with the school: blocks are scored some at a time, and the best are kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.duplicates.documents import DuplicateDismissal
from archive_store.duplicates.merging import MERGERS
from archive_store.duplicates.rules import LEAVES, Ground, grounds, score
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.paging import Cursor, Page, check_page_size
from archive_store.foundation.store import Store
from archive_store.people.documents import Person
from archive_store.people.identifiers import persons_by_lookup
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.registration import STUDENT_NUMBERS

RULE = "operation student.merge"
ORDER = "likeliest"
# Blocks scored at a time, and records of one block that are compared: more share a name and a birth date by mistake.
_AT_ONCE = 200
_OF_ONE_BLOCK = 20
_COMPARED = frozenset().union(*LEAVES.values()) | {"gender"}
_NAMES = {"name": "n:", "former_name": "n:", "name_pinyin": "p:"}
_FORMER = "identifiers.value"
_WHOLE: Row = {"merged_into": None, "status": {"$ne": StudentStatus.VOIDED.value}}
Pair = tuple[ObjectId, ObjectId]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two records that may be of one person; `grounds` are those that the viewer may know."""

    pair: Pair
    score: int
    grounds: frozenset[Ground]
    is_dismissed: bool

    @property
    def place(self) -> str:
        """In the order of the list: the likeliest first."""
        return f"{100 - self.score:03d}{self.pair[0]}{self.pair[1]}"

    @property
    def cursor(self) -> str:
        return Cursor(ORDER, self.place, self.pair[1]).encode()


@dataclass(frozen=True, slots=True)
class _Search:
    """What one viewer compares: paths of the record, and whether former numbers are among it."""

    store: Store
    viewer: Viewer
    paths: frozenset[str]
    with_former: bool
    with_dismissed: bool


def ordered(one: ObjectId, other: ObjectId) -> Pair:
    """The pair as it is named: the smaller key first."""
    return (one, other) if one < other else (other, one)


async def duplicate_candidates(
    store: Store,
    viewer: Viewer,
    *,
    first: int,
    after: str | None = None,
    minimum_score: int = 50,
    with_dismissed: bool = False,
) -> Page[Candidate]:
    """The pairs of at least this score, the likeliest first. FORBIDDEN unless the viewer may ask for a merge."""
    check_page_size(first, store.settings.page_size_limit)
    viewer.require_any(MERGERS, rule=RULE)
    behind = "" if after is None else Cursor.decode(after, order=ORDER).value or ""
    readable = viewer.decide(Student).readable
    with_former = readable >= STUDENT_NUMBERS.keys() and _FORMER in viewer.decide(Person).readable
    search = _Search(store, viewer, _COMPARED & readable, with_former, with_dismissed)
    best: dict[str, Candidate] = {}
    async for pairs in _blocks(search):
        for held in await _scored(search, pairs):
            if held.score >= minimum_score and held.place > behind:
                best[held.place] = held
        if len(best) > first + 1:
            best = {place: best[place] for place in sorted(best)[: first + 1]}
    found = [best[place] for place in sorted(best)]
    return Page(found[:first], len(found) > first)


async def _blocks(search: _Search) -> AsyncIterator[set[Pair]]:
    pairs: set[Pair] = set()
    blocks = 0
    for source in (_of_one_name(search), _of_former_numbers(search)):
        async for ids in source:
            pairs |= {ordered(*two) for two in combinations(set(ids), 2)}
            blocks += 1
            if blocks % _AT_ONCE == 0:
                yield pairs
                pairs = set()
    if pairs:
        yield pairs


async def _of_one_name(search: _Search) -> AsyncIterator[Iterable[ObjectId]]:
    """Records that share a birth date and a name, present, former or in pinyin."""
    if "birth_date" not in search.paths:
        return
    keys = [
        {"$cond": [{"$ifNull": [f"${name}", False]}, {"$concat": [kind, f"${name}"]}, None]}
        for name, kind in _NAMES.items()
        if name in search.paths
    ]
    steps: list[Row] = [
        {"$match": _WHOLE},
        {"$project": {"birth_date": 1, "key": keys}},
        {"$unwind": "$key"},
        {"$match": {"key": {"$ne": None}}},
        {"$group": {"_id": {"key": "$key", "birth_date": "$birth_date"}, "ids": {"$addToSet": "$_id"}}},
        {"$match": {"ids.1": {"$exists": True}}},
        {"$project": {"ids": {"$slice": ["$ids", _OF_ONE_BLOCK]}}},
    ]
    collection = search.store.database.collection(Student)
    async for row in await collection.aggregate(steps, allowDiskUse=True):
        yield row["ids"]


async def _of_former_numbers(search: _Search) -> AsyncIterator[Iterable[ObjectId]]:
    """Records of which one bears a number that the other bore before."""
    if not search.with_former:
        return
    store = search.store
    persons = store.database.collection(Person)
    closed = persons.find({"identifiers": {"$elemMatch": {"valid_to": {"$ne": None}}}}, {"identifiers": 1})
    while rows := await closed.to_list(_AT_ONCE):
        read = [ReadRows(frozenset({_FORMER}), [row["_id"] for row in rows])]
        await record_reading(store, search.viewer, Person, read)
        await store.cipher.decrypt_paths(rows, frozenset({_FORMER}))
        bore: dict[str, set[ObjectId]] = {}
        for row in rows:
            for held in row["identifiers"]:
                if held["valid_to"] is not None:
                    lookup = store.cipher.blind_index(held["kind"], held["value"])
                    bore.setdefault(lookup, set()).add(row["_id"])
        bears = await persons_by_lookup(store, bore)
        blocks = [
            bore[lookup] | {person_id}
            for lookup, person_id in bears.items()
            if lookup in bore and person_id not in bore[lookup]
        ]
        students = await _students_of(store, set().union(*blocks))
        for block in blocks:
            yield [students[person] for person in sorted(block & students.keys())[:_OF_ONE_BLOCK]]


async def _students_of(store: Store, persons: Collection[ObjectId]) -> Mapping[ObjectId, ObjectId]:
    rows = store.database.collection(Student).find(
        {"$and": [{"person_id": {"$in": list(persons)}}, _WHOLE]}, {"person_id": 1}
    )
    return {row["person_id"]: row["_id"] async for row in rows}


async def _scored(search: _Search, pairs: set[Pair]) -> list[Candidate]:
    dismissed = await _dismissed(search.store, pairs)
    if not search.with_dismissed:
        # What is not shown is not read either.
        pairs = pairs - dismissed
    rows = await _rows(search, {key for pair in pairs for key in pair})
    found = []
    for pair in pairs:
        one, other = rows.get(pair[0]), rows.get(pair[1])
        if one is not None and other is not None:
            given = grounds(one, other)
            found.append(Candidate(pair, score(given, one, other), given, pair in dismissed))
    return found


async def _rows(search: _Search, ids: Collection[ObjectId]) -> Mapping[ObjectId, Row]:
    if not ids:
        return {}
    store = search.store
    shown = {"_id": 1, "person_id": 1, **dict.fromkeys(search.paths, 1)}
    rows = await store.database.collection(Student).find({"_id": {"$in": list(ids)}}, shown).to_list()
    sensitive = search.paths & encrypted_paths(Student)
    read = [ReadRows(sensitive, [row["_id"] for row in rows])] if rows else []
    await record_reading(store, search.viewer, Student, read)
    await store.cipher.decrypt_paths(rows, sensitive)
    former = await _former(search, [row["person_id"] for row in rows]) if search.with_former else {}
    return {row["_id"]: row | former.get(row["person_id"], {}) for row in rows}


async def _former(search: _Search, persons: Collection[ObjectId]) -> Mapping[ObjectId, dict[str, Any]]:
    """The numbers that they bore before, as `grounds` looks for them."""
    store = search.store
    rows = await (
        store.database.collection(Person)
        .find(
            {
                "_id": {"$in": list(persons)},
                "identifiers": {"$elemMatch": {"valid_to": {"$ne": None}}},
            },
            {"identifiers": 1},
        )
        .to_list()
    )
    if not rows:
        return {}
    read = [ReadRows(frozenset({_FORMER}), [row["_id"] for row in rows])]
    await record_reading(store, search.viewer, Person, read)
    await store.cipher.decrypt_paths(rows, frozenset({_FORMER}))
    return {
        row["_id"]: {
            f"former_{leaf}": [
                held["value"]
                for held in row["identifiers"]
                if held["kind"] == kind and held["valid_to"] is not None
            ]
            for leaf, kind in STUDENT_NUMBERS.items()
        }
        for row in rows
    }


async def _dismissed(store: Store, pairs: Collection[Pair]) -> set[Pair]:
    firsts = list({one for one, _ in pairs})
    rows = store.database.collection(DuplicateDismissal).find(
        {"first_id": {"$in": firsts}, "is_in_force": True}, {"first_id": 1, "second_id": 1}
    )
    return {(row["first_id"], row["second_id"]) async for row in rows} & set(pairs)
