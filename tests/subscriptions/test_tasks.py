"""A task reaches who decides, within a second, with what they may see; over both transports."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from schema.nodes import global_id
from tests.audit.test_feed import open_streams
from tests.conduct.cases import COMMITTEE, GROUNDS, appoint, family, file, impose
from tests.school import School
from tests.subscriptions.conftest import Live

TASK = """subscription { taskAdded { id kind at subject { __typename ... on ChangeRequest {
    id awaits requestedByName reason changes { field before after withheld } } } } }"""
APPEAL = "subscription { taskAdded { id kind subject { ... on Appeal { id grounds } } } }"
NOTIFICATION = "subscription { notificationAdded { id kind subjectId } }"
UPDATE = """mutation ($id: ID!, $phone: String!) { studentUpdate(input: {
    studentId: $id, reason: "家长来电", changes: {phone: $phone}}) { changeRequest { id } errors { code } } }"""
PHONE = "13900001111"


async def ask(
    live: Live, school: School, bearer: Any, phone: str = PHONE, position: int = 0
) -> tuple[str, float]:
    """Ask for a change as the information group, over HTTP; the request's id, and when it was sent."""
    student = await school.student(position)
    told = {"query": UPDATE, "variables": {"id": global_id("Student", student.key), "phone": phone}}
    async with httpx.AsyncClient(trust_env=False) as http:
        sent = time.time()
        answer = await http.post(live.url, json=told, headers=bearer("information"))
    payload = answer.json()["data"]["studentUpdate"]
    assert payload["errors"] == []
    return payload["changeRequest"]["id"], sent


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_a_task_comes_within_a_second_to_who_decides_and_to_nobody_else(
    live: Live, school: School, bearer: Any, start: Any, kind: str, record_property: Any
) -> None:
    director = await start(kind, TASK, params=bearer("director"))
    archive = await start(kind, TASK, params=bearer("archive"))
    vice_principal = await start(kind, TASK, params=bearer("vice-principal"))
    await live.subscribed(3)
    before = (await school.student()).phone
    took = []
    for n in range(5):
        request_id, sent = await ask(live, school, bearer, f"1390000111{n}")
        line = (await director.event("next", n + 1))[n]
        task = line["result"]["data"]["taskAdded"]
        took.append(line["at"] / 1000 - sent)
        assert task["subject"]["id"] == request_id
        assert (task["kind"], task["subject"]["awaits"]) == ("CHANGE_REQUEST_DECISION", "DEPARTMENT_HEAD")
        assert task["subject"]["changes"] == [
            {"field": "phone", "before": before, "after": f"1390000111{n}", "withheld": False}
        ]
    print(f"{kind}: from the request to the task, seconds: {[round(each, 3) for each in took]}")  # noqa: T201
    record_property("seconds", took)
    # The first one may meet a machine that is busy with something else.
    assert sorted(took)[len(took) // 2] < 1 and max(took) < 10
    for other in (archive, vice_principal):
        assert [line["event"] for line in other.lines] == ["connected"]


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_a_task_goes_on_to_who_decides_next(
    live: Live, school: School, bearer: Any, start: Any, kind: str
) -> None:
    # For no purpose: who decides sees what is decided.
    director = await start(kind, TASK, params=bearer("director", purpose=""))
    vice_principal = await start(kind, TASK, NOTIFICATION, params=bearer("vice-principal", purpose=""))
    information = await start(kind, NOTIFICATION, params=bearer("information"))
    await live.subscribed(4)
    request = await school.request("information", await school.student(), name="李明", phone=PHONE)
    [first] = await director.nodes("taskAdded", 1)
    await school.approve("director", request)
    lines = await vice_principal.event("next", 2)
    told = {name: node for line in lines for name, node in line["result"]["data"].items()}
    shown = global_id("ChangeRequest", request)
    assert told["notificationAdded"]["subjectId"] == shown
    task = told["taskAdded"]
    assert first["subject"]["id"] == task["subject"]["id"] == shown
    assert (first["id"], task["subject"]["awaits"]) == (task["id"], "VICE_PRINCIPAL")
    assert [change["after"] for change in task["subject"]["changes"]] == ["李明", PHONE]
    assert not any(change["withheld"] for change in task["subject"]["changes"])
    await school.approve("vice-principal", request)
    assert [node["kind"] for node in await information.nodes("notificationAdded", 1)] == [
        "change_request:applied"
    ]
    assert len(await director.event("next")) == 1


async def test_an_appeal_comes_to_who_names_its_committee_and_then_to_its_members(
    live: Live, school: School, bearer: Any, start: Any
) -> None:
    sanction_id = await impose(school, await family(school))
    principal = await start("ws", APPEAL, params=bearer("principal", purpose=""))
    chair = await start("ws", APPEAL, params=bearer(COMMITTEE[0], purpose=""))
    director = await start("ws", APPEAL, params=bearer("director", purpose=""))
    await live.subscribed(3)
    appeal_id = await file(school, sanction_id)
    shown = global_id("Appeal", appeal_id)
    [naming] = await principal.nodes("taskAdded", 1)
    assert (naming["kind"], naming["subject"]["id"]) == ("APPEAL_APPOINTMENT", shown)
    await appoint(school, appeal_id)
    [reviewing] = await chair.nodes("taskAdded", 1)
    assert (reviewing["kind"], reviewing["id"]) == ("APPEAL_REVIEW", naming["id"])
    assert reviewing["subject"]["grounds"] == GROUNDS
    assert len(await principal.event("next")) == 1
    # The head is told that there is an appeal, which is not theirs to move.
    assert [line["event"] for line in director.lines] == ["connected"]


async def test_each_reading_of_a_task_is_recorded(
    live: Live, school: School, bearer: Any, start: Any
) -> None:
    client = await start("ws", TASK, params=bearer("director"))
    await live.subscribed(1)
    before = (await school.counts()).get("access_events", 0)
    for n in range(3):
        await ask(live, school, bearer, position=n)
        await client.event("next", n + 1)
    assert (await school.counts())["access_events"] == before + 3


async def test_fifty_clients_stand_on_one_stream(live: Live, school: School, bearer: Any, start: Any) -> None:
    client = await start("ws", TASK, params=bearer("director"), clients=50)
    await live.subscribed(50)
    request_id, sent = await ask(live, school, bearer)
    lines = await client.event("next", 50)
    assert {line["client"] for line in lines} == set(range(50))
    told = [line["result"]["data"]["taskAdded"]["subject"]["id"] for line in lines]
    assert told == [request_id] * 50
    took = max(line["at"] for line in lines) / 1000 - sent
    print(f"the last of 50 was told after {took:.3f} s")  # noqa: T201
    assert took < 5
    assert len(await open_streams(school.store)) == 1


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_a_line_of_log_for_each_connection_and_each_subscription(
    live: Live, school: School, bearer: Any, start: Any, kind: str
) -> None:
    with capture_logs() as lines:
        client = await start(kind, TASK, NOTIFICATION, params=bearer("director"))
        await live.subscribed(2)
        await ask(live, school, bearer)
        await client.event("next", 2)
        client.tell("leave")
        await live.subscribed(0)
        ends = "connection" if kind == "ws" else "request"
        expected = 1 if kind == "ws" else 3  # that of `ask` is a request, too
        async with asyncio.timeout(10):
            while sum(line["event"] == ends for line in lines) < expected:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    told = [line for line in lines if line["event"] == "subscription"]
    assert {(line["field"], line["ended"], line["events"]) for line in told} == {
        *(("taskAdded", "left", 1), ("notificationAdded", "left", 1))
    }
    assert all(line["route"] == "/graphql" for line in lines if line["event"] == ends)
    assert PHONE not in str(lines) and "Bearer" not in str(lines)
