"""Reading terms, courses, arrangements and grades.

Grades are read by the department head and whom a grant authorises (policy §三(二)), by academic affairs who enter them,
by the student and the guardians, and, as `grade_readers` of the field-access policy has it, by whoever teaches the
course to the class and by its homeroom teacher. To anybody else there is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.documents import Course, CourseArrangement, GradeRecord, Term
from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.rules import Relationship
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass, encrypted_paths
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import AnyRecord
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import RowDecision, StudentScope, student_scope

# The type of document whose retrieval grants open grades.
TRANSCRIPT = "成绩单"
# Why grades are read by those whose work they are, where they state nothing else.
TEACHING = "教学 teaching"
VALUE = frozenset({"score", "status"})
_SENSITIVE = frozenset({FieldClass.F3})
_KEEPERS = frozenset({Post.ACADEMIC_AFFAIRS})


@dataclass(frozen=True, slots=True)
class GradeView:
    """A grade that the viewer reads, with its course, term and arrangement."""

    record: GradeRecord
    course: Course
    term: Term
    arrangement: CourseArrangement

    @property
    def id(self) -> ObjectId:
        return self.record.key


@dataclass(frozen=True, slots=True)
class StudentGrades:
    """Grades of one student. `are_all`: none is kept back; else `why` says what an average would need."""

    grades: Sequence[GradeView]
    are_all: bool
    why: Withheld


def sees_arrangements(viewer: Viewer) -> bool:
    """Terms, courses and arrangements are open (F0) to whoever sees some student."""
    return viewer.reads_by_post or not student_scope(viewer).sees_nobody


async def newest(
    store: Store,
    viewer: Viewer,
    record_type: type[AnyRecord],
    query: Row,
    *,
    first: int,
    after: ObjectId | None = None,
) -> Page[AnyRecord]:
    """A page of terms, courses or arrangements, newest first."""
    check_page_size(first, store.settings.page_size_limit)
    if not sees_arrangements(viewer):
        return Page([], False)
    page = await page_of_newest(store.database.collection(record_type), query, {}, first=first, after=after)
    return Page([record_type.model_validate(row) for row in page.rows], page.has_next)


async def by_id(
    store: Store, viewer: Viewer, record_type: type[AnyRecord], ids: Sequence[ObjectId]
) -> list[AnyRecord | None]:
    """Terms, courses or arrangements in the order of the ids; None where there is none to see."""
    if not sees_arrangements(viewer):
        return [None] * len(ids)
    held = await _by_key(store, record_type, ids)
    return [held.get(key) for key in ids]


async def _by_key(
    store: Store, record_type: type[AnyRecord], ids: Sequence[ObjectId]
) -> dict[ObjectId, AnyRecord]:
    rows = store.database.collection(record_type).find({"_id": {"$in": sorted(set(ids))}})
    return {row["_id"]: record_type.model_validate(row) async for row in rows}


def decide_on_grade(
    scope: StudentScope, facts: Row, *, teaches: bool = False, record_type: type[Record] = GradeRecord
) -> RowDecision:
    """How the viewer stands to grades of a student; `teaches` to those of a course that they teach to the class.

    `record_type` is what holds the grades, where it is read as they are.
    """
    viewer = scope.viewer
    ties = scope.relationships(facts, record_type)
    taught = frozenset({Relationship.TEACHER} if teaches else ()) | ties & {Relationship.HOMEROOM_TEACHER}
    is_theirs = viewer.holds_any(_KEEPERS) or not taught.isdisjoint(viewer.policy.rules.grade_readers)
    own = _SENSITIVE if is_theirs else frozenset[FieldClass]()
    without = viewer.decide(record_type, ties, own)
    grants = tuple(grant for grant in viewer.grants if grant.covers(facts["_id"], TRANSCRIPT))
    if not grants:
        return RowDecision(without, without)
    granted = own.union(*(grant.classes for grant in grants))
    return RowDecision(viewer.decide(record_type, ties, granted), without, grants)


def reads(held: RowDecision) -> bool:
    """Whether it opens a grade: all of it, or nothing."""
    return held.decision.readable >= VALUE


async def grades_of_students(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId], term_id: ObjectId | None = None
) -> list[StudentGrades | None]:
    """Grades of each student, of one term or all, by term and course; None where the viewer reads none.

    What is shown is recorded as read of the student.
    """
    while True:
        try:
            return await _grades_once(store, viewer, student_ids, term_id)
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)


async def _grades_once(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId], term_id: ObjectId | None
) -> list[StudentGrades | None]:
    scope, facts = student_scope(viewer), await facts_by_id(store, viewer, student_ids)
    query: Row = {"student_id": {"$in": list(facts)}}
    if term_id is not None:
        query["term_id"] = term_id
    rows = await store.database.collection(GradeRecord).find(query).to_list()
    taught = await _taught(store, viewer)
    base = {key: decide_on_grade(scope, row) for key, row in facts.items()}
    shown, owed = [], defaultdict(set)
    for row in rows:
        key = row["student_id"]
        held = base[key]
        if row["arrangement_id"] in taught:
            held = decide_on_grade(scope, facts[key], teaches=True)
        if reads(held):
            shown.append(row)
            owed[held.grants_for(VALUE)].add(key)
    read = [ReadRows(VALUE, sorted(keys), grants) for grants, keys in owed.items()]
    await record_reading(store, viewer, GradeRecord, read, purpose=purpose_of(viewer))
    views = await views_of(store, shown)
    by_student: dict[ObjectId, list[GradeView]] = defaultdict(list)
    for view in views:
        by_student[view.record.student_id].append(view)
    return [
        StudentGrades(by_student[key], reads(base[key]), base[key].decision.why_withheld(FieldClass.F3))
        if key in base
        else None
        for key in student_ids
    ]


def purpose_of(viewer: Viewer) -> str | None:
    """Why those whose work it is read grades, where they state nothing."""
    works = viewer.holds_any(_KEEPERS | {Post.TEACHER})
    return TEACHING if works else None


async def _taught(store: Store, viewer: Viewer) -> frozenset[ObjectId]:
    """Arrangements that the viewer teaches today, of classes that a role grant in force gives them."""
    classes = viewer.class_names | viewer.homeroom_class_names
    if not classes or viewer.is_service:
        return frozenset()
    today = school_day(store.clock.now()).isoformat()
    begun: Row = {"$or": [{"teacher_from": None}, {"teacher_from": {"$lte": today}}]}
    query: Row = {
        "class_name": {"$in": sorted(classes)},
        "$or": [
            {"teacher_id": viewer.person_id, **begun},
            {"earlier_teacher_id": viewer.person_id, "teacher_from": {"$gt": today}},
        ],
    }
    rows = store.database.collection(CourseArrangement).find(query, {"_id": 1})
    return frozenset([row["_id"] async for row in rows])


async def views_of(store: Store, rows: Sequence[Row]) -> list[GradeView]:
    """Grades as stored, with what they name, by term and course. Whether they may be shown is decided before."""
    await store.cipher.decrypt_paths(rows, encrypted_paths(GradeRecord))
    records = [GradeRecord.model_validate(row) for row in rows]
    courses = await _by_key(store, Course, [record.course_id for record in records])
    terms = await _by_key(store, Term, [record.term_id for record in records])
    held = await _by_key(store, CourseArrangement, [record.arrangement_id for record in records])
    views = [
        GradeView(
            record,
            courses[record.course_id].in_term_of(terms[record.term_id].first_day),
            terms[record.term_id],
            held[record.arrangement_id],
        )
        for record in records
    ]
    return sorted(views, key=lambda view: (view.term.first_day, view.course.code, view.id))


async def grade_decisions(
    store: Store, viewer: Viewer, grade_ids: Sequence[ObjectId]
) -> dict[ObjectId, RowDecision]:
    """How the viewer stands to each grade of a student in sight."""
    wanted = {"_id": {"$in": list(grade_ids)}}
    fields = {"student_id": 1, "arrangement_id": 1}
    rows = await store.database.collection(GradeRecord).find(wanted, fields).to_list()
    scope = student_scope(viewer)
    facts = await facts_by_id(store, viewer, [row["student_id"] for row in rows])
    taught = await _taught(store, viewer)
    return {
        row["_id"]: decide_on_grade(scope, facts[row["student_id"]], teaches=row["arrangement_id"] in taught)
        for row in rows
        if row["student_id"] in facts
    }


async def grades_by_id(store: Store, viewer: Viewer, grade_ids: Sequence[ObjectId]) -> list[GradeView | None]:
    """Grades in the order of the ids; None where the viewer reads none. Recorded as read."""
    while True:
        decisions = await grade_decisions(store, viewer, grade_ids)
        seen = [key for key, held in decisions.items() if reads(held)]
        rows = await store.database.collection(GradeRecord).find({"_id": {"$in": seen}}).to_list()
        read = [ReadRows(VALUE, [row["student_id"]], decisions[row["_id"]].grants_for(VALUE)) for row in rows]
        try:
            await record_reading(store, viewer, GradeRecord, read, purpose=purpose_of(viewer))
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)
        else:
            break
    views = {view.id: view for view in await views_of(store, rows)}
    return [views.get(key) for key in grade_ids]


async def request_decisions(
    store: Store, viewer: Viewer, grade_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    """As requests about grades are read: a retrieval grant opens the grade, not what is asked of it."""
    decisions = await grade_decisions(store, viewer, grade_ids)
    return {key: held.without_grants for key, held in decisions.items()}


async def find_grade_row(
    store: Store, viewer: Viewer | None, key: ObjectId, session: AsyncClientSession | None = None
) -> dict[str, Any] | None:
    """A grade as stored, decrypted; None without one that the viewer reads. Without a viewer, for the store itself."""
    row = await store.database.collection(GradeRecord).find_one({"_id": key}, session=session)
    if row is None:
        return None
    if viewer is not None:
        held = (await grade_decisions(store, viewer, [key])).get(key)
        if held is None or not reads(held):
            return None
        read = ReadRows(VALUE, [row["student_id"]], held.grants_for(VALUE))
        await record_reading(store, viewer, GradeRecord, [read], purpose=purpose_of(viewer))
    await store.cipher.decrypt_paths([row], encrypted_paths(GradeRecord))
    return row
