"""Setting up and changing the structure: what is checked, what a name in use keeps."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals.documents import RequestStatus
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.organisation.documents import Cohort, SchoolClass
from archive_store.organisation.documents import School as StoredSchool
from archive_store.organisation.names import known_class, unknown_classes
from tests.organisation.structure import (
    FIRST,
    GRADES,
    SECOND,
    THIRD,
    ask,
    build,
    day,
    done,
    moves,
    open_class,
)
from tests.school import School


async def refused(
    school: School, name: str, values: dict[str, Any], subject: str = "information"
) -> RegistrarError:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await ask(school, name, values, subject)
    assert await school.counts() == before
    return caught.value


async def stored(school: School, kind: type[Any], key: ObjectId) -> Any:
    row = await school.store.database.collection(kind).find_one({"_id": key})
    assert row is not None
    return kind.model_validate(row)


async def test_the_school_is_one_and_set_up_again(school: School) -> None:
    keys = await build(school)
    other = {"name": "示范中学(新)", "code": "3111000123", "division": "110105"}
    await done(school, "school.set_up", {"school_id": ObjectId(), **other})
    rows = await school.store.database.collection(StoredSchool).find({}).to_list()
    assert [(row["_id"], row["name"], row["revision"]) for row in rows] == [
        (keys["school"], other["name"], 2)
    ]
    same = await refused(school, "school.set_up", {"school_id": ObjectId(), **other})
    assert same.code is ErrorCode.NOTHING_TO_CHANGE


@pytest.mark.parametrize(
    ("name", "values", "fault"),
    [
        (
            "school.set_up",
            {"name": "甲", "code": "123", "division": "110105"},
            (ErrorCode.INVALID_ARGUMENT, "code"),
        ),
        (
            "school.set_up",
            {"name": "=A1", "code": "3111000123", "division": "110105"},
            (ErrorCode.FORMULA, "name"),
        ),
        ("campus.open", {"name": "东校区"}, (ErrorCode.DUPLICATE, "name")),
        (
            "cohort.open",
            {"name": "乙", "stage": "JUNIOR", "enrolled_year": 2023, "grades": GRADES},
            (ErrorCode.DUPLICATE, "enrolled_year"),
        ),
        (
            "cohort.open",
            {"name": "乙", "stage": "SENIOR", "enrolled_year": 2023, "grades": tuple(reversed(GRADES))},
            (ErrorCode.INVALID_DATE, "grades.1.valid_from"),
        ),
        (
            "class.open",
            {"name": FIRST, "capacity": 45, "opened_on": "2023-09-01"},
            (ErrorCode.DUPLICATE, "name"),
        ),
        (
            "class.open",
            {"name": "丙", "capacity": 0, "opened_on": "2023-09-01"},
            (ErrorCode.INVALID_ARGUMENT, "capacity"),
        ),
        (
            "class.open",
            {"name": "丙", "capacity": 45, "opened_on": "2023-09-01", "cohort_id": ObjectId()},
            (ErrorCode.NOT_FOUND, "cohort_id"),
        ),
    ],
)
async def test_what_is_refused(
    school: School, name: str, values: dict[str, Any], fault: tuple[ErrorCode, str]
) -> None:
    keys = await build(school)
    key = {"school.set_up": "school_id", "campus.open": "campus_id", "cohort.open": "cohort_id"}.get(name)
    told = {key or "class_id": ObjectId(), **values}
    if name == "class.open":
        told = {"cohort_id": keys["cohort"], **told}
    found = await refused(school, name, told)
    assert (found.code, found.field) == fault


@pytest.mark.parametrize("subject", ["teacher", "academic-affairs", "analysis", "archive"])
async def test_others_do_not_ask(school: School, subject: str) -> None:
    fault = await refused(school, "campus.open", {"campus_id": ObjectId(), "name": "西校区"}, subject)
    assert fault.code is ErrorCode.FORBIDDEN


async def test_a_name_in_use_stays(school: School) -> None:
    keys = await build(school)
    # Students have the first by its name, the teacher's grant the second; nobody the third.
    for name in (FIRST, SECOND):
        fault = await refused(school, "class.change", {"class_id": keys[name], "name": "改名班"})
        assert (fault.code, fault.field) == (ErrorCode.WRONG_STATE, "name")
    await done(school, "class.change", {"class_id": keys[THIRD], "name": "2023级实验班", "capacity": 30})
    held = await stored(school, SchoolClass, keys[THIRD])
    assert (held.name, held.capacity, held.campus_id) == ("2023级实验班", 30, keys["campus"])
    assert await known_class(school.store, "2023级实验班")
    assert not await known_class(school.store, THIRD)


async def test_a_name_that_comes_into_use_before_it_applies(school: School) -> None:
    keys = await build(school)
    request = (
        await ask(school, "class.change", {"class_id": keys[THIRD], "name": "改名班"})
    ).change_request_id
    assert request is not None
    await done(school, "class.assign", moves(((await school.student(0)).key, THIRD, None)))
    with pytest.raises(RegistrarError) as caught:
        await school.approve("director", request)
    assert caught.value.code is ErrorCode.WRONG_STATE
    assert (await stored(school, SchoolClass, keys[THIRD])).name == THIRD


async def test_a_class_closes_when_nobody_is_in_it(school: School) -> None:
    keys = await build(school)
    fault = await refused(school, "class.close", {"class_id": keys[FIRST], "closed_on": day(school)})
    assert (fault.code, fault.details["state"]) == (ErrorCode.WRONG_STATE, "IN_USE")
    await done(school, "class.close", {"class_id": keys[THIRD], "closed_on": day(school, -1)})
    assert not await known_class(school.store, THIRD)
    again = await refused(school, "class.close", {"class_id": keys[THIRD], "closed_on": day(school)})
    assert again.details["state"] == "CLOSED"


async def test_grades_of_a_cohort_change_by_the_director(school: School) -> None:
    keys = await build(school)
    grades = (*GRADES, {"label": "初三复读", "valid_from": "2026-09-01"})
    request = (
        await ask(school, "cohort.change", {"cohort_id": keys["cohort"], "grades": grades})
    ).change_request_id
    assert request is not None
    assert len((await stored(school, Cohort, keys["cohort"])).grades) == 3
    assert await school.approve("director", request) is RequestStatus.APPLIED
    assert [grade.label for grade in (await stored(school, Cohort, keys["cohort"])).grades] == [
        "七年级",
        "八年级",
        "九年级",
        "初三复读",
    ]


async def test_names_are_known_once_there_are_classes(school: School) -> None:
    assert await known_class(school.store, "随便")
    keys = await build(school)
    await open_class(school, keys, "2099级1班", opened_on="2099-09-01")
    unknown = await unknown_classes(school.store, [FIRST, THIRD, "随便", "2099级1班"])
    assert unknown == {"随便", "2099级1班"}
