"""Courses and grades over GraphQL: each mutation once, and what is shown to whom."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from archive_store.students.accounts import link_account
from schema.nodes import global_id
from tests.academics.terms import FIRST, OFFICE, SECOND, arranged, enter, in_two_classes, scores, students_of
from tests.organisation.test_graphql import APPROVE, mutate, run
from tests.school import School

GRADES = """query ($id: ID!, $term: ID) { student(id: $id) { name
  grades(termId: $term) { id studentId kind status score className revision
    course { code credits scheme } term { number } arrangement { className teacherId }
    auditHistory { edges { node { kind reason changes { field before after withheld } } } } }
  gpa(termId: $term) { value credits scale rank { place ranked } } } }"""


async def ids_of(school: School, class_name: str) -> list[str]:
    return [global_id("Student", key) for key in await students_of(school, class_name)]


async def grades_of(school: School, subject: str, student: str, **more: Any) -> tuple[Any, set[str]]:
    data, extensions = await run(school, subject, GRADES, id=student, **more)
    return data["student"], {line["field"] for line in extensions.get("redactions", ())}


async def test_all_of_it_by_mutations(school: School) -> None:
    await in_two_classes(school)
    one, two, three = await ids_of(school, FIRST)
    days = {"firstDay": "2025-09-01", "lastDay": "2026-01-20"}
    term = await mutate(
        school, OFFICE, "termOpen", "term { id number firstDay }", schoolYear=2025, number=1, **days
    )
    assert (term["errors"], term["term"]["firstDay"]) == ([], "2025-09-01")
    again = await mutate(school, OFFICE, "termOpen", "term { id }", schoolYear=2025, number=2, **days)
    assert again["errors"] == [{"code": "duplicate", "field": "firstDay"}]
    told = {"code": "MATH", "name": "数学", "credits": 4.5, "scheme": "PERCENT"}
    course = await mutate(school, OFFICE, "courseOpen", "course { id credits }", **told)
    assert course["course"]["credits"] == 4.5
    wrong = await mutate(
        school, OFFICE, "courseOpen", "course { id }", **{**told, "code": "X", "credits": 4.3}
    )
    assert [error["field"] for error in wrong["errors"]] == ["credits"]
    keys = {"courseId": course["course"]["id"], "termId": term["term"]["id"], "className": FIRST}
    teacher = global_id("Person", (await school.viewer("teacher")).person_id)
    stranger = global_id("Person", (await school.viewer("director")).person_id)
    shown = "courseArrangement { id className teacherId course { code } term { number } }"
    nobody = await mutate(school, OFFICE, "courseArrangementOpen", shown, teacherId=stranger, **keys)
    assert nobody["errors"] == [{"code": "not_found", "field": "teacherId"}]
    held = await mutate(school, OFFICE, "courseArrangementOpen", shown, teacherId=teacher, **keys)
    arrangement = held["courseArrangement"]
    assert (arrangement["course"], arrangement["teacherId"]) == ({"code": "MATH"}, teacher)
    for name in ("termOpen", "courseOpen"):
        more = {"schoolYear": 2024, "number": 1, **days} if name == "termOpen" else told
        refused = await mutate(school, "director", name, "changeRequest { id }", **more)
        assert [error["code"] for error in refused["errors"]] == ["forbidden"]
    rows = [{"studentId": one, "score": "80"}, {"studentId": two, "score": "x"}]
    entry = {"arrangementId": arrangement["id"]}
    bad = await mutate(school, OFFICE, "gradesEnter", "entered missing", rows=rows, **entry)
    assert bad == {
        "entered": 0,
        "missing": [three],
        "errors": [{"code": "out_of_range", "field": "rows.1.score"}],
    }
    rows[1] = {"studentId": two, "status": "ABSENT"}
    dry = await mutate(school, OFFICE, "gradesEnter", "entered", rows=rows, dryRun=True, **entry)
    assert dry == {"entered": 0, "errors": []}
    good = await mutate(school, OFFICE, "gradesEnter", "entered missing", rows=rows, **entry)
    assert good == {"entered": 2, "missing": [three], "errors": []}
    student, _ = await grades_of(school, OFFICE, one)
    (grade,) = student["grades"]
    correction = await mutate(
        school,
        OFFICE,
        "gradeCorrect",
        "applied changeRequest { id awaits changes { field before after } }",
        id=grade["id"],
        score="90",
        reason="核对试卷",
    )
    request = correction["changeRequest"]
    assert (request["awaits"], correction["applied"]) == ("DEPARTMENT_HEAD", False)
    assert {"field": "score", "before": "80", "after": "90"} in request["changes"]
    await run(school, "director", APPROVE, id=request["id"])
    student, redactions = await grades_of(school, OFFICE, one, term=term["term"]["id"])
    (grade,) = student["grades"]
    assert (grade["score"], grade["status"], grade["revision"]) == ("90", "CORRECTED", 2)
    assert [edge["node"]["kind"] for edge in grade["auditHistory"]["edges"]] == [
        "grade:correct",
        "grade:enter",
    ]
    assert student["gpa"] == {"value": 4.0, "credits": 4.5, "scale": 0, "rank": None}
    assert redactions == set()


async def test_who_is_shown_grades(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "80", "90"))
    await link_account(school.store, held.students[0], "own")
    own, other = (global_id("Student", key) for key in held.students[:2])
    for subject in (OFFICE, "director", "teacher", "own"):
        student, _ = await grades_of(school, subject, own)
        assert [grade["score"] for grade in student["grades"]] == ["80"], subject
        assert student["gpa"]["value"] == 3.0
    for subject in (
        "information",
        "principal",
        "vice-principal",
        "deputy-1",
        "archive",
        "admissions",
        "logistics",
    ):
        student, redactions = await grades_of(school, subject, own)
        assert (student["grades"], student["gpa"]) == (None, None), subject
        assert {"Student.grades", "Student.gpa"} <= redactions
    assert (await grades_of(school, "own", other))[0] is None


async def test_a_grade_by_id_is_for_those_who_read_it(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "80"))
    student, _ = await grades_of(school, OFFICE, global_id("Student", held.students[0]))
    key = student["grades"][0]["id"]
    query = "query ($id: ID!) { node(id: $id) { id ... on GradeRecord { score } } }"
    for subject, score in ((OFFICE, "80"), ("director", "80"), ("teacher", "80"), ("information", None)):
        data, _ = await run(school, subject, query, id=key)
        assert data["node"] == (None if score is None else {"id": key, "score": score}), subject
    data, _ = await run(school, OFFICE, query, id=global_id("GradeRecord", ObjectId()))
    assert data["node"] is None
    change = {"id": key, "score": "99", "reason": "x"}
    for subject in ("information", "director", "teacher"):
        told = await mutate(school, subject, "gradeCorrect", "applied", **change)
        assert [error["code"] for error in told["errors"]] == ["forbidden"]


async def test_a_request_does_not_tell_the_grade(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "80"))
    student, _ = await grades_of(school, OFFICE, global_id("Student", held.students[0]))
    change = {"id": student["grades"][0]["id"], "score": "99", "reason": "加错 19 分"}
    told = await mutate(school, OFFICE, "gradeCorrect", "changeRequest { id }", **change)
    query = (
        """query ($id: ID!) { changeRequest(id: $id) { reason changes { field before after withheld } } }"""
    )
    for subject in ("information", "archive", "principal", "deputy-1", "logistics"):
        data, _ = await run(school, subject, query, id=told["changeRequest"]["id"])
        assert "99" not in str(data) and "80" not in str(data) and "19" not in str(data), subject


async def test_lists_are_open_inside_the_school(school: School) -> None:
    held = await arranged(school, SECOND)
    where = {"where": {"className": SECOND, "termId": global_id("Term", held.term)}}
    query = """query ($where: CourseArrangementFilter) {
      terms { edges { node { id schoolYear number lastDay } } }
      courses { edges { node { code name scheme } } }
      courseArrangements(where: $where) { edges { node { id className course { name } } } } }"""
    for subject in (OFFICE, "teacher", "logistics", "information"):
        data, _ = await run(school, subject, query, **where)
        assert [len(data[name]["edges"]) for name in data] == [1, 1, 1], subject
    data, _ = await run(school, "analysis", query, **where)
    assert [data[name]["edges"] for name in data] == [[], [], []]
    data, _ = await run(school, OFFICE, query, where={"className": FIRST})
    assert data["courseArrangements"]["edges"] == []
