"""Departments and majors: what is checked, who reads them, and the major of a student."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId

from archive_store.foundation.errors import ErrorCode
from archive_store.organisation.documents import Department, Major
from archive_store.organisation.majors import all_departments, all_majors, majors_of_students
from archive_store.students.documents import Student
from schema.nodes import global_id
from tests.organisation.structure import GRADES, ask, day, done, moves, open_class, open_majors
from tests.organisation.test_graphql import mutate, run
from tests.organisation.test_structure import refused, stored
from tests.school import School

MAJOR = {"stage": "UNDERGRAD", "duration_months": 48, "opened_on": "2020-09-01"}
CATALOGUE = "{ departments { code name } majors { code name stage durationMonths department { name } } }"
OF_STUDENT = "query ($id: ID!) { student(id: $id) { majorCode major { code name department { name } } } }"


@pytest.mark.parametrize(
    ("name", "changed", "fault"),
    [
        ("department.open", {"code": "01", "name": "新学院"}, (ErrorCode.DUPLICATE, "code")),
        ("department.open", {"code": "03", "name": "文学院"}, (ErrorCode.DUPLICATE, "name")),
        ("department.open", {"code": "03", "name": "=A1"}, (ErrorCode.FORMULA, "name")),
        ("department.open", {"code": "0 3", "name": "新学院"}, (ErrorCode.INVALID_ARGUMENT, "code")),
        ("major.open", {"code": "080901", "name": "新专业"}, (ErrorCode.DUPLICATE, "code")),
        ("major.open", {"code": "1", "name": "软件工程"}, (ErrorCode.DUPLICATE, "name")),
        (
            "major.open",
            {"code": "1", "name": "新", "stage": "JUNIOR"},
            (ErrorCode.INVALID_ARGUMENT, "stage"),
        ),
        (
            "major.open",
            {"code": "1", "name": "新", "department_id": ObjectId()},
            (ErrorCode.NOT_FOUND, "department_id"),
        ),
    ],
)
async def test_what_the_catalogue_refuses(
    school: School, name: str, changed: dict[str, Any], fault: tuple[ErrorCode, str]
) -> None:
    keys = await open_majors(school)
    told: dict[str, Any] = {"department_id": ObjectId()}
    if name == "major.open":
        told = {"major_id": ObjectId(), "department_id": keys["01"], **MAJOR}
    error = await refused(school, name, told | changed)
    assert (error.code, error.field) == fault


async def test_a_major_closes_once_by_the_head_s_signature(school: School) -> None:
    keys = await open_majors(school)
    closes = {"major_id": keys["080901"], "closed_on": day(school)}
    early = await refused(school, "major.close", closes | {"closed_on": "2019-01-01"})
    assert (early.code, early.field) == (ErrorCode.INVALID_DATE, "closed_on")
    asked = await ask(school, "major.close", closes)
    assert asked.change_request_id is not None
    assert (await stored(school, Major, keys["080901"])).closed_on is None
    await school.approve("director", asked.change_request_id)
    assert (await stored(school, Major, keys["080901"])).closed_on.isoformat() == day(school)
    again = await refused(school, "major.close", closes)
    assert again.code is ErrorCode.WRONG_STATE


@pytest.mark.parametrize("subject", ["teacher", "archive", "vice-principal"])
async def test_who_may_not_ask(school: School, subject: str) -> None:
    told = {"department_id": ObjectId(), "code": "01", "name": "文学院"}
    assert (await refused(school, "department.open", told, subject)).code is ErrorCode.FORBIDDEN
    assert await school.store.database.collection(Department).count_documents({}) == 0


async def test_the_catalogue_by_graphql(school: School) -> None:
    department = (
        await mutate(
            school, "information", "departmentOpen", "department { id name }", code="01", name="文学院"
        )
    )["department"]
    opened = await mutate(
        school,
        "information",
        "majorOpen",
        "major { id code department { name } }",
        code="050101",
        name="汉语言文学",
        departmentId=department["id"],
        stage="UNDERGRAD",
        durationMonths=48,
        openedOn="2020-09-01",
    )
    assert (opened["errors"], opened["major"]["department"]["name"]) == ([], "文学院")
    data, _ = await run(school, "teacher", CATALOGUE)
    assert data == {
        "departments": [{"code": "01", "name": "文学院"}],
        "majors": [
            {
                "code": "050101",
                "name": "汉语言文学",
                "stage": "UNDERGRAD",
                "durationMonths": 48,
                "department": {"name": "文学院"},
            }
        ],
    }
    asked = await mutate(
        school,
        "information",
        "majorClose",
        "major { closedOn } changeRequest { awaits }",
        id=opened["major"]["id"],
        closedOn=day(school),
        reason="停招",
    )
    assert (asked["major"]["closedOn"], asked["changeRequest"]["awaits"]) == (None, "DEPARTMENT_HEAD")
    for key in (department["id"], opened["major"]["id"]):
        node, _ = await run(school, "information", "query ($id: ID!) { node(id: $id) { id } }", id=key)
        assert node["node"] == {"id": key}


async def test_the_major_of_a_student_is_null_before_it_was_kept(school: School) -> None:
    await open_majors(school)
    student = await school.student()
    rows = school.store.database.mongo["students"]
    await rows.update_one({"_id": student.key}, {"$unset": {"major_code": 1}})
    told, _ = await run(school, "director", OF_STUDENT, id=global_id("Student", student.key))
    assert told["student"] == {"majorCode": None, "major": None}
    await rows.update_one({"_id": student.key}, {"$set": {"major_code": "080901"}})
    told, _ = await run(school, "director", OF_STUDENT, id=global_id("Student", student.key))
    assert told["student"]["major"] == {
        "code": "080901",
        "name": "计算机科学与技术",
        "department": {"name": "计算机学院"},
    }


async def test_no_change_of_a_record_sets_it(school: School) -> None:
    await open_majors(school)
    student = await school.student()
    query = 'mutation ($id: ID!) { studentUpdate(input: {id: $id, majorCode: "080901"}) { errors { code } } }'
    with pytest.raises(AssertionError, match="majorCode"):
        await run(school, "information", query, id=global_id("Student", student.key))
    row = await school.store.database.collection(Student).find_one({"_id": student.key})
    assert row is not None
    assert row.get("major_code") is None


async def test_who_sees_no_student_sees_no_major(school: School) -> None:
    await open_majors(school)
    viewer = replace(await school.viewer("teacher"), posts=frozenset(), class_names=frozenset())
    viewer = replace(viewer, homeroom_class_names=frozenset())
    assert not viewer.reads_by_post
    assert await all_departments(school.store, viewer) == []
    assert await all_majors(school.store, viewer) == []
    assert await majors_of_students(school.store, viewer, [(await school.student()).key]) == [None]


COHORT = {"name": "2023级本科", "stage": "UNDERGRAD", "enrolled_year": 2023, "grades": GRADES}


async def test_a_class_of_one_major_takes_its_students_alone(school: School) -> None:
    await open_majors(school)
    keys = {"campus": ObjectId(), "cohort": ObjectId()}
    await done(school, "campus.open", {"campus_id": keys["campus"], "name": "校本部"})
    await done(school, "cohort.open", {"cohort_id": keys["cohort"], **COHORT})
    for bad in ("999999", "软件工程"):
        values: dict[str, Any] = {
            "class_id": ObjectId(),
            "name": "甲班",
            "cohort_id": keys["cohort"],
            "major_code": bad,
        }
        values |= {"capacity": 45, "opened_on": "2023-09-01"}
        error = await refused(school, "class.open", values)
        assert (error.code, error.field) == (ErrorCode.UNKNOWN_CODE, "major_code")
    await open_class(school, keys, "软工1班", major_code="080902")
    student = await school.student()
    error = await refused(school, "class.assign", moves((student.key, "软工1班", None)))
    assert (error.code, error.field) == (ErrorCode.WRONG_STATE, "moves.0.class_name")
    rows = school.store.database.mongo["students"]
    await rows.update_one({"_id": student.key}, {"$set": {"major_code": "080902"}})
    await done(school, "class.assign", moves((student.key, "软工1班", None)))
    assert (await school.student()).class_name == "软工1班"
    data, _ = await run(school, "director", '{ schoolClass(name: "软工1班") { majorCode } }')
    assert data["schoolClass"] == {"majorCode": "080902"}
