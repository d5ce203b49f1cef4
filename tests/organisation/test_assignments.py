"""`class.assign`: what it changes, what it refuses, and that it applies whole or not at all."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals.deadlines import apply_due
from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision, RequestStatus
from archive_store.approvals.routing import ConflictError
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.organisation.previews import preview
from archive_store.oversight.histories import HISTORIES, SubjectType
from archive_store.students.accounts import link_guardian_account
from archive_store.students.documents import Student
from tests.organisation.structure import FIRST, SECOND, THIRD, ask, build, day, done, moves, open_class
from tests.school import School


async def refused(school: School, values: dict[str, Any], subject: str = "information") -> RegistrarError:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await ask(school, "class.assign", values, subject)
    assert await school.counts() == before
    return caught.value


async def seats(school: School) -> list[tuple[str, str | None, str]]:
    rows = school.store.database.collection(Student).find({}).sort("auxiliary_number", 1)
    return [(row["class_name"], row["class_seat_number"], row["grade"]) for row in await rows.to_list()]


async def test_one_request_moves_many_and_each_history_tells_it(school: School) -> None:
    await build(school)
    ids = [(await school.student(place)).key for place in range(3)]
    outcome = await ask(school, "class.assign", moves((ids[0], SECOND, "1"), (ids[1], THIRD, None)))
    assert outcome.change_request_id is not None
    before = await seats(school)
    assert {name for name, _, _ in before} == {FIRST}, "nothing is written before it is signed"
    assert await school.approve("director", outcome.change_request_id) is RequestStatus.APPLIED
    after = await seats(school)
    # The grade follows the cohort, the seat of another class is not kept.
    assert after[:2] == [(SECOND, "1", "九年级"), (THIRD, None, "九年级")]
    assert after[2:] == before[2:]
    director = await school.viewer("director")
    (page,) = await HISTORIES[SubjectType.STUDENT].pages(school.store, director, [ids[0]], first=1)
    assert page is not None
    entry = page.rows[0]
    assert (entry.kind, entry.reason) == ("student:class:assign", "按学年安排")
    assert {change.field for change in entry.changes} == {"class_name", "grade"}
    student = await school.student(0)
    assert student.revision == 2


async def test_who_stays_can_be_named_to_follow_the_grade(school: School) -> None:
    await build(school)
    first = await school.student(0)
    await done(school, "class.assign", moves((first.key, FIRST, None)))
    assert (await seats(school))[0] == (FIRST, first.class_seat_number, "九年级")


async def test_seats_can_be_exchanged_and_taken_ones_are_refused(school: School) -> None:
    await build(school)
    a, b = await school.student(0), await school.student(1)
    taken = await refused(school, moves((a.key, FIRST, b.class_seat_number)))
    assert (taken.code, taken.field) == (ErrorCode.DUPLICATE, "moves.0.seat_number")
    swap = moves((a.key, FIRST, b.class_seat_number), (b.key, FIRST, a.class_seat_number))
    await done(school, "class.assign", swap)
    held = [seat for _, seat, _ in (await seats(school))[:2]]
    assert held == [b.class_seat_number, a.class_seat_number]


async def test_capacity_is_checked_when_asked_and_when_it_applies(school: School) -> None:
    keys = await build(school)
    await open_class(school, keys, "2023级4班", capacity=1)
    ids = [(await school.student(place)).key for place in range(2)]
    fault = await refused(school, moves((ids[0], "2023级4班", None), (ids[1], "2023级4班", None)))
    assert (fault.code, fault.field) == (ErrorCode.TOO_MANY, "moves.1.class_name")
    requests = [
        (await ask(school, "class.assign", moves((student, "2023级4班", None)))).change_request_id
        for student in ids
    ]
    assert all(requests)
    await school.approve("director", requests[0])  # type: ignore[arg-type]
    before = await seats(school)
    with pytest.raises(RegistrarError) as caught:
        await school.approve("director", requests[1])  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.TOO_MANY
    assert await seats(school) == before


async def test_two_that_apply_at_once_do_not_overfill_a_class(school: School) -> None:
    keys = await build(school)
    await open_class(school, keys, "2023级4班", capacity=1)
    requests = []
    for place in range(2):
        asked = moves(((await school.student(place)).key, "2023级4班", None))
        requests.append((await ask(school, "class.assign", asked)).change_request_id)
    results = await asyncio.gather(
        *(school.approve("director", key) for key in requests if key), return_exceptions=True
    )
    assert sum(isinstance(result, RegistrarError) for result in results) == 1
    assert sum(name == "2023级4班" for name, _, _ in await seats(school)) == 1


@pytest.mark.parametrize(
    ("name", "more", "state"),
    [
        ("2022级1班", {"opened_on": "2022-09-01"}, "CLOSED"),
        ("2099级1班", {"opened_on": "2099-09-01"}, "NOT_OPEN"),
    ],
)
async def test_a_class_that_is_not_open(school: School, name: str, more: Any, state: str) -> None:
    keys = await build(school)
    await open_class(school, keys, name, **more)
    asked = moves(((await school.student(0)).key, name, None))
    if state == "CLOSED":
        await done(school, "class.close", {"class_id": keys[name], "closed_on": "2025-07-10"})
        fault = await refused(school, asked)
    else:
        # It may wait for the day on which the class opens, and cannot apply before.
        request = (await ask(school, "class.assign", asked)).change_request_id
        assert request is not None
        with pytest.raises(RegistrarError) as caught:
            await school.approve("director", request)
        fault = caught.value
    assert (fault.code, fault.field) == (ErrorCode.WRONG_STATE, "moves.0.class_name")
    assert fault.details["state"] == state


async def test_what_is_not_there_and_what_stands_twice(school: School) -> None:
    await build(school)
    key = (await school.student(0)).key
    faults = [
        await refused(school, moves((ObjectId(), SECOND, None))),
        await refused(school, moves((key, "9999级1班", None))),
        await refused(school, moves((key, SECOND, None), (key, THIRD, None))),
        await refused(school, moves((key, SECOND, "=1+1"))),
        await refused(school, {"assignment_id": ObjectId(), "moves": ()}),
        await refused(school, moves(*((ObjectId(), SECOND, None) for _ in range(1_001)))),
        await refused(school, moves((key, SECOND, None)), subject="academic-affairs"),
    ]
    assert [(fault.code, fault.field) for fault in faults] == [
        (ErrorCode.NOT_FOUND, "moves.0.student_id"),
        (ErrorCode.NOT_FOUND, "moves.0.class_name"),
        (ErrorCode.DUPLICATE, "moves.1.student_id"),
        (ErrorCode.FORMULA, "moves.0.seat_number"),
        (ErrorCode.INVALID_ARGUMENT, "moves"),
        (ErrorCode.TOO_MANY, "moves"),
        (ErrorCode.FORBIDDEN, None),
    ]


async def test_a_class_that_changed_since_is_a_conflict_that_shows_whose(school: School) -> None:
    await build(school)
    a, b = await school.student(0), await school.student(1)
    request = (
        await ask(school, "class.assign", moves((a.key, SECOND, None), (b.key, SECOND, None)))
    ).change_request_id
    assert request is not None
    await done(school, "class.assign", moves((b.key, THIRD, None)))
    before = await seats(school)
    with pytest.raises(ConflictError) as caught:
        await school.approve("director", request)
    (held, _) = caught.value.conflicts
    assert held.field == "class_name"
    assert (held.before, held.current, held.requested) == (
        {str(b.key): FIRST},
        {str(b.key): THIRD},
        {str(b.key): SECOND},
    )
    assert await seats(school) == before


async def test_a_parent_of_one_of_them_decides_nothing(school: School) -> None:
    await build(school)
    a, b = await school.student(0), await school.student(1)
    await link_guardian_account(school.store, b.key, 0, "parent")
    parent = await school.viewer("parent")
    # The director is the parent.
    grants = school.store.database.mongo["role_grants"]
    await grants.update_one({"post": "DIRECTOR"}, {"$set": {"person_id": parent.person_id}})
    request = (
        await ask(school, "class.assign", moves((a.key, SECOND, None), (b.key, SECOND, None)))
    ).change_request_id
    assert request is not None
    with pytest.raises(RegistrarError) as caught:
        await decide(school.store, await school.viewer("parent"), request, Decision.APPROVED)
    assert caught.value.code is ErrorCode.SELF_APPROVAL


async def test_one_for_a_day_to_come_waits_for_it(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    await build(school)
    key = (await school.student(0)).key
    since = date.fromisoformat(day(school, 3))
    outcome = await ask(school, "class.assign", moves((key, SECOND, "7")), effective_from=since)
    assert outcome.change_request_id is not None
    assert await school.approve("director", outcome.change_request_id) is RequestStatus.APPROVED
    assert (await seats(school))[0][0] == FIRST
    later = school.store.clock.now() + timedelta(days=3)
    monkeypatch.setattr(school.store.clock, "now", lambda: later)
    assert await apply_due(school.store, later) == 1
    assert (await seats(school))[0] == (SECOND, "7", "九年级")


async def test_a_preview_counts_and_tells_every_fault(school: School) -> None:
    await build(school)
    viewer = await school.viewer("information")
    a, b = await school.student(0), await school.student(1)
    before = await school.counts()
    asked = [
        {"student_id": a.key, "class_name": SECOND},
        {"student_id": b.key, "class_name": "9999级1班"},
        {"student_id": ObjectId(), "class_name": SECOND},
    ]
    found = await preview(school.store, viewer, asked)
    assert [(fault.code, fault.field) for fault in found.faults] == [
        (ErrorCode.NOT_FOUND, "moves.1.class_name"),
        (ErrorCode.NOT_FOUND, "moves.2.student_id"),
    ]
    counted = {count.name: (count.before.total(), count.after.total()) for count in found.classes}
    assert counted == {FIRST: (6, 5), SECOND: (0, 1)}
    gender = next(count for count in found.classes if count.name == FIRST)
    assert (dict(gender.before), dict(gender.after)) == ({"1": 3, "2": 3}, {"1": 2, "2": 3})
    assert await school.counts() == before
    with pytest.raises(RegistrarError) as caught:
        await preview(school.store, await school.viewer("teacher"), asked)
    assert caught.value.code is ErrorCode.FORBIDDEN
