"""The record at a moment: corrections that reach back, what was known before them, and a calendar to compare with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from archive_store.access.policy import Withheld
from archive_store.access.retrieval_grants import Secrecy
from archive_store.approvals.deadlines import apply_due
from archive_store.approvals.documents import RequestStatus
from archive_store.approvals.emergencies import execute, reverse
from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.audit.documents import ENTRIES
from archive_store.audit.findings import Flaw
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.unit_of_work import INSTALLATION, FieldChange, Subject, UnitOfWork
from archive_store.students.accounts import link_guardian_account
from archive_store.students.changes import StudentUpdate
from archive_store.students.documents import Student
from archive_store.students.moments import COMPARED_PATHS, MomentsKey, differences, moment_at, students_at
from archive_store.students.operations import load_student
from archive_store.students.queries import find_student
from archive_store.students.record_check import records_unlike_history
from archive_store.students.replay import BrokenHistoryError, Moment
from archive_store.students.status import StatusChange
from tests.access.marked_school import MarkedSchool, MarkedStudent
from tests.access.test_readings import events
from tests.records.moments import PHONE, SetClock, corrected, phones, rows_at
from tests.school import School


async def code(awaited: Any) -> tuple[ErrorCode, str | None]:
    with pytest.raises(RegistrarError) as caught:
        await awaited
    return caught.value.code, caught.value.field


async def test_the_example_of_the_docs(school: School, clock: SetClock) -> None:
    """docs/time-travel.md: a telephone number changed in time, and a correction that reaches back before it."""
    old, today = (await school.student()).phone, school_day(clock.moment)
    first = clock.moment
    clock.moment += timedelta(days=20)
    await corrected(school, None, phone="13700000001")
    second = clock.moment
    clock.moment += timedelta(days=10)
    await corrected(school, today + timedelta(days=5), phone="13700000002")
    days = [today, today + timedelta(days=10), today + timedelta(days=20)]
    known = {first: [old, old, old]}
    known[second] = [old, old, "13700000001"]
    known[clock.moment] = [old, "13700000002", "13700000002"]
    for known_at, values in known.items():
        assert await phones(school, *(Moment(day, known_at) for day in days)) == values
    assert (await school.student()).phone == "13700000002"


async def test_before_it_was_recorded_there_is_no_record(school: School, clock: SetClock) -> None:
    student, today = await school.student(), school_day(clock.moment)
    assert student.created_at is not None
    before = student.created_at - timedelta(milliseconds=1)
    assert await rows_at(school, Moment(today, before), Moment(today, student.created_at)) == (
        None,
        {"_id": student.key, "phone": student.phone},
    )
    # Nothing was shown of that moment, so nothing was read.
    read = len(await events(school))
    await rows_at(school, Moment(today, before))
    assert len(await events(school)) == read


async def test_before_its_first_day_a_record_has_no_status(school: School) -> None:
    student = await school.student()
    day = student.status_periods[0].effective_from
    paths = frozenset({"status", "name", "status_periods.status"})
    early, late = await rows_at(school, Moment(day - timedelta(days=1)), Moment(day), paths=paths)
    told = {"_id": student.key, "name": student.name, "status_periods": [{"status": "ENROLLED"}]}
    assert (early, late) == (told | {"status": None}, told | {"status": "ENROLLED"})


async def test_a_suspension_that_reaches_back_is_not_known_before_it_was_recorded(
    school: School, clock: SetClock
) -> None:
    student, before = await school.student(), clock.moment
    today = school_day(before)
    clock.moment += timedelta(days=1)
    payload = payload_of(
        StatusChange, {"student_id": student.key, "effective_from": today - timedelta(days=9)}
    )
    information = await school.viewer("information")
    outcome = await perform(school.store, information, "student.suspend", payload, reason="住院")
    assert outcome.change_request_id is not None
    await school.approve("director", outcome.change_request_id)
    paths = frozenset({"status", "status_periods.superseded_at"})
    moments = [
        Moment(day, known_at)
        for known_at in (before, None)
        for day in (today - timedelta(days=10), today - timedelta(days=9), today)
    ]
    rows = await rows_at(school, *moments, paths=paths)
    assert [row["status"] for row in rows] == ["ENROLLED"] * 4 + ["SUSPENDED"] * 2
    # The ledger as it was then: what was superseded later is not yet.
    assert [len(row["status_periods"]) for row in rows] == [1] * 3 + [3] * 3
    assert rows[0]["status_periods"] == [{"superseded_at": None}]


async def test_a_correction_may_say_what_the_record_says_already(school: School, clock: SetClock) -> None:
    """From another day on: the record stays, and its past is another."""
    old, today = (await school.student()).phone, school_day(clock.moment)
    clock.moment += timedelta(days=5)
    await corrected(school, None, phone="13700000001")
    clock.moment += timedelta(days=1)
    before = await phones(school, Moment(today + timedelta(days=2)))
    await corrected(school, today + timedelta(days=1), phone="13700000001")
    after = await phones(school, Moment(today), Moment(today + timedelta(days=2)))
    assert (before, after) == ([old], [old, "13700000001"])


async def test_a_change_applied_late_holds_from_its_day(school: School, clock: SetClock) -> None:
    """Approved for a day to come, while no worker ran on that day."""
    student, day = await school.student(), school_day(clock.moment) + timedelta(days=2)
    payload = payload_of(StudentUpdate, {"student_id": student.key, "changes": {"phone": "13700000001"}})
    asking = Asking("家长来电", effective_from=day)
    outcome = await perform(
        school.store, await school.viewer("information"), "student.update", payload, asking=asking
    )
    assert outcome.change_request_id is not None
    assert await school.approve("director", outcome.change_request_id) is RequestStatus.APPROVED
    clock.moment += timedelta(days=5)
    assert await apply_due(school.store, clock.moment) == 1
    moments = (Moment(day - timedelta(days=1)), Moment(day), Moment(day, clock.moment - timedelta(days=1)))
    assert await phones(school, *moments) == [student.phone, "13700000001", student.phone]


async def test_a_reversed_emergency_holds_for_no_day(school: School, clock: SetClock) -> None:
    student, today = await school.student(), school_day(clock.moment)
    information, director = await school.viewer("information"), await school.viewer("director")
    payload = payload_of(StudentUpdate, {"student_id": student.key, "changes": {"phone": "13700000001"}})
    action = await execute(school.store, information, "student.update", payload, reason="联系家长")
    executed = clock.moment
    clock.moment += timedelta(days=3)
    await reverse(school.store, director, action, comment="有误")
    moments = (Moment(today, executed), Moment(today), Moment(school_day(clock.moment)))
    assert await phones(school, *moments) == ["13700000001", student.phone, student.phone]


async def test_a_day_before_the_record_began(school: School) -> None:
    first = (await school.student()).status_periods[0].effective_from
    early = first - timedelta(days=1)
    refused = (ErrorCode.OUT_OF_RANGE, "effective_from")
    assert await code(corrected(school, early, phone="13700000001")) == refused
    await corrected(school, first, phone="13700000001")
    assert await phones(school, Moment(early), Moment(first)) == [
        (await rows_at(school, Moment(early)))[0]["phone"],
        "13700000001",
    ]


async def test_a_refused_day_tells_nothing_to_who_may_not_know_the_first(school: School) -> None:
    """Under a policy by which the asker reads no internal values, the day is checked when it applies."""
    student, asker = await school.student(), await school.viewer("information")
    classes = asker.policy.rules.by_post
    rules = asker.policy.rules.model_copy(
        update={"by_post": {post: frozenset(held) - {"F1"} for post, held in classes.items()}}
    )
    blind = replace(asker, policy=type(asker.policy)(rules, ()))
    payload = payload_of(StudentUpdate, {"student_id": student.key, "changes": {"phone": "13700000001"}})
    early = student.status_periods[0].effective_from - timedelta(days=1)
    asking = Asking("家长来电", effective_from=early)
    outcome = await perform(school.store, blind, "student.update", payload, asking=asking)
    assert outcome.change_request_id is not None
    refused = await code(school.approve("director", outcome.change_request_id))
    assert refused == (ErrorCode.INVALID_DATE, "effective_from")
    assert (await school.student()).phone == student.phone


@pytest.mark.parametrize(
    ("as_of", "known_at", "expected"),
    [
        (timedelta(days=1), None, (ErrorCode.OUT_OF_RANGE, "as_of")),
        (date(1, 1, 1), None, (ErrorCode.OUT_OF_RANGE, "as_of")),
        (None, timedelta(seconds=1), (ErrorCode.OUT_OF_RANGE, "known_at")),
        (None, datetime(2026, 1, 1), (ErrorCode.INVALID_ARGUMENT, "known_at")),
    ],
)
async def test_moments_that_are_none(
    school: School, clock: SetClock, as_of: Any, known_at: Any, expected: Any
) -> None:
    if isinstance(as_of, timedelta):
        as_of = school_day(clock.moment) + as_of
    if isinstance(known_at, timedelta):
        known_at = clock.moment + known_at
    with pytest.raises(RegistrarError) as caught:
        moment_at(school.store, as_of, known_at)
    assert (caught.value.code, caught.value.field) == expected


async def test_a_value_of_the_past_is_read_as_one_of_now(school: School, clock: SetClock) -> None:
    student, today = await school.student(), school_day(clock.moment)
    await corrected(school, None, phone="13700000001")
    asked = [MomentsKey(student.key, (Moment(today), Moment(today)), frozenset({"phone", "name"}))]
    without = await school.viewer("director", purpose=None)
    (kept,) = await students_at(school.store, without, asked)
    assert kept is not None and kept.rows[0] == {"_id": student.key, "name": student.name}
    assert kept.withheld == {"phone": Withheld.PURPOSE_REQUIRED} and await events(school) == []
    await students_at(school.store, await school.viewer("director"), asked * 2)
    (event,) = await events(school)
    assert [(group.fields, group.subject_ids) for group in event.groups] == [(["phone"], [student.key])]


async def test_who_reads_no_internal_values_learns_no_day_and_no_time(
    school: School, clock: SetClock
) -> None:
    """Else the status, which is open, would tell day by day when it changed."""
    student, logistics = await school.student(), await school.viewer("logistics")
    today, paths = school_day(clock.moment), frozenset({"status", "name", "phone"})
    now = await find_student(school.store, logistics, student.key, paths)
    assert now.rows == [{"_id": student.key, "status": "ENROLLED", "name": student.name}]
    moments = (Moment(today), Moment(date(1990, 1, 1)), Moment(today, datetime(2000, 1, 1, tzinfo=UTC)))
    (found,) = await students_at(school.store, logistics, [MomentsKey(student.key, moments, paths)])
    assert found is not None and not found.follows
    assert found.rows == ({"_id": student.key},) * 3
    assert found.withheld == dict.fromkeys(paths, Withheld.NOT_PERMITTED)


async def test_out_of_sight_and_unknown_look_the_same(school: School) -> None:
    await link_guardian_account(school.store, (await school.student(1)).key, 0, "parent")
    parent, moment = await school.viewer("parent", None), Moment(date(2025, 1, 1))
    ids = [(await school.student()).key, ObjectId()]
    asked = [MomentsKey(key, (moment,), PHONE) for key in ids]
    assert await students_at(school.store, parent, asked) == [None, None]


async def test_a_grant_opens_the_past_for_a_view_each_request(school: School) -> None:
    """The teacher of the class follows its history; the telephone number is the grant's."""
    world = MarkedSchool(school.store)
    student, teacher = await school.student(), await school.viewer("teacher", None)
    marked = MarkedStudent("", student.to_bson())
    held = await world.give(teacher.person_id, Secrecy.SENSITIVE, student=marked)
    await school.store.database.mongo["retrieval_grants"].update_one(
        {"_id": held.id}, {"$set": {"views_allowed": 1}}
    )
    asked = [MomentsKey(student.key, (Moment(date(2025, 1, 1)),), PHONE)]
    for row in ({"_id": student.key, "phone": student.phone}, {"_id": student.key}):
        viewer = replace(teacher.for_purpose(None), grants=(held,))
        (found,) = await students_at(school.store, viewer, asked)
        assert found is not None and found.rows == (row,)


