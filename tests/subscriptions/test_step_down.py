"""A step-down of the primary in the middle: what the clients were told is what is stored, each once, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from pymongo.errors import PyMongoError

from archive_store.audit.documents import NOTIFICATIONS
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
