"""Courses and arrangements that change: nothing of the past does, and rights end with the day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.academics.averages import average
from archive_store.academics.changes import CourseArrangementChange, CourseArrangementClose, CourseChange
from archive_store.academics.documents import Course, CourseArrangement, CourseTerms, GradingScheme
from archive_store.academics.queries import grades_of_students
from archive_store.academics.scales import scale_of
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.posts import Post
from archive_store.people.documents import RoleGrant
from schema.nodes import global_id
from tests.academics.terms import (
    OFFICE,
    SECOND,
    Arranged,
    arrange,
    arranged,
    enter,
    open_course,
    open_term,
    scores,
)
from tests.organisation.test_graphql import mutate, run
from tests.school import School

KINDS: dict[str, Any] = {
    "course.change": CourseChange,
    "course_arrangement.change": CourseArrangementChange,
    "course_arrangement.close": CourseArrangementClose,
}


async def ask(school: School, name: str, subject: str = OFFICE, /, **values: Any) -> ObjectId:
    payload = payload_of(KINDS[name], values)
    outcome = await perform(school.store, await school.viewer(subject), name, payload, reason="教务会议决定")
    assert outcome.change_request_id is not None and not outcome.applied
    return outcome.change_request_id


async def changed(school: School, name: str, /, **values: Any) -> None:
    await school.approve("director", await ask(school, name, **values))


async def refusal(
    school: School, name: str, subject: str = OFFICE, /, **values: Any
) -> tuple[str, str | None]:
    before = await school.counts()
    with pytest.raises(RegistrarError) as refused:
        await ask(school, name, subject, **values)
    assert await school.counts() == before
    return refused.value.code, refused.value.field


def today(school: School) -> date:
    return school_day(school.store.clock.now())


async def coming_term(school: School, year: int = 2025, days: int = 100) -> ObjectId:
    first = today(school) + timedelta(days=days)
    last = first + timedelta(days=90)
    return await open_term(school, school_year=year, number=2, first_day=first, last_day=last)


async def another_teacher(school: School, subject: str = "logistics") -> ObjectId:
    """A person who teaches the second class now, too."""
    person_id = (await school.viewer(subject)).person_id
    held = RoleGrant(
        person_id=person_id,
        post=Post.TEACHER,
        class_names=[SECOND],
        valid_from=today(school) - timedelta(days=9),
        qualified=True,
        confidentiality_undertaken=True,
    )
    await school.store.database.collection(RoleGrant).insert_one(held.to_bson())
    school.store.versions_seen.clear()
    return person_id


async def read_by(school: School, subject: str, held: Arranged) -> list[str | None]:
    (told,) = await grades_of_students(school.store, await school.viewer(subject), held.students[:1])
    return [] if told is None else [view.record.score for view in told.grades]


async def test_a_course_is_otherwise_from_a_coming_term_on_only(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "90"))
    english = await open_course(school, "ENG", credits=4)
    await enter(school, await arrange(school, held.term, english), scores(held.students, "60"))
    term = await coming_term(school)
    later = await arrange(school, term, held.course)
    await changed(
        school, "course.change", course_id=held.course, from_term_id=term, name="数学与统计", credits=2
    )
    (told,) = await grades_of_students(school.store, await school.viewer(OFFICE), held.students[:1])
    assert told is not None
    assert [(view.course.name, view.course.credits) for view in told.grades][1] == ("数学", 4)
    # (4.0 x 4 + 1.0 x 4) / 8, and not weighted by 2
    gpa = average(told.grades, await scale_of(school.store))
    assert gpa is not None and str(gpa.value) == "2.50"
    query = "query ($id: ID!) { node(id: $id) { ... on CourseArrangement { course { name credits } } } }"
    for key, shown in ((held.arrangement, ("数学", 4.0)), (later, ("数学与统计", 2.0))):
        data, _ = await run(school, OFFICE, query, id=global_id("CourseArrangement", key))
        assert tuple(data["node"]["course"].values()) == shown
    # Until its term comes, it can be changed once more; what held before stays what it was.
    await changed(school, "course.change", course_id=held.course, from_term_id=term, credits=3)
    course = Course.model_validate(
        await school.store.database.collection(Course).find_one({"_id": held.course})
    )
    assert (course.name, course.credits, len(course.earlier)) == ("数学与统计", 3, 1)
    assert course.earlier[0].credits == 4


async def test_what_a_change_of_a_course_may_not_be(school: School) -> None:
    held = await arranged(school)
    term, after = await coming_term(school), await coming_term(school, 2026, 250)
    told = {"course_id": held.course, "from_term_id": term}
    name = "course.change"
    assert await refusal(school, name, **told) == ("nothing_to_change", "name")
    assert await refusal(school, name, **told, name="=1+1") == ("formula", "name")
    assert await refusal(school, name, **told, credits=4.3) == ("invalid_argument", "credits")
    begun = {**told, "from_term_id": held.term}
    assert await refusal(school, name, **begun, credits=2) == ("wrong_state", "from_term_id")
    assert await refusal(school, name, **{**told, "course_id": ObjectId()}, credits=2) == (
        "not_found",
        "course_id",
    )
    for subject in ("director", "teacher", "information", "principal"):
        assert (await refusal(school, name, subject, **told, credits=2))[0] == "forbidden"
    await changed(school, name, **{**told, "from_term_id": after}, credits=2)
    assert await refusal(school, name, **told, credits=1) == ("wrong_state", "from_term_id")


def test_a_course_of_several_terms() -> None:
    earlier = [
        CourseTerms(name="一", credits=1, before=date(2025, 2, 1)),
        CourseTerms(name="二", credits=2, before=date(2025, 9, 1)),
    ]
    course = Course.model_construct(
        code="X", name="三", credits=3, scheme=GradingScheme.PERCENT, earlier=earlier
    )
    days = (date(2024, 9, 1), date(2025, 1, 31), date(2025, 2, 1), date(2025, 8, 31), date(2025, 9, 1))
    assert [course.in_term_of(day).name for day in days] == ["一", "一", "二", "二", "三"]
    assert course.name == "三"


async def test_the_rights_of_the_earlier_teacher_end_with_the_day(school: School) -> None:
    held = await arranged(school, SECOND)
    await enter(school, held.arrangement, scores(held.students, "80"))
    person = await another_teacher(school)
    assert (await read_by(school, "teacher", held), await read_by(school, "logistics", held)) == (["80"], [])
    told = {"arrangement_id": held.arrangement, "teacher_id": person}
    coming = today(school) + timedelta(days=10)
    request = await ask(school, "course_arrangement.change", **told, teacher_from=coming)
    await school.approve("director", request)
    # Until that day nothing is otherwise.
    assert (await read_by(school, "teacher", held), await read_by(school, "logistics", held)) == (["80"], [])
    arrangements = school.store.database.collection(CourseArrangement)
    row = await arrangements.find_one({"_id": held.arrangement})
    assert row is not None and row["teacher_from"] == coming.isoformat()
    await arrangements.update_one(
        {"_id": held.arrangement}, {"$set": {"teacher_from": today(school).isoformat()}}
    )
    assert (await read_by(school, "teacher", held), await read_by(school, "logistics", held)) == ([], ["80"])


async def test_a_planned_teacher_who_never_taught_is_forgotten(school: School) -> None:
    held = await arranged(school, SECOND)
    first = (await school.viewer("teacher")).person_id
    told = {"arrangement_id": held.arrangement, "teacher_from": today(school) + timedelta(days=9)}
    for subject in ("logistics", "admissions"):
        person = await another_teacher(school, subject)
        await changed(school, "course_arrangement.change", **told, teacher_id=person)
    row = await school.store.database.collection(CourseArrangement).find_one({"_id": held.arrangement})
    assert row is not None
    assert (row["teacher_id"], row["earlier_teacher_id"]) == (person, first)


async def test_what_a_change_of_teacher_may_not_be(school: School) -> None:
    held = await arranged(school, SECOND)
    person, name = await another_teacher(school), "course_arrangement.change"
    told = {"arrangement_id": held.arrangement, "teacher_id": person, "teacher_from": today(school)}
    yesterday, too_late = today(school) - timedelta(days=1), today(school) + timedelta(days=61)
    assert await refusal(school, name, **{**told, "teacher_from": yesterday}) == (
        "invalid_date",
        "teacher_from",
    )
    assert await refusal(school, name, **{**told, "teacher_from": too_late}) == (
        "invalid_date",
        "teacher_from",
    )
    director = (await school.viewer("director")).person_id
    assert await refusal(school, name, **{**told, "teacher_id": director}) == ("not_found", "teacher_id")
    same = (await school.viewer("teacher")).person_id
    assert await refusal(school, name, **{**told, "teacher_id": same}) == ("nothing_to_change", "teacher_id")
    for subject in ("teacher", "director", "information"):
        assert (await refusal(school, name, subject, **told))[0] == "forbidden"


async def test_an_arrangement_without_grades_is_cancelled_and_may_be_opened_anew(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "80"))
    name = "course_arrangement.close"
    told = await refusal(school, name, arrangement_id=held.arrangement)
    assert told == ("wrong_state", "arrangement_id")
    course = await open_course(school, "CHIN")
    empty = await arrange(school, held.term, course)
    assert (await refusal(school, name, "teacher", arrangement_id=empty))[0] == "forbidden"
    await changed(school, name, arrangement_id=empty)
    with pytest.raises(RegistrarError) as refused:
        await enter(school, empty, scores(held.students, "80"))
    assert (refused.value.code, refused.value.field) == ("wrong_state", "arrangement_id")
    assert (await refusal(school, name, arrangement_id=empty))[0] == "wrong_state"
    again = await arrange(school, held.term, course)
    assert (await enter(school, again, scores(held.students, "80"))).entered == 1
    with pytest.raises(RegistrarError) as refused:
        await arrange(school, held.term, course)
    assert refused.value.code == "duplicate"


async def test_a_grade_that_comes_while_the_head_decides_keeps_the_arrangement(school: School) -> None:
    held = await arranged(school)
    request = await ask(school, "course_arrangement.close", arrangement_id=held.arrangement)
    await enter(school, held.arrangement, scores(held.students, "80"))
    with pytest.raises(RegistrarError) as refused:
        await school.approve("director", request)
    assert refused.value.code == "wrong_state"
    row = await school.store.database.collection(CourseArrangement).find_one({"_id": held.arrangement})
    assert row is not None and row["cancelled_on"] is None


async def test_by_mutations(school: School) -> None:
    held = await arranged(school, SECOND)
    term, person = await coming_term(school), await another_teacher(school)
    key = global_id("CourseArrangement", held.arrangement)
    shown, reason = "applied changeRequest { awaits changes { field after } }", {"reason": "教务会议决定"}
    told = await mutate(
        school,
        OFFICE,
        "courseChange",
        shown,
        id=global_id("Course", held.course),
        fromTermId=global_id("Term", term),
        credits=3.5,
        **reason,
    )
    assert told["errors"] == [] and not told["applied"]
    assert told["changeRequest"]["awaits"] == "DEPARTMENT_HEAD"
    assert {"field": "credits", "after": 3.5} in told["changeRequest"]["changes"]
    told = await mutate(
        school,
        OFFICE,
        "courseArrangementChange",
        shown,
        id=key,
        teacherId=global_id("Person", person),
        teacherFrom=today(school).isoformat(),
        **reason,
    )
    assert (told["errors"], told["applied"]) == ([], False)
    told = await mutate(school, OFFICE, "courseArrangementClose", shown, id=key, **reason)
    assert (told["errors"], told["applied"]) == ([], False)
    refused = await mutate(school, "teacher", "courseArrangementClose", shown, id=key, **reason)
    assert [error["code"] for error in refused["errors"]] == ["forbidden"]


async def test_who_is_no_teacher_any_more_is_not_entered(school: School) -> None:
    held = await arranged(school, SECOND)
    person = await another_teacher(school)
    asked = {"arrangement_id": held.arrangement, "teacher_id": person, "teacher_from": today(school)}
    request = await ask(school, "course_arrangement.change", **asked)
    await school.store.database.collection(RoleGrant).delete_many({"person_id": person})
    school.store.versions_seen.clear()
    with pytest.raises(RegistrarError) as refused:
        await school.approve("director", request)
    assert (refused.value.code, refused.value.field) == ("not_found", "teacher_id")
