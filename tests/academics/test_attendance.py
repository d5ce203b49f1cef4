"""Attendance over GraphQL: entry, correction, and who reads it."""

from __future__ import annotations

from typing import Any

from schema.nodes import global_id
from tests.academics.terms import FIRST, OFFICE, in_two_classes, open_term, students_of
from tests.organisation.test_graphql import APPROVE, mutate, run
from tests.school import School

ATTENDANCE = """query ($id: ID!) { student(id: $id) { attendance { id due present late leave absent term { number }
  auditHistory { edges { node { kind changes { field before after } } } } } } }"""
DAYS = {"due": 90, "present": 85, "late": 2, "leave": 4, "absent": 1}


async def attendance_of(school: School, subject: str, student: str) -> Any:
    data, _ = await run(school, subject, ATTENDANCE, id=student)
    return data["student"]["attendance"]


async def entered(school: School) -> tuple[str, list[str]]:
    """The term, and the students of the first class, of whom the first has a summary."""
    await in_two_classes(school)
    term = global_id("Term", await open_term(school))
    students = [global_id("Student", key) for key in await students_of(school, FIRST)]
    told = await mutate(
        school, OFFICE, "attendanceEnter", "entered", termId=term, rows=[{"studentId": students[0], **DAYS}]
    )
    assert told == {"entered": 1, "errors": []}
    return term, students


async def test_attendance_is_entered_once_and_corrected_by_the_head(school: School) -> None:
    term, (one, two, _) = await entered(school)
    before = await school.counts()
    for row, error in (
        ({"studentId": one, **DAYS}, {"code": "duplicate", "field": "rows.0.studentId"}),
        ({"studentId": two, **DAYS, "due": 91}, {"code": "out_of_range", "field": "rows.0.due"}),
        ({"studentId": two, **DAYS, "late": 86}, {"code": "out_of_range", "field": "rows.0.late"}),
        ({"studentId": two, **DAYS, "leave": -1}, {"code": "invalid_argument", "field": "rows.0.leave"}),
    ):
        told = await mutate(school, OFFICE, "attendanceEnter", "entered", termId=term, rows=[row])
        assert (told["entered"], told["errors"]) == (0, [error])
    refused = await mutate(
        school, "teacher", "attendanceEnter", "entered", termId=term, rows=[{"studentId": two, **DAYS}]
    )
    assert [error["code"] for error in refused["errors"]] == ["forbidden"]
    assert await school.counts() == before
    (summary,) = await attendance_of(school, OFFICE, one)
    change = {**DAYS, "present": 86, "absent": 0, "id": summary["id"], "reason": "补登一天"}
    told = await mutate(school, OFFICE, "attendanceCorrect", "applied changeRequest { id awaits }", **change)
    assert (told["applied"], told["changeRequest"]["awaits"]) == (False, "DEPARTMENT_HEAD")
    await run(school, "director", APPROVE, id=told["changeRequest"]["id"])
    (summary,) = await attendance_of(school, OFFICE, one)
    assert (summary["present"], summary["absent"], summary["term"]["number"]) == (86, 0, 1)
    newest = summary["auditHistory"]["edges"][0]["node"]
    assert newest["kind"] == "attendance_summary:correct"
    assert {"field": "present", "before": 85, "after": 86} in newest["changes"]


async def test_who_reads_attendance(school: School) -> None:
    _, (one, two, _) = await entered(school)
    for subject in (OFFICE, "director", "information", "teacher", "principal"):
        assert [held["due"] for held in await attendance_of(school, subject, one)] == [90], subject
        assert await attendance_of(school, subject, two) == []
    for subject in ("logistics", "admissions", "deputy-2"):
        assert await attendance_of(school, subject, one) is None, subject