async def test_a_field_that_may_not_be_read_makes_no_difference(school: School, clock: SetClock) -> None:
    """The archive group reads the guardian's name (F2), neither of the telephone numbers (F3)."""
    student, before, today = await school.student(), clock.moment, school_day(clock.moment)
    clock.moment += timedelta(minutes=1)
    guardians = [
        {"name": held.name, "relation": held.relation, "phone": "13700000009", "workplace": held.workplace}
        for held in student.guardians
    ]
    await corrected(school, None, guardians=guardians, phone="13700000001", native_place="上海市")
    asked = [MomentsKey(student.key, (Moment(today, before), Moment(today)), COMPARED_PATHS)]
    told = {}
    for subject in ("archive", "director"):
        (found,) = await students_at(school.store, await school.viewer(subject), asked)
        assert found is not None
        told[subject] = {held.field: held.after for held in differences(*found.rows)}
        assert ("phone" in found.withheld) is (subject == "archive")
    assert told["archive"] == {"native_place": "上海市"}
    assert told["director"].keys() == {"guardians", "phone", "native_place"}


async def test_what_a_record_says_of_none_and_false_differs() -> None:
    assert [held.field for held in differences({"_id": 1, "is_orphan": None}, {"_id": 1, "is_orphan": False})]
    assert differences({"_id": 1, "guardians": []}, None) == []


