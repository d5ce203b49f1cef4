"""What grades, arrangements and attendance of many students come to, for the checks of other rooms.

Whatever a viewer may read: who shows something of it decides on that, and records it as read. What was recorded in a
record that was merged into another one (合并) counts for that one too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.documents import (
    AttendanceSummary,
    Course,
    CourseArrangement,
    GradeKind,
    GradeRecord,
    GradeStatus,
    Term,
)
from archive_store.academics.rules import Counted
from archive_store.foundation.store import Store
from archive_store.students.merged import owners_of_merged

_SCORE, _STATUS = frozenset({"score"}), frozenset({"status"})
_GRADE = dict.fromkeys(("student_id", "course_id", "term_id", "kind", "status", "score"), 1)


@dataclass(frozen=True, slots=True)
class Attended:
    """出勤 of all terms together, in days."""

    due: int
    present: int


async def grades_counted(
    store: Store, session: AsyncClientSession | None, student_ids: Sequence[ObjectId]
) -> dict[ObjectId, list[Counted]]:
    """Every grade of each of these students, opened, with the credits of its term; nothing of those without one."""
    owners = await owners_of_merged(store, session, student_ids)
    query = {"student_id": {"$in": sorted(owners)}}
    rows = await store.database.collection(GradeRecord).find(query, _GRADE, session=session).to_list()
    await store.cipher.decrypt_paths(rows, _SCORE)
    # Whether a score was entered or corrected counts alike, so that the status is opened of those without one.
    await store.cipher.decrypt_paths([row for row in rows if row["score"] is None], _STATUS)
    courses = await _courses(store, session, {(row["course_id"], row["term_id"]) for row in rows})
    found: defaultdict[ObjectId, list[Counted]] = defaultdict(list)
    for row in rows:
        course = courses[row["course_id"], row["term_id"]]
        counted = Counted(
            row["course_id"],
            Decimal(str(course.credits)),
            course.scheme,
            GradeKind(row["kind"]),
            GradeStatus(row["status"]) if row["score"] is None else GradeStatus.ENTERED,
            row["score"],
        )
        for key in owners[row["student_id"]]:
            found[key].append(counted)
    return dict(found)


async def _courses(
    store: Store, session: AsyncClientSession | None, keys: Collection[tuple[ObjectId, ObjectId]]
) -> dict[tuple[ObjectId, ObjectId], Course]:
    """Of keys of courses and terms, each course as it was in the term."""
    of_courses, of_terms = ({"_id": {"$in": sorted({key[place] for key in keys})}} for place in (0, 1))
    rows = store.database.collection(Course).find(of_courses, session=session)
    courses = {row["_id"]: Course.model_validate(row) for row in await rows.to_list()}
    terms = store.database.collection(Term).find(of_terms, {"first_day": 1}, session=session)
    began = {row["_id"]: date.fromisoformat(row["first_day"]) for row in await terms.to_list()}
    return {(course, term): courses[course].in_term_of(began[term]) for course, term in keys}


async def courses_by_code(
    store: Store, session: AsyncClientSession | None, codes: Collection[str]
) -> dict[str, ObjectId]:
    """The courses of these codes; nothing of a code that there is no course of."""
    rows = store.database.collection(Course).find(
        {"code": {"$in": sorted(codes)}}, {"code": 1}, session=session
    )
    return {row["code"]: row["_id"] for row in await rows.to_list()}


async def arranged_courses(
    store: Store, session: AsyncClientSession | None, class_names: Collection[str], day: date
) -> Mapping[str, Mapping[str, ObjectId]]:
    """What each class was to be taught in the terms that have begun by the day: its courses by code."""
    begun = store.database.collection(Term).find(
        {"first_day": {"$lte": day.isoformat()}}, {"_id": 1}, session=session
    )
    terms = [row["_id"] for row in await begun.to_list()]
    query = {
        "class_name": {"$in": sorted(class_names)},
        "term_id": {"$in": terms},
        "cancelled_on": None,
    }
    wanted = {"class_name": 1, "course_id": 1}
    rows = await store.database.collection(CourseArrangement).find(query, wanted, session=session).to_list()
    held = store.database.collection(Course).find(
        {"_id": {"$in": sorted({row["course_id"] for row in rows})}}, {"code": 1}, session=session
    )
    codes = {row["_id"]: row["code"] for row in await held.to_list()}
    found: defaultdict[str, dict[str, ObjectId]] = defaultdict(dict)
    for row in rows:
        found[row["class_name"]][codes[row["course_id"]]] = row["course_id"]
    return found


async def attended(
    store: Store, session: AsyncClientSession | None, student_ids: Sequence[ObjectId]
) -> dict[ObjectId, Attended]:
    """The days of all terms of each of these students; nothing of those without any."""
    owners = await owners_of_merged(store, session, student_ids)
    query, wanted = {"student_id": {"$in": sorted(owners)}}, {"student_id": 1, "due": 1, "present": 1}
    rows = store.database.collection(AttendanceSummary).find(query, wanted, session=session)
    days: defaultdict[ObjectId, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in await rows.to_list():
        for key in owners[row["student_id"]]:
            due, present = days[key]
            days[key] = (due + row["due"], present + row["present"])
    return {key: Attended(due, present) for key, (due, present) in days.items()}
