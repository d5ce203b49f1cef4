"""A step-down of the primary in the middle: what the clients were told is what is stored, each once, in order."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import httpx
import pytest
from pymongo.errors import AutoReconnect, PyMongoError

from archive_store.audit.documents import NOTIFICATIONS
from archive_store.people.sign_in import load_viewer
from schema.nodes import global_id
from tests.school import School
from tests.subscriptions.conftest import Live
from tests.subscriptions.test_tasks import NOTIFICATION, TASK, UPDATE

REQUESTS = 12


async def test_clients_miss_nothing_and_are_told_nothing_twice(
    live: Live, school: School, bearer: Any, start: Any
) -> None:
    clients = {
        (kind, query): await start(kind, query, params=bearer("director"))
        for kind in ("ws", "sse")
        for query in (NOTIFICATION, TASK)
    }
    await live.subscribed(4)
    database = school.store.database
    student = await school.student()
    variables = {"id": global_id("Student", student.key)}

    async def ask_often() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            for n in range(REQUESTS):
                told = {"query": UPDATE, "variables": variables | {"phone": f"139000022{n:02}"}}
                while True:
                    answer = await http.post(live.url, json=told, headers=bearer("information"))
                    if answer.is_success and not answer.json().get("errors"):
                        break
                    await asyncio.sleep(0.2)  # told to try again
                await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask_often())
    await clients["ws", NOTIFICATION].event("next", 3)
    await database.client.admin.command({"replSetStepDown": 2, "force": True})
    await asking
    async with asyncio.timeout(30):
        while True:
            try:
                rows = (
                    await database.mongo[NOTIFICATIONS]
                    .find({"kind": "change_request:awaits_decision"})
                    .to_list()
                )
                break
            except PyMongoError:
                await asyncio.sleep(0.2)
    told = [global_id("Notification", row["_id"]) for row in rows]
    requests = [global_id("ChangeRequest", row["subject_id"]) for row in rows]
    assert len(told) >= REQUESTS
    for (kind, query), client in clients.items():
        field = "notificationAdded" if query == NOTIFICATION else "taskAdded"
        nodes = await client.nodes(field, len(told))
        await asyncio.sleep(0.5)
        assert len(client.lines) == 1 + len(told), kind
        if query == NOTIFICATION:
            assert [node["id"] for node in nodes] == told, kind
        else:
            assert [node["subject"]["id"] for node in nodes] == requests, kind


async def test_an_event_waits_for_the_database_to_be_in_reach(
    live: Live, school: School, bearer: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.sign_in.VIEWER_REREAD_AFTER_SECONDS", 0)
    clients = [await start(kind, TASK, params=bearer("director")) for kind in ("ws", "sse")]
    await live.subscribed(2)
    failures = 0

    async def fails_at_first(call: Any, *told: Any) -> Any:
        nonlocal failures
        if failures < 8:
            failures += 1
            raise AutoReconnect("no primary")
        return await call(*told)

    monkeypatch.setattr("api.sign_in.load_viewer", partial(fails_at_first, load_viewer))
    request = await school.request("information", await school.student(), phone="13900001111")
    for client in clients:
        [task] = await client.nodes("taskAdded", 1)
        assert task["subject"]["id"] == global_id("ChangeRequest", request)
    assert failures == 8
