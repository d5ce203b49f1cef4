"""Scores, points, averages and ranks: the rules, and who is told."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from archive_store.academics.averages import Rank, RankWithin, average, rank_of_student
from archive_store.academics.documents import DEFAULT_GRADE_POINT_RULES, GradeKind, GradeStatus, GradingScheme
from archive_store.academics.queries import grades_of_students
from archive_store.academics.rules import (
    Counted,
    checked_score,
    gpa_of,
    passes,
    rank_of,
    scale_from,
)
from archive_store.access.policy import Withheld
from archive_store.foundation.errors import RegistrarError
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.documents import Student
from tests.academics.terms import FIRST, OFFICE, arrange, enter, open_course, open_term, scores, students_of
from tests.school import School

PERCENT, LEVELS, PASS_FAIL = GradingScheme
SCALE = scale_from(0, DEFAULT_GRADE_POINT_RULES)
REGULAR, MAKEUP, RETAKE = GradeKind
ENTERED, CORRECTED, ABSENT, DEFERRED = GradeStatus


def counted(
    score: str | None,
    held: str = "4",
    *,
    course: ObjectId | None = None,
    scheme: GradingScheme = PERCENT,
    kind: GradeKind = REGULAR,
    status: GradeStatus = ENTERED,
) -> Counted:
    return Counted(course or ObjectId(), Decimal(held), scheme, kind, status, score)


@pytest.mark.parametrize(
    ("scheme", "written", "stored"),
    [
        (PERCENT, "0", "0"),
        (PERCENT, "100", "100"),
        (PERCENT, "100.0", "100"),
        (PERCENT, "059.5", "59.5"),
        (LEVELS, " a ", "A"),
        (PASS_FAIL, "P", "P"),
    ],
)
def test_a_score_is_stored_in_one_spelling(scheme: GradingScheme, written: str, stored: str) -> None:
    assert checked_score(scheme, ENTERED, written) == stored


@pytest.mark.parametrize(
    ("scheme", "status", "written", "code"),
    [
        (PERCENT, ENTERED, "100.1", "out_of_range"),
        (PERCENT, ENTERED, "-1", "out_of_range"),
        (PERCENT, ENTERED, "99.95", "out_of_range"),
        (PERCENT, ENTERED, "1e1", "out_of_range"),
        (PERCENT, ENTERED, "８０", "out_of_range"),
        (PERCENT, ENTERED, "nan", "out_of_range"),
        (PERCENT, ENTERED, " ", "required"),
        (PERCENT, ENTERED, None, "required"),
        (PERCENT, CORRECTED, None, "required"),
        (PERCENT, ABSENT, "0", "invalid_argument"),
        (PERCENT, DEFERRED, "80", "invalid_argument"),
        (LEVELS, ENTERED, "E", "unknown_code"),
        (LEVELS, ENTERED, "AB", "unknown_code"),
        (PASS_FAIL, ENTERED, "A", "unknown_code"),
    ],
)
def test_what_is_no_score(scheme: GradingScheme, status: GradeStatus, written: str | None, code: str) -> None:
    with pytest.raises(RegistrarError) as told:
        checked_score(scheme, status, written)
    assert (told.value.code, told.value.field) == (code, "score")


@pytest.mark.parametrize(
    ("score", "points"),
    [("100", "4.0"), ("90", "4.0"), ("89.9", "3.7"), ("85", "3.7"), ("60", "1.0"), ("59.9", "0"), ("0", "0")],
)
def test_points_by_band(score: str, points: str) -> None:
    assert SCALE.points(PERCENT, REGULAR, ENTERED, score) == Decimal(points)


def test_an_average_is_weighted_by_credits() -> None:
    grades = [counted("90", "4"), counted("62", "1"), counted("A", "2", scheme=LEVELS)]
    told = gpa_of([*grades, counted("P", "9", scheme=PASS_FAIL)], SCALE)
    # (4 x 4.0 + 1 x 1.0 + 2 x 4.0) / 7 = 3.571...
    assert told is not None
    assert (told.value, told.credits, told.scale) == (Decimal("3.57"), 7, 0)


def test_of_a_course_taken_again_the_best_counts_once_and_a_makeup_one_point_at_most() -> None:
    course = ObjectId()
    failed = counted("40", course=course)
    for again, value in ((MAKEUP, "1.00"), (RETAKE, "4.00")):
        told = gpa_of([failed, counted("95", course=course, kind=again)], SCALE)
        assert told is not None
        assert (told.value, told.credits) == (Decimal(value), 4)


def test_a_missed_exam_counts_nothing_and_a_deferred_one_not_at_all() -> None:
    missed = counted(None, status=ABSENT)
    told = gpa_of([counted("95"), missed], SCALE)
    assert told is not None
    assert (told.value, told.credits) == (Decimal("2.00"), 8)
    assert gpa_of([counted(None, status=DEFERRED), counted("P", scheme=PASS_FAIL)], SCALE) is None
    assert gpa_of([counted("90", "0")], SCALE) is None


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 20)), min_size=1, max_size=20))
def test_an_average_lies_between_least_and_most(grades: list[tuple[int, int]]) -> None:
    scale = SCALE
    held = [counted(f"{tenths / 10}", str(halves / 2)) for tenths, halves in grades]
    points = [scale.points(PERCENT, REGULAR, ENTERED, grade.score) or Decimal(0) for grade in held]
    told = gpa_of(held, scale)
    assert told is not None
    assert min(points) <= told.value <= max(points)


def test_equal_averages_share_a_place() -> None:
    values = [Decimal(text) for text in ("3.50", "3.50", "2.00", "4.00")]
    assert [rank_of(value, values) for value in values] == [2, 2, 4, 1]


def test_what_passes() -> None:
    assert passes(PERCENT, ENTERED, "60") and not passes(PERCENT, ENTERED, "59.9")
    assert passes(LEVELS, ENTERED, "D") and not passes(LEVELS, ENTERED, "F")
    assert not passes(PERCENT, ABSENT, None)


async def graded(school: School, *given: str) -> tuple[ObjectId, ...]:
    """Everybody in the first class, with these scores."""
    await school.store.database.collection(Student).update_many({}, {"$set": {"class_name": FIRST}})
    students = await students_of(school, FIRST)
    arrangement = await arrange(school, await open_term(school), await open_course(school))
    await enter(school, arrangement, scores(students, *given))
    await link_account(school.store, students[0], "own")
    await link_guardian_account(school.store, students[0], 0, "parent")
    return students


async def ranked(
    school: School,
    subject: str,
    student: ObjectId,
    purpose: str | None = "评优",
    within: RankWithin = RankWithin.CLASS,
) -> Rank | Withheld | None:
    return await rank_of_student(school.store, await school.viewer(subject, purpose), student, within)


async def test_a_rank_is_told_to_who_reads_all_and_ones_own_to_the_student(school: School) -> None:
    students = await graded(school, "91", "86", "86", "70", "61")
    for subject in (OFFICE, "director", "teacher"):
        told = [await ranked(school, subject, key) for key in students]
        assert told == [*(Rank(place, 5) for place in (1, 2, 2, 4, 5)), None], subject
    assert await ranked(school, "own", students[0], None) == Rank(1, 5)
    assert await ranked(school, OFFICE, students[0], within=RankWithin.GRADE) == Rank(1, 5)
    for subject in ("own", "parent"):
        assert await ranked(school, subject, students[1], None) is Withheld.NOT_PERMITTED
    # A guardian reads the grades of one child, not of all who are ranked.
    assert await ranked(school, "parent", students[0], None) is Withheld.NOT_PERMITTED
    for subject in ("information", "principal", "deputy-1", "logistics", "analysis"):
        assert await ranked(school, subject, students[0]) is Withheld.NOT_PERMITTED, subject
    assert await ranked(school, "director", students[0], None) is Withheld.PURPOSE_REQUIRED


async def test_a_small_group_is_not_ranked(school: School) -> None:
    students = await graded(school, "91", "86", "86", "70")
    for subject in (OFFICE, "own"):
        assert await ranked(school, subject, students[0]) is None


async def test_an_average_is_of_what_is_stored(school: School) -> None:
    students = await graded(school, "91", "59")
    viewer = await school.viewer(OFFICE)
    values = []
    for held in await grades_of_students(school.store, viewer, students[:3]):
        assert held is not None and held.are_all
        told = average(held.grades, SCALE)
        values.append(told and told.value)
    assert values == [Decimal("4.00"), Decimal("0.00"), None]
