"""Entry and correction of grades, and who reads them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.academics.averages import RankWithin, rank_of_student
from archive_store.academics.documents import CourseArrangement, GradeKind, GradeRecord, GradeStatus
from archive_store.academics.queries import find_grade_row, grades_of_students
from archive_store.access.policy import Withheld
from archive_store.approvals.documents import RequestStatus
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import RegistrarError
from archive_store.oversight.histories import HISTORIES, SubjectType
from archive_store.readings.queries import access_histories
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.documents import Student
from tests.academics.terms import (
    FIRST,
    OFFICE,
    SECOND,
    Arranged,
    arrange,
    arranged,
    correct,
    enter,
    grade_key,
    in_two_classes,
    open_course,
    open_term,
    scores,
    students_of,
)
from tests.retrieval.test_grants import given
from tests.school import School


def faults(report: Any) -> list[tuple[int, str, str]]:
    return [(place, fault.code, fault.field) for place, fault in report.faults]


async def stored(school: School, key: ObjectId) -> tuple[str, str | None]:
    row = await find_grade_row(school.store, None, key)
    assert row is not None
    return row["status"], row["score"]


async def seen(school: School, subject: str, student: ObjectId, purpose: str | None = "核对") -> Any:
    viewer = await school.viewer(subject, purpose)
    return (await grades_of_students(school.store, viewer, [student]))[0]


async def refused(school: School, code: str, doing: Any) -> RegistrarError:
    before = await school.counts()
    with pytest.raises(RegistrarError) as told:
        await doing
    assert told.value.code == code
    assert await school.counts() == before
    return told.value


async def test_a_class_is_entered_at_once_and_stored_encrypted(school: School) -> None:
    held = await arranged(school)
    one, two, *others = held.students
    rows = [{"student_id": one, "score": "085.0"}, {"student_id": two, "status": GradeStatus.ABSENT}]
    report = await enter(school, held.arrangement, rows)
    assert (report.entered, report.faults, list(report.missing)) == (2, (), sorted(others))
    assert await stored(school, await grade_key(school, one)) == ("ENTERED", "85")
    assert await stored(school, await grade_key(school, two)) == ("ABSENT", None)
    raw = await school.store.database.collection(GradeRecord).find_one({"student_id": one})
    assert raw is not None
    assert isinstance(raw["score"], bytes) and isinstance(raw["status"], bytes)


async def test_every_row_at_fault_is_told_and_then_none_is_entered(school: School) -> None:
    held = await arranged(school)
    one, two, three = held.students[:3]
    (outsider, *_) = await students_of(school, SECOND)
    rows = [
        {"student_id": one, "score": "101"},
        {"student_id": two, "score": "A"},
        {"student_id": two, "score": "70"},
        {"student_id": three},
        {"student_id": outsider, "score": "70"},
        {"student_id": ObjectId(), "score": "70"},
    ]
    before = await school.counts()
    report = await enter(school, held.arrangement, rows)
    assert faults(report) == [
        (0, "out_of_range", "rows.0.score"),
        (1, "out_of_range", "rows.1.score"),
        (2, "duplicate", "rows.2.student_id"),
        (3, "required", "rows.3.score"),
        (4, "not_found", "rows.4.student_id"),
        (5, "not_found", "rows.5.student_id"),
    ]
    assert report.entered == 0
    assert await school.counts() == before


async def test_a_dry_run_writes_nothing(school: School) -> None:
    held = await arranged(school)
    before = await school.counts()
    report = await enter(school, held.arrangement, scores(held.students, "80"), dry_run=True)
    assert (report.entered, report.faults) == (0, ())
    assert await school.counts() == before


async def test_nothing_is_entered_twice(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "80", "90"))
    report = await enter(school, held.arrangement, scores(held.students, "95"))
    assert faults(report) == [(0, "duplicate", "rows.0.student_id")]
    assert await stored(school, await grade_key(school, held.students[0])) == ("ENTERED", "80")


async def test_two_entries_at_once_are_one(school: School) -> None:
    held = await arranged(school)
    rows = scores(held.students, "80", "90")
    both = (enter(school, held.arrangement, rows) for _ in range(2))
    told = await asyncio.gather(*both, return_exceptions=True)
    grades = school.store.database.collection(GradeRecord)
    assert await grades.count_documents({}) == 2
    (refusal,) = [one for one in told if isinstance(one, RegistrarError) or one.faults]  # type: ignore[union-attr]
    assert "duplicate" in str(refusal)


async def test_a_thousand_rows_are_entered(school: School) -> None:
    held = await arranged(school)
    students = school.store.database.collection(Student)
    like = await students.find_one({"_id": held.students[0]})
    assert like is not None
    unique = ("_id", "person_id", "pseudonym", "auxiliary_number")
    many = [
        {**like, **dict(zip(unique, (ObjectId(), ObjectId(), f"p{place}", f"n{place}"), strict=True))}
        for place in range(1000)
    ]
    await students.insert_many(many)
    rows = [{"student_id": row["_id"], "score": str(place % 101)} for place, row in enumerate(many)]
    report = await enter(school, held.arrangement, rows)
    assert (report.entered, set(report.missing)) == (1000, set(held.students))
    over = [*rows, {"student_id": held.students[0], "score": "80"}]
    await refused(school, "too_many", enter(school, held.arrangement, over))


async def test_only_academic_affairs_enters_and_only_what_is_arranged(school: School) -> None:
    held = await arranged(school)
    for subject in ("teacher", "director", "information", "logistics"):
        entry = enter(school, held.arrangement, scores(held.students, "80"), subject=subject)
        await refused(school, "forbidden", entry)
    await refused(school, "not_found", enter(school, ObjectId(), scores(held.students, "80")))


async def test_a_term_must_have_begun(school: School) -> None:
    today = school_day(school.store.clock.now())
    days = {"first_day": today + timedelta(days=1), "last_day": today + timedelta(days=90)}
    await in_two_classes(school)
    term, course = await open_term(school, **days), await open_course(school)
    arrangement = await arrange(school, term, course)
    students = await students_of(school, FIRST)
    await refused(school, "wrong_state", enter(school, arrangement, scores(students, "80")))


async def test_a_makeup_is_for_whoever_did_not_pass_and_a_retake_for_whoever_took_it(school: School) -> None:
    held = await arranged(school)
    passed, failed = held.students[:2]
    await enter(school, held.arrangement, scores(held.students, "60", "59.5"))
    makeup = [{"student_id": key, "score": "70"} for key in held.students]
    report = await enter(school, held.arrangement, makeup, kind=GradeKind.MAKEUP)
    assert [place for place, _ in report.faults] == [0, *range(2, len(held.students))]
    assert (await enter(school, held.arrangement, makeup[1:2], kind=GradeKind.MAKEUP)).entered == 1
    other = await arrange(school, held.term, held.course, SECOND)
    retakes = [{"student_id": failed, "score": "88"}]
    assert (await enter(school, other, retakes, kind=GradeKind.RETAKE)).entered == 1
    (never, *_) = await students_of(school, SECOND)
    report = await enter(school, other, [{"student_id": never, "score": "88"}], kind=GradeKind.RETAKE)
    assert faults(report) == [(0, "wrong_state", "rows.0.student_id")]
    assert passed != failed


async def test_a_correction_waits_for_the_head_and_keeps_old_and_new(school: School) -> None:
    held = await arranged(school)
    one = held.students[0]
    await enter(school, held.arrangement, scores(held.students, "80"))
    request = await correct(school, one, score="86")
    key = await grade_key(school, one)
    assert await stored(school, key) == ("ENTERED", "80")
    assert await school.approve("director", request) is RequestStatus.APPLIED
    assert await stored(school, key) == ("CORRECTED", "86")
    history = HISTORIES[SubjectType.GRADE_RECORD]
    viewer = await school.viewer("director")
    (page,) = await history.pages(school.store, viewer, [key], first=10)
    assert page is not None
    newest = page.rows[0]
    told = {change.field: (change.before, change.after) for change in newest.changes}
    assert (newest.kind, told) == (
        "grade:correct",
        {"score": ("80", "86"), "status": ("ENTERED", "CORRECTED")},
    )
    for subject in ("information", "principal", "archive"):
        assert await history.pages(school.store, await school.viewer(subject), [key], first=10) == [None]


async def test_two_corrections_at_once_are_a_conflict(school: School) -> None:
    held = await arranged(school)
    one = held.students[0]
    await enter(school, held.arrangement, scores(held.students, "80"))
    first, second = await correct(school, one, score="86"), await correct(school, one, score="90")
    await school.approve("director", first)
    with pytest.raises(RegistrarError) as told:
        await school.approve("director", second)
    assert told.value.code == "conflict"
    assert await stored(school, await grade_key(school, one)) == ("CORRECTED", "86")


async def test_a_correction_that_changes_nothing_or_is_not_theirs_is_refused(school: School) -> None:
    held = await arranged(school)
    one = held.students[0]
    await enter(school, held.arrangement, scores(held.students, "80"))
    with pytest.raises(RegistrarError) as told:
        await correct(school, one, score="80")
    assert told.value.code == "nothing_to_change"
    for subject in ("teacher", "director", "information"):
        await refused(school, "forbidden", correct(school, one, subject=subject, score="90"))


async def families(school: School, held: Arranged) -> tuple[ObjectId, ObjectId]:
    """The students of the demo accounts: one of the class, with a guardian; and another."""
    own, other = held.students[:2]
    await link_account(school.store, own, "own")
    await link_guardian_account(school.store, own, 0, "parent")
    return own, other


async def test_grades_are_read_by_few(school: School) -> None:
    held = await arranged(school)
    own, other = await families(school, held)
    await enter(school, held.arrangement, scores(held.students, "80", "90"))
    for subject in (OFFICE, "director", "teacher"):
        assert [view.record.score for view in (await seen(school, subject, own)).grades] == ["80"], subject
    for subject in ("own", "parent"):
        assert [view.record.score for view in (await seen(school, subject, own, None)).grades] == ["80"]
        assert await seen(school, subject, other, None) is None
    for subject in (
        "information",
        "deputy-1",
        "archive",
        "principal",
        "vice-principal",
        "logistics",
        "admissions",
    ):
        told = await seen(school, subject, own)
        assert (list(told.grades), told.are_all) == ([], False), subject
    without = await seen(school, "director", own, None)
    assert (list(without.grades), without.why) == ([], "PURPOSE_REQUIRED")


async def test_a_teacher_reads_the_course_that_is_theirs(school: School) -> None:
    held = await arranged(school, SECOND)
    course = await open_course(school, "CHIN")
    arrangement = await arrange(school, held.term, course, SECOND)
    await school.store.database.collection(CourseArrangement).update_one(
        {"_id": arrangement}, {"$set": {"teacher_id": ObjectId()}}
    )
    one = held.students[0]
    await enter(school, held.arrangement, scores(held.students, "80"))
    await enter(school, arrangement, scores(held.students, "91"))
    told = await seen(school, "teacher", one)
    assert ([view.record.score for view in told.grades], told.are_all) == (["80"], False)
    assert [view.record.score for view in (await seen(school, OFFICE, one)).grades] == ["91", "80"]


async def test_a_reading_is_recorded_of_the_student(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "80"))
    events = school.store.database.mongo["access_events"]
    before = await events.count_documents({})
    await seen(school, "director", held.students[0])
    assert await events.count_documents({}) == before + 1
    await seen(school, "information", held.students[0])
    assert await events.count_documents({}) == before + 1
    await link_account(school.store, held.students[0], "own")
    (page,) = await access_histories(
        school.store, await school.viewer("own", None), [held.students[0]], first=5
    )
    assert page is not None
    assert [(row.actor_name, row.fields, row.purpose) for row in page.rows] == [
        ("赵主任", ("grades",), "核对")
    ]


async def test_a_grant_for_transcripts_opens_grades_and_ends(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "80", "90"))
    one, two = held.students[:2]
    await given(school, "archive", "director", student_id=one, document_type="成绩单", views=1)
    told = await seen(school, "archive", one, None)
    assert ([view.record.score for view in told.grades], told.are_all) == (["80"], True)
    # It opens grades of nobody else, no rank, and nothing when its view is taken.
    assert list((await seen(school, "archive", two, None)).grades) == []
    rank = await rank_of_student(school.store, await school.viewer("archive"), one, RankWithin.CLASS)
    assert rank is Withheld.NOT_PERMITTED
    assert list((await seen(school, "archive", one, None)).grades) == []
