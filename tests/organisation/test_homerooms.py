"""Homeroom periods are role grants: what they give, that two are never in office at once, and that they end."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.organisation.members import homeroom_periods
from archive_store.people.documents import RoleGrant
from archive_store.students.queries import list_students
from tests.organisation.structure import FIRST, SECOND, THIRD, ask, build, day, done
from tests.school import School

SIGNERS = ("director", "vice-principal")


async def term(school: School, subject: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "person_id": (await school.viewer(subject)).person_id,
        "class_name": name,
        "valid_from": day(school),
        "qualified": True,
        "confidentiality_undertaken": True,
        **more,
    }


async def assign(school: School, subject: str, name: str, **more: Any) -> ObjectId:
    values = await term(school, subject, name, **more)
    return await done(school, "homeroom.assign", values, "deputy-1", SIGNERS)


async def end(school: School, subject: str, name: str, last_day: str) -> None:
    person = (await school.viewer(subject)).person_id
    values = {"person_id": person, "class_name": name, "last_day": last_day}
    await done(school, "homeroom.end", values, "director")


async def refused(school: School, name: str, values: dict[str, Any], subject: str) -> RegistrarError:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await ask(school, name, values, subject)
    assert await school.counts() == before
    return caught.value


async def periods(school: School, name: str) -> list[tuple[str, str, date, date | None]]:
    (found,) = await homeroom_periods(school.store, [name])
    return [(held.name, str(held.kind), held.valid_from, held.valid_to) for held in found]


async def seen(school: School, subject: str) -> int:
    viewer = await school.viewer(subject)
    page = await list_students(school.store, viewer, frozenset({"birth_date"}), first=20)
    return sum("birth_date" in row for row in page.page.rows)


async def test_a_term_gives_the_right_and_its_end_takes_it_at_once(school: School) -> None:
    await build(school)
    assert await seen(school, "logistics") == 0
    await end(school, "teacher", FIRST, day(school, -1))
    await assign(school, "logistics", FIRST)
    viewer = await school.viewer("logistics")
    assert viewer.homeroom_class_names == {FIRST}
    assert await seen(school, "logistics") == 6
    await end(school, "logistics", FIRST, day(school, -1))
    assert (await school.viewer("logistics")).homeroom_class_names == frozenset()
    assert await seen(school, "logistics") == 0


async def test_what_else_the_grant_gives_goes_on(school: School) -> None:
    await build(school)
    before = await school.viewer("teacher")
    assert (before.class_names, before.homeroom_class_names) == ({SECOND}, {FIRST})
    await end(school, "teacher", FIRST, day(school, -1))
    after = await school.viewer("teacher")
    assert (after.class_names, after.homeroom_class_names) == ({SECOND}, frozenset())
    yesterday = school_day(school.store.clock.now()) - timedelta(days=1)
    assert await periods(school, FIRST) == [("卫老师", "PRIMARY", date(2023, 8, 1), yesterday)]


async def test_an_end_to_come_and_a_term_to_come(school: School) -> None:
    await build(school)
    await end(school, "teacher", FIRST, day(school, 10))
    assert (await school.viewer("teacher")).homeroom_class_names == {FIRST}
    await assign(school, "logistics", FIRST, valid_from=day(school, 11))
    assert [name for name, *_ in await periods(school, FIRST)] == ["卫老师", "褚后勤"]
    # Taken back before it began: it never was.
    await end(school, "logistics", FIRST, day(school, -1))
    assert [name for name, *_ in await periods(school, FIRST)] == ["卫老师"]
    await assign(school, "logistics", FIRST, valid_from=day(school, 11))


async def test_two_are_at_once_only_if_one_acts(school: School) -> None:
    await build(school)
    second = await refused(school, "homeroom.assign", await term(school, "logistics", FIRST), "director")
    assert (second.code, second.field) == (ErrorCode.SEAT_TAKEN, "valid_from")
    until = {"kind": "ACTING", "valid_to": day(school, 30)}
    await assign(school, "logistics", FIRST, **until)
    assert sorted(kind for _, kind, *_ in await periods(school, FIRST)) == ["ACTING", "PRIMARY"]
    third = await refused(
        school, "homeroom.assign", await term(school, "archive", FIRST, **until), "director"
    )
    assert third.code is ErrorCode.SEAT_TAKEN


async def test_two_requests_for_one_class_do_not_both_apply(school: School) -> None:
    await build(school)
    requests = [
        (await ask(school, "homeroom.assign", await term(school, who, THIRD), "deputy-1")).change_request_id
        for who in ("logistics", "archive")
    ]
    for request in requests:
        assert request is not None
        await school.approve("director", request)
    await school.approve("vice-principal", requests[0])  # type: ignore[arg-type]
    with pytest.raises(RegistrarError) as caught:
        await school.approve("vice-principal", requests[1])  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.SEAT_TAKEN
    assert [name for name, *_ in await periods(school, THIRD)] == ["褚后勤"]


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"class_name": "9999级1班"}, (ErrorCode.NOT_FOUND, "class_name")),
        ({"person_id": ObjectId()}, (ErrorCode.NOT_FOUND, "person_id")),
        ({"qualified": False}, (ErrorCode.REQUIRED, "qualified")),
        ({"kind": "ACTING"}, (ErrorCode.REQUIRED, "valid_to")),
        ({"valid_to": "2020-01-01"}, (ErrorCode.INVALID_DATE, "valid_to")),
    ],
)
async def test_the_rules_of_a_role_grant_hold(
    school: School, more: dict[str, Any], fault: tuple[ErrorCode, str]
) -> None:
    await build(school)
    values = await term(school, "logistics", THIRD) | more
    found = await refused(school, "homeroom.assign", values, "director")
    assert (found.code, found.field) == fault


async def test_who_may_not_and_what_is_not_there(school: School) -> None:
    await build(school)
    assert (
        await refused(school, "homeroom.assign", await term(school, "teacher", THIRD), "information")
    ).code is ErrorCode.FORBIDDEN
    person = (await school.viewer("teacher")).person_id
    asked = {"person_id": person, "class_name": FIRST, "last_day": day(school, -1)}
    for subject, more, code in (
        ("teacher", {}, ErrorCode.FORBIDDEN),
        ("director", {"class_name": THIRD}, ErrorCode.NOT_FOUND),
        ("director", {"last_day": day(school, -2)}, ErrorCode.INVALID_DATE),
    ):
        assert (await refused(school, "homeroom.end", asked | more, subject)).code is code


async def test_who_is_given_it_signs_nothing_of_it(school: School) -> None:
    await build(school)
    values = await term(school, "director", THIRD)
    request = (await ask(school, "homeroom.assign", values, "deputy-1")).change_request_id
    assert request is not None
    with pytest.raises(RegistrarError):
        await school.approve("director", request)
    grants = school.store.database.collection(RoleGrant)
    assert await grants.count_documents({"homeroom_class_names": THIRD}) == 0


async def test_a_class_with_a_homeroom_teacher_is_not_closed(school: School) -> None:
    keys = await build(school)
    await assign(school, "logistics", THIRD)
    closing = {"class_id": keys[THIRD], "closed_on": day(school)}
    assert (await refused(school, "class.close", closing, "information")).details["state"] == "IN_USE"
    await end(school, "logistics", THIRD, day(school))
    await done(school, "class.close", closing)
