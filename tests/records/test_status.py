"""Suspension (休学) and resumption (复学): status, periods, history, and who reads why."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from archive_store.approvals.operations import payload_of, perform
from archive_store.approvals.queries import change_requests_by_id, contents_for
from archive_store.audit.queries import HistoryEntry
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.documents import StatusPeriod, StudentStatus
from archive_store.students.histories import STUDENT_HISTORY
from archive_store.students.status import StatusChange
from archive_store.students.status_periods import in_force, restored, say_the_same, with_status
from schema.nodes import global_id
from tests.http.test_http import ask
from tests.school import School

Bearer = Any
ENROLLED, SUSPENDED = StudentStatus.ENROLLED, StudentStatus.SUSPENDED
REASON = "急性阑尾炎住院"


def today(school: School) -> date:
    return school_day(school.store.clock.now())


async def asked(
    school: School, day: date, operation: str = "student.suspend", subject: str = "information"
) -> ObjectId:
    student = await school.student()
    payload = payload_of(StatusChange, {"student_id": student.key, "effective_from": day})
    outcome = await perform(school.store, await school.viewer(subject), operation, payload, reason=REASON)
    assert outcome.change_request_id is not None
    return outcome.change_request_id


async def code(awaited: Any) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await awaited
    return caught.value.code


async def test_a_suspension_adds_a_period_and_overwrites_none(school: School) -> None:
    (period,) = (await school.student()).status_periods
    day = today(school)
    await school.approve("director", await asked(school, day))
    student = await school.student()
    assert student.status is SUSPENDED
    first, closed, new = student.status_periods
    assert first.model_copy(update={"superseded_at": None}) == period and first.superseded_at
    assert (closed.effective_from, closed.effective_to) == (period.effective_from, day - timedelta(days=1))
    assert (new.status, new.effective_from, new.effective_to) == (SUSPENDED, day, None)
    assert in_force(student.status_periods) == [closed, new]


async def test_a_resumption_ends_it(school: School) -> None:
    day = today(school)
    await school.approve("director", await asked(school, day - timedelta(days=9)))
    assert await code(asked(school, day)) is ErrorCode.WRONG_STATE
    await school.approve("director", await asked(school, day, "student.resume"))
    student = await school.student()
    assert student.status is ENROLLED
    spans = [(held.status, held.effective_to) for held in in_force(student.status_periods)]
    assert spans == [
        (ENROLLED, day - timedelta(days=10)),
        (SUSPENDED, day - timedelta(days=1)),
        (ENROLLED, None),
    ]
    assert await code(asked(school, day, "student.resume")) is ErrorCode.WRONG_STATE


async def test_a_day_before_the_running_period_or_one_to_come(school: School) -> None:
    since = (await school.student()).status_periods[0].effective_from
    assert await code(asked(school, since - timedelta(days=1))) is ErrorCode.INVALID_DATE
    tomorrow = await asked(school, today(school) + timedelta(days=1))
    assert await code(school.approve("director", tomorrow)) is ErrorCode.INVALID_DATE
    assert (await school.student()).status is ENROLLED


@pytest.mark.parametrize("subject", ["teacher", "archive", "vice-principal"])
async def test_who_may_not_ask(school: School, subject: str) -> None:
    assert await code(asked(school, today(school), subject=subject)) is ErrorCode.FORBIDDEN


async def test_two_requests_for_it_meet_as_a_conflict(school: School) -> None:
    one, other = await asked(school, today(school)), await asked(school, today(school))
    await school.approve("director", one)
    assert await code(school.approve("director", other)) is ErrorCode.CONFLICT


async def test_why_is_read_by_those_who_read_of_health(school: School) -> None:
    key = await asked(school, today(school))
    seen = {}
    for subject in ("information", "director", "archive", "vice-principal"):
        viewer = await school.viewer(subject)
        (request,) = await change_requests_by_id(school.store, viewer, [key])
        assert request is not None
        (content,) = await contents_for(school.store, viewer, [request])
        assert [change.after for change in content.changes if change.field == "status"] == ["SUSPENDED"]
        seen[subject] = content.reason
    assert seen == {"information": REASON, "director": REASON, "archive": None, "vice-principal": None}
    await school.approve("director", key)

    async def told(subject: str) -> HistoryEntry:
        viewer = await school.viewer(subject)
        student = await school.student()
        (page,) = await STUDENT_HISTORY.pages(school.store, viewer, [student.key], first=1)
        assert page is not None
        return page.rows[0]

    assert ((await told("director")).kind, (await told("director")).reason) == (
        "student:status:suspend",
        REASON,
    )
    entry = await told("information")
    assert (entry.reason, [change.withheld for change in entry.changes]) == (None, [False, False])


async def test_over_graphql(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    student, day = await school.student(), today(school)
    mutation = """mutation ($input: StudentStatusChangeInput!) { studentStatusChange(input: $input) {
        changeRequest { id effectiveFrom changes { field after } } errors { code field } } }"""
    given = {"studentId": global_id("Student", student.key), "kind": "SUSPEND", "reason": REASON}
    information = bearer("information")

    async def suspend(day: date) -> Any:
        sent = {**given, "effectiveFrom": day.isoformat()}
        return (await ask(http, information, mutation, input=sent))["data"]["studentStatusChange"]

    waits = await suspend(day + timedelta(days=3))
    assert waits["changeRequest"]["effectiveFrom"] == (day + timedelta(days=3)).isoformat()
    early = await suspend(date(1990, 1, 1))
    assert early["errors"] == [{"code": "invalid_date", "field": "effectiveFrom"}]
    request = (await suspend(day))["changeRequest"]
    assert request["changes"] == [
        {"field": "status", "after": "SUSPENDED"},
        {
            "field": "statusPeriods",
            "after": [{"status": "SUSPENDED", "effectiveFrom": day.isoformat(), "cause": "SUSPEND"}],
        },
    ]
    revise = """mutation ($input: StudentStatusChangeReviseInput!) { studentStatusChangeRevise(input: $input) {
        changeRequest { round changes { after } } errors { code } } }"""
    yesterday = (day - timedelta(days=1)).isoformat()
    sent = {"id": request["id"], "effectiveFrom": yesterday}
    told = (await ask(http, information, revise, input=sent))["data"]["studentStatusChangeRevise"]
    assert told["changeRequest"]["changes"][1]["after"][0]["effectiveFrom"] == yesterday
    approve = """mutation ($id: ID!) { changeRequestApprove(input: {id: $id}) {
        changeRequest { status } errors { code } } }"""
    done = await ask(http, bearer("director"), approve, id=request["id"])
    assert done["data"]["changeRequestApprove"]["changeRequest"] == {"status": "APPLIED"}
    query = """query ($id: ID!) { student(id: $id) { status statusPeriods { status effectiveFrom supersededAt }
        auditHistory(first: 1) { edges { node { changes { field before after } } } }
        viewerCan(action: STUDENT_SUSPEND) { allowed tiers } } }"""
    shown = (await ask(http, information, query, id=given["studentId"]))["data"]["student"]
    assert (shown["status"], len(shown["statusPeriods"])) == ("SUSPENDED", 3)
    assert shown["viewerCan"] == {"allowed": True, "tiers": ["DEPARTMENT_HEAD"]}


AT = datetime(2026, 9, 1, tzinfo=UTC)
START = date(2020, 9, 1)


@given(st.lists(st.tuples(st.sampled_from(StudentStatus), st.integers(0, 900)), max_size=6))
def test_periods_follow_each_other_and_can_be_restored(steps: list[tuple[StudentStatus, int]]) -> None:
    periods = [StatusPeriod(status=ENROLLED, effective_from=START, recorded_at=AT)]
    day = START
    for status, days in steps:
        before, day = periods, day + timedelta(days=days)
        periods = with_status(before, status, day, AT)
        assert len(periods) >= len(before)
        back = restored(periods, before, AT)
        assert say_the_same(back, before)
        assert len(back) >= len(periods)
    held = in_force(periods)
    assert held[-1].effective_to is None
    for earlier, later in pairwise(held):
        assert earlier.effective_to is not None
        assert earlier.effective_to + timedelta(days=1) == later.effective_from
