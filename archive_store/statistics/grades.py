"""Grade distributions (成绩分布) by term and course, and by grade (年级) or class of the arrangement.

Scores are F3 and encrypted, so they are counted here and not by MongoDB: of the terms and courses asked for, loaded in
blocks and decrypted in threads. Of a grade no more is loaded than its place and its score, never whose it is. Nothing
is recorded: no value of a student is shown (`grade_rules` says what is protected).

Counted is the regular exam (正考); makeups and retakes are of fewer students and another choice of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bson import ObjectId

from archive_store.academics.documents import (
    Course,
    GradeKind,
    GradeRecord,
    GradeStatus,
    GradingScheme,
    Term,
)
from archive_store.access.policy import ACCESS_RULE
from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.analysis.rules import Cell
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.organisation.documents import Cohort, SchoolClass
from archive_store.organisation.rules import grade_on
from archive_store.statistics.grade_rules import (
    BandCount,
    CountedGrade,
    Distribution,
    GradeBand,
    band_of,
    distributions,
)
from archive_store.statistics.periods import check_terms
from archive_store.statistics.telling import CELLS_LIMIT

TERMS_LIMIT = 8
COURSES_LIMIT = 50
# Of one question: some 15 seconds of a thread.
GRADES_LIMIT = 250_000
_BLOCK = 1_000
# Questions that are counted at a time; another is told to come again.
_counting = threading.BoundedSemaphore(2)


class GradesBy(StrEnum):
    """What a distribution is of, within its term and course."""

    SCHOOL = "SCHOOL"  # 全校
    GRADE = "GRADE"  # 年级, as it was called on the first day of the term
    CLASS = "CLASS"  # 班级, and so the arrangement


@dataclass(frozen=True, slots=True)
class GradeDistribution:
    """The grades of one course in one term: of all, or of one grade or class. See `grade_rules.Distribution`."""

    term: Term
    course: Course
    grade: str | None
    class_name: str | None
    told: Distribution

    @property
    def bands(self) -> Sequence[BandCount]:
        return self.told.bands


@dataclass(frozen=True, slots=True)
class GradeDistributions:
    """By term and course, and by place in it."""

    smallest_cell: int
    by: GradesBy
    distributions: Sequence[GradeDistribution]


def check_counts_grades(viewer: Viewer) -> None:
    """FORBIDDEN without a post of `grade_statistics`; of a service account also without the scopes for it."""
    scopes = (Scope.STATISTICS_READ, Scope.STUDENT_READ_SENSITIVE)
    if not all(viewer.has_scope(scope) for scope in scopes):
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=ACCESS_RULE)
    if not viewer.holds_any(viewer.policy.rules.grade_statistics):
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=ACCESS_RULE)


async def grade_distributions(
    store: Store,
    viewer: Viewer,
    terms: Sequence[str],
    courses: Sequence[str] = (),
    by: GradesBy = GradesBy.SCHOOL,
) -> GradeDistributions:
    """Of terms spelt `2025-1` and the codes of courses, or of all courses; what has no grades is absent.

    FORBIDDEN as `check_counts_grades` says; TOO_MANY of terms or courses; TOO_LARGE on `terms` of too many grades.
    """
    check_counts_grades(viewer)
    if len(courses) > COURSES_LIMIT:
        raise RegistrarError(ErrorCode.TOO_MANY, field="courses", limit=COURSES_LIMIT)
    asked = [{"school_year": year, "number": number} for year, number in check_terms(terms, most=TERMS_LIMIT)]
    held_terms = [
        Term.model_validate(row) async for row in store.database.collection(Term).find({"$or": asked})
    ]
    wanted: Row = {"code": {"$in": list(courses)}} if courses else {}
    held_courses = [
        Course.model_validate(row) async for row in store.database.collection(Course).find(wanted)
    ]
    schemes = {course.key: course.scheme for course in held_courses}
    places = await _places(store, held_terms, by)
    query: Row = {"term_id": {"$in": [term.key for term in held_terms]}, "kind": GradeKind.REGULAR.value}
    if courses:
        query["course_id"] = {"$in": list(schemes)}
    if not _counting.acquire(blocking=False):
        raise RegistrarError(ErrorCode.TRY_AGAIN)
    try:
        counted = await _counted(store, query, schemes, places)
    finally:
        _counting.release()
    smallest = viewer.policy.rules.smallest_cell
    within = [(1, 0)] if by is GradesBy.CLASS else []

    def told() -> list[GradeDistribution]:
        return [
            GradeDistribution(term, course, *_named(by, held.place), held)
            for term in sorted(held_terms, key=lambda term: term.first_day)
            for course in sorted(held_courses, key=lambda course: course.code)
            for held in distributions(counted.get((term.key, course.key), ()), smallest, within=within)
        ]

    found = await asyncio.to_thread(told)
    if len(found) > CELLS_LIMIT:
        raise RegistrarError(ErrorCode.TOO_LARGE, field="courses", limit=f"{CELLS_LIMIT} rows")
    return GradeDistributions(smallest, by, found)


def _named(by: GradesBy, place: Cell) -> tuple[str | None, str | None]:
    grade = None if by is GradesBy.SCHOOL else place[0]
    class_name = place[1] if by is GradesBy.CLASS else None
    return (None if grade is None else str(grade), None if class_name is None else str(class_name))


@dataclass(frozen=True, slots=True)
class _PlacesOf:
    """Where a grade of a term and class stands; a class that the structure does not have is of no grade."""

    by: GradesBy
    grades: Mapping[tuple[ObjectId, str], str]

    def place(self, term: ObjectId, class_name: str) -> Cell:
        if self.by is GradesBy.SCHOOL:
            return ()
        grade = self.grades.get((term, class_name))
        return (grade,) if self.by is GradesBy.GRADE else (grade, class_name)


async def _places(store: Store, terms: Sequence[Term], by: GradesBy) -> _PlacesOf:
    if by is GradesBy.SCHOOL:
        return _PlacesOf(by, {})
    database = store.database
    cohorts = {row["_id"]: Cohort.model_validate(row) async for row in database.collection(Cohort).find({})}
    classes = await database.collection(SchoolClass).find({}, {"name": 1, "cohort_id": 1}).to_list()
    grades = {
        (term.key, row["name"]): grade_on(cohorts[row["cohort_id"]], term.first_day)
        for term in terms
        for row in classes
        if row["cohort_id"] in cohorts
    }
    return _PlacesOf(by, grades)


_Counted = dict[tuple[ObjectId, ObjectId], list[CountedGrade]]


async def _counted(
    store: Store, query: Row, schemes: Mapping[ObjectId, GradingScheme], places: _PlacesOf
) -> _Counted:
    """The grades by term and course, a block of them decrypted at a time."""
    collection = store.database.collection(GradeRecord)
    if await collection.count_documents(query, limit=GRADES_LIMIT + 1) > GRADES_LIMIT:
        raise RegistrarError(ErrorCode.TOO_LARGE, field="terms", limit=f"{GRADES_LIMIT} grades")
    shown = {"_id": 0, "term_id": 1, "course_id": 1, "class_name": 1, "score": 1, "status": 1}
    counted: _Counted = defaultdict(list)

    def count(block: Sequence[Row]) -> None:
        for row in block:
            place = places.place(row["term_id"], row["class_name"])
            found = _grade(row, schemes[row["course_id"]], place)
            counted[row["term_id"], row["course_id"]].append(found)

    cursor = collection.find(query, shown).batch_size(_BLOCK)
    while block := await cursor.to_list(_BLOCK):
        await store.cipher.decrypt_paths(block, ["score"])
        # The status says something new only of an exam without a score.
        await store.cipher.decrypt_paths([row for row in block if row.get("score") is None], ["status"])
        await asyncio.to_thread(count, block)
    return counted


def _grade(row: Row, scheme: GradingScheme, place: Cell) -> CountedGrade:
    score = row.get("score")
    if score is None:
        is_absent = row["status"] == GradeStatus.ABSENT
        return CountedGrade(place, GradeBand.ABSENT if is_absent else GradeBand.DEFERRED)
    number = Decimal(score) if scheme is GradingScheme.PERCENT else None
    return CountedGrade(place, band_of(scheme, score), number)