async def test_a_link_of_an_account_is_in_the_history(school: School) -> None:
    student = await school.student()
    await link_guardian_account(school.store, student.key, 0, "parent")
    assert await records_unlike_history(school.store) == []
    assert (await school.student()).guardians[0].person_id is not None


async def test_a_writer_that_leaves_a_value_out_is_refused(school: School) -> None:
    student = await school.student()

    async def forgetful(unit: UnitOfWork) -> None:
        loaded = await load_student(unit, student.key)
        await unit.change(loaded, {"native_place": "无", "boarding": "9"})
        change = FieldChange("native_place", loaded.native_place, "无")
        unit.audit(Subject(Student.subject_type, student.key), "student:update", [change])

    with pytest.raises(AssertionError, match=r"wrote \['boarding'\]"):
        await governed_transaction(school.store, INSTALLATION, "forgetful", forgetful)
    assert (await school.student()).native_place == student.native_place


@pytest.mark.parametrize("field", ["native_place", "phone", "guardians", "grade"])
async def test_a_value_edited_in_the_database_alone_is_found(school: School, field: str) -> None:
    assert await records_unlike_history(school.store) == []
    one, other = await school.student(0), await school.student(1)
    students = school.store.database.mongo["students"]
    stored = await students.find_one({"_id": other.key})
    no_date = DatetimeMS(2**62)  # Python has none such
    value = {"native_place": "无", "phone": stored["phone"], "guardians": [], "grade": no_date}[field]
    await students.update_one({"_id": one.key}, {"$set": {field: value}})
    (finding,) = await records_unlike_history(school.store)
    assert (finding.subject, finding.flaw) == (f"Student:{one.key}", Flaw.UNLIKE_RECORD)
    assert await records_unlike_history(school.store, {finding.subject}) == []


async def test_a_history_with_a_gap_gives_no_answer(school: School) -> None:
    """Rather than one that leaves a change out."""
    student = await school.student()
    for number in range(3):
        await corrected(school, None, phone=f"1370000000{number}")
    await school.store.database.mongo[ENTRIES].delete_one({"subject_id": student.key, "sequence": 2})
    with pytest.raises(BrokenHistoryError):
        await rows_at(school, Moment(date(2025, 1, 1)))
