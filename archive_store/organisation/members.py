"""Who is in a class: its roster, how many they are, and its homeroom teachers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.organisation.documents import SchoolClass
from archive_store.organisation.homerooms import homeroom_grants
from archive_store.organisation.rules import LEFT
from archive_store.people.documents import GrantKind
from archive_store.people.queries import names_of_people
from archive_store.students.documents import Student
from archive_store.students.queries import StudentFilter, StudentPage, list_students
from archive_store.students.scope import student_scope


@dataclass(frozen=True, slots=True)
class HomeroomPeriod:
    """班主任任期."""

    person_id: ObjectId
    name: str
    kind: GrantKind
    valid_from: date
    valid_to: date | None

    def holds(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


async def roster(
    store: Store,
    viewer: Viewer,
    school_class: SchoolClass,
    paths: frozenset[str],
    *,
    first: int,
    after: str | None = None,
) -> StudentPage | None:
    """The students in view whose record names the class; None where a row's class may not be told."""
    if "class_name" not in student_scope(viewer).filterable:
        return None
    where = StudentFilter(class_name=school_class.name)
    return await list_students(store, viewer, paths, first=first, after=after, where=where)


async def class_sizes(store: Store, names: Sequence[str]) -> list[int]:
    """How many are in each class; who has left is not counted."""
    steps: list[Row] = [
        {"$match": {"class_name": {"$in": sorted(set(names))}, "status": {"$nin": sorted(LEFT)}}},
        {"$group": {"_id": "$class_name", "count": {"$sum": 1}}},
    ]
    cursor = await store.database.collection(Student).aggregate(steps)
    counts: Mapping[str, int] = {row["_id"]: row["count"] for row in await cursor.to_list()}
    return [counts.get(name, 0) for name in names]


async def homeroom_periods(store: Store, names: Sequence[str]) -> list[list[HomeroomPeriod]]:
    """The homeroom periods of each class, the first one first; past and coming ones included."""
    grants = await homeroom_grants(store, sorted(set(names)))
    people = await names_of_people(store, {grant.person_id for grant in grants})
    periods: defaultdict[str, list[HomeroomPeriod]] = defaultdict(list)
    for grant in grants:
        period = HomeroomPeriod(
            grant.person_id, people.get(grant.person_id, ""), grant.kind, grant.valid_from, grant.valid_to
        )
        for name in grant.homeroom_class_names:
            periods[name].append(period)
    return [periods[name] for name in names]
