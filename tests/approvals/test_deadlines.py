"""The clock: reminders, escalation once overdue, changes whose day has come."""

from __future__ import annotations

from datetime import datetime, timedelta

from bson import ObjectId

from archive_store.approvals.deadlines import apply_due, escalate, remind
from archive_store.approvals.documents import Decision, RequestStatus
from archive_store.approvals.requests import withdraw
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode
from archive_store.foundation.work_calendars import load_working_days
from archive_store.foundation.working_days import Period, due_after
from tests.approvals.test_requests import asked, awaiting, code, held, jointly, sign
from tests.school import School

S = RequestStatus


async def kinds(school: School, key: ObjectId) -> list[tuple[str | None, str]]:
    rows = school.store.database.mongo["notifications"].find({"subject_id": key}).sort("_id", 1)
    return [(row["recipient_post"], row["kind"].partition(":")[2]) for row in await rows.to_list()]


async def late(school: School, key: ObjectId) -> datetime:
    due = (await held(school, key)).due_at
    assert due is not None
    return due + timedelta(seconds=1)


async def test_a_step_is_due_in_working_days_and_each_step_anew(school: School) -> None:
    key = await asked(school, name="王改名")
    request = await held(school, key)
    calendar = await load_working_days(school.store)
    assert request.created_at is not None
    assert request.due_at == due_after(request.created_at, Period(working_days=3), calendar)
    await sign(school, "director", key)
    assert (await held(school, key)).due_at is not None
    await sign(school, "vice-principal", key)
    assert (await held(school, key)).due_at is None


async def test_a_reminder_goes_out_once(school: School) -> None:
    key = await asked(school)
    due = (await held(school, key)).due_at
    assert due is not None
    assert await remind(school.store, due - timedelta(hours=25)) == 0
    assert await remind(school.store, due - timedelta(hours=23)) == 1
    assert await remind(school.store, due) == 0
    assert (await kinds(school, key))[-1] == ("DIRECTOR", "due_soon")


async def test_an_overdue_step_goes_to_the_next_tier_as_well(school: School) -> None:
    key = await asked(school)
    assert await awaiting(school, "vice-principal") == []
    now = await late(school, key)
    assert [await escalate(school.store, now) for _ in range(2)] == [1, 0]
    assert (await kinds(school, key))[-3:] == [
        ("VICE_PRINCIPAL", "escalated"),
        ("DIRECTOR", "overdue"),
        (None, "overdue"),
    ]
    assert (await awaiting(school, "vice-principal"), await awaiting(school, "director")) == ([key], [key])
    assert await sign(school, "vice-principal", key) is S.APPLIED
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_those_who_were_late_may_still_sign(school: School) -> None:
    key = await asked(school)
    await escalate(school.store, await late(school, key))
    assert await sign(school, "director", key) is S.APPLIED


async def test_who_stands_in_signs_for_the_own_tier_too(school: School) -> None:
    """Else the request would wait for a second signature of theirs for ever."""
    key = await asked(school, name="王改名")
    await escalate(school.store, await late(school, key))
    assert await sign(school, "vice-principal", key) is S.APPLIED
    assert (await school.student()).name == "王改名"


async def test_a_stand_in_ends_a_joint_step(school: School) -> None:
    await jointly(school, "ACADEMIC_AFFAIRS", "ADMISSIONS")
    key = await asked(school, name="王改名")
    await sign(school, "admissions", key)
    await escalate(school.store, await late(school, key))
    await sign(school, "director", key)
    assert (await held(school, key)).awaited_posts == ["VICE_PRINCIPAL"]


async def test_the_principals_step_has_nobody_above(school: School) -> None:
    request = await held(school, await asked(school, "director", name="王改名"))
    assert [step.tier for step in request.route] == ["VICE_PRINCIPAL"]
    now = await late(school, request.key)
    await escalate(school.store, now)
    assert (await held(school, request.key)).escalated_posts == ["PRINCIPAL"]


async def test_closed_requests_are_left_alone(school: School) -> None:
    key = await asked(school)
    now = await late(school, key)
    await sign(school, "director", key, Decision.RETURNED)
    before = await school.counts()
    assert (await remind(school.store, now), await escalate(school.store, now)) == (0, 0)
    assert await school.counts() == before


async def test_a_change_applies_when_its_day_comes(school: School) -> None:
    today = school_day(school.store.clock.now())
    key = await asked(school, effective_from=today + timedelta(days=2), address="新路1号")
    await sign(school, "director", key)
    now = school.store.clock.now()
    assert await apply_due(school.store, now) == 0
    assert [await apply_due(school.store, now + timedelta(days=2)) for _ in range(2)] == [1, 0]
    assert ((await held(school, key)).status, (await school.student()).address) == (S.APPLIED, "新路1号")
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_change_that_no_longer_fits_is_told_once_and_stays_approved(school: School) -> None:
    tomorrow = school_day(school.store.clock.now()) + timedelta(days=1)
    key = await asked(school, effective_from=tomorrow, phone="13700000001")
    await sign(school, "director", key)
    await sign(school, "director", await asked(school, phone="13700000002"))
    later = school.store.clock.now() + timedelta(days=1)
    assert [await apply_due(school.store, later) for _ in range(2)] == [0, 0]
    request = await held(school, key)
    assert (request.status, request.blocked_at is not None) == (S.APPROVED, True)
    assert [kind for _, kind in await kinds(school, key)].count("blocked") == 1
    assert (await school.student()).phone == "13700000002"
    information = await school.viewer("information")
    assert await withdraw(school.store, information, key) is S.WITHDRAWN
    assert await code(sign(school, "director", key)) is ErrorCode.WRONG_STATE
