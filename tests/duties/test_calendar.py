"""`calendar.load`: the department head approves, the year is replaced whole, and every process counts by it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from bson import ObjectId

from archive_store.approvals.documents import RequestStatus
from archive_store.approvals.operations import Outcome, payload_of, perform
from archive_store.approvals.queries import change_requests_by_id, contents_for
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.duties.operations import CalendarLoad
from archive_store.duties.queries import calendar_of_year
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.work_calendars import load_working_days, published_working_days
from archive_store.foundation.working_days import Period, due_after, end_of_day
from tests.school import School

# Of 2027 nobody has published anything; these are invented.
OFF = [date(2027, 1, 1), date(2027, 2, 8), date(2027, 2, 9)]
MADE_UP = [date(2027, 2, 13)]
NOTICE = "国务院办公厅关于2027年部分节假日安排的通知"
FRIDAY = datetime(2027, 2, 5, 2, tzinfo=UTC)


async def load(school: School, subject: str = "information", **told: Any) -> Outcome:
    values = {"year": 2027, "days_off": OFF, "made_up_workdays": MADE_UP, "source": NOTICE, **told}
    payload = payload_of(CalendarLoad, {"calendar_id": ObjectId(), **values})
    return await perform(
        school.store, await school.viewer(subject), "calendar.load", payload, reason="收到通知"
    )


async def loaded(school: School, **told: Any) -> None:
    request = (await load(school, **told)).change_request_id
    assert request is not None
    assert await school.approve("director", request) is RequestStatus.APPLIED
    school.store.versions_seen.clear()


async def test_deadlines_are_counted_by_what_the_head_approved(school: School) -> None:
    before = await load_working_days(school.store)
    assert not before.is_covered(date(2027, 2, 8))
    period = Period(working_days=2)
    assert due_after(FRIDAY, period, before) == end_of_day(date(2027, 2, 9))
    await loaded(school)
    after = await load_working_days(school.store)
    assert after is await load_working_days(school.store)
    assert after.is_covered(date(2027, 2, 8))
    assert due_after(FRIDAY, period, after) == end_of_day(date(2027, 2, 11))
    assert after.is_working_day(MADE_UP[0]) and not after.is_working_day(date(2027, 2, 14))
    # The other years stand as published.
    published = published_working_days()
    assert after.years == published.years | {2027}
    assert {day for day in after.days_off if day.year != 2027} == published.days_off
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_the_newest_version_stands_for_the_whole_year(school: School) -> None:
    assert await calendar_of_year(school.store, 2027) is None
    published = await calendar_of_year(school.store, 2026)
    assert published is not None and published.version is None
    assert published.source.startswith("chinesecalendar ")
    assert len(published.days_off) == 33 and len(published.made_up_workdays) == 6
    await loaded(school, year=2026, days_off=[date(2026, 12, 31)], made_up_workdays=[])
    await loaded(school, year=2026, days_off=[date(2026, 12, 30)], made_up_workdays=[date(2026, 12, 27)])
    newest = await calendar_of_year(school.store, 2026)
    assert newest is not None
    assert (newest.version, newest.source) == (2, NOTICE)
    assert newest.days_off == (date(2026, 12, 30),)
    calendar = await load_working_days(school.store)
    assert calendar.is_working_day(date(2026, 10, 1)) and calendar.is_working_day(date(2026, 12, 31))
    assert calendar.is_working_day(date(2026, 12, 27)) and not calendar.is_working_day(date(2026, 12, 30))


async def test_who_approves_sees_what_changes(school: School) -> None:
    request = (
        await load(school, year=2026, days_off=[date(2026, 12, 31)], made_up_workdays=[])
    ).change_request_id
    assert request is not None
    director = await school.viewer("director")
    (held,) = await change_requests_by_id(school.store, director, [request])
    assert held is not None
    (content,) = await contents_for(school.store, director, [held])
    shown = {change.field: (change.before, change.after) for change in content.changes}
    before, after = shown["days_off"]
    assert len(before) == 33 and after == ["2026-12-31"]
    assert not any(change.withheld for change in content.changes)


async def test_two_requests_for_a_year_conflict(school: School) -> None:
    first = (await load(school)).change_request_id
    second = (await load(school, days_off=OFF[:1])).change_request_id
    assert first is not None and second is not None
    await school.approve("director", second)
    with pytest.raises(RegistrarError) as refused:
        await school.approve("director", first)
    assert refused.value.code is ErrorCode.CONFLICT


async def test_the_heads_own_request_goes_one_tier_up(school: School) -> None:
    request = (await load(school, "director")).change_request_id
    assert request is not None
    assert await school.approve("vice-principal", request) is RequestStatus.APPLIED


@pytest.mark.parametrize(
    ("told", "code", "field"),
    [
        ({"year": 2003}, ErrorCode.OUT_OF_RANGE, "year"),
        ({"days_off": []}, ErrorCode.REQUIRED, "days_off"),
        ({"source": " "}, ErrorCode.REQUIRED, "source"),
        ({"source": "通\n知"}, ErrorCode.INVALID_ARGUMENT, "source"),
        ({"source": "通" * 301}, ErrorCode.TOO_LONG, "source"),
        ({"days_off": [date(2026, 12, 31)]}, ErrorCode.INVALID_ARGUMENT, "days_off"),
        ({"made_up_workdays": [date(2028, 1, 1)]}, ErrorCode.INVALID_ARGUMENT, "made_up_workdays"),
        ({"made_up_workdays": [date(2027, 2, 10)]}, ErrorCode.INVALID_ARGUMENT, "made_up_workdays"),
        ({"days_off": MADE_UP}, ErrorCode.INVALID_ARGUMENT, "made_up_workdays"),
        ({"days_off": ["2027-02-30"]}, ErrorCode.INVALID_DATE, "days_off.0"),
    ],
)
async def test_what_is_no_calendar(school: School, told: dict[str, Any], code: ErrorCode, field: str) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as refused:
        await load(school, **told)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert await school.counts() == before


async def test_who_may_not_ask_and_what_is_loaded_already(school: School) -> None:
    for subject in ("archive", "analysis", "logistics", "principal"):
        with pytest.raises(RegistrarError) as refused:
            await load(school, subject)
        assert refused.value.code is ErrorCode.FORBIDDEN
    await loaded(school)
    with pytest.raises(RegistrarError) as refused:
        await load(school, source="又一份")
    assert refused.value.code is ErrorCode.NOTHING_TO_CHANGE


async def test_over_http(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    async def ask(subject: str, query: str, **variables: Any) -> Any:
        content = {"query": query, "variables": variables}
        told = (await http.post("/graphql", json=content, headers=bearer(subject))).json()
        assert "errors" not in told, told
        return told["data"]

    load = """mutation ($input: CalendarLoadInput!) { calendarLoad(input: $input) {
        workCalendar { version } changeRequest { id status awaits } errors { code field messageZh } } }"""
    given = {"year": 2027, "daysOff": ["2027-01-01"], "source": NOTICE, "reason": "收到通知"}
    asked = (await ask("information", load, input=given))["calendarLoad"]
    assert asked["errors"] == [] and asked["workCalendar"] is None
    assert asked["changeRequest"]["awaits"] == "DEPARTMENT_HEAD"
    await ask(
        "director",
        "mutation ($id: ID!) { changeRequestApprove(input: {id: $id}) { errors { code } } }",
        id=asked["changeRequest"]["id"],
    )
    seen = "{ workCalendar(year: 2027) { year version daysOff madeUpWorkdays source } }"
    expected = {"year": 2027, "version": 1, "daysOff": ["2027-01-01"], "madeUpWorkdays": [], "source": NOTICE}
    assert (await ask("logistics", seen))["workCalendar"] == expected
    wrong = (await ask("information", load, input=given | {"daysOff": ["2026-01-01"]}))["calendarLoad"]
    assert [(error["code"], error["field"]) for error in wrong["errors"]] == [("invalid_argument", "daysOff")]
    assert "2026-01-01 不在 2027 年" in wrong["errors"][0]["messageZh"]
