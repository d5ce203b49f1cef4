"""Who may not subscribe, and what ends a subscription: each with a code."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from api.sign_in import LEEWAY_SECONDS
from archive_store.audit.documents import NOTIFICATIONS
from archive_store.foundation.clock import school_day
from archive_store.people.documents import RoleGrant
from tests.school import School
from tests.subscriptions.conftest import Live
from tests.subscriptions.test_tasks import NOTIFICATION, TASK, ask

BOTH = pytest.mark.parametrize("kind", ["ws", "sse"])
# More than the buffers of a socket hold, after a few hundred of them.
LONG = "subscription {{ notificationAdded {{ id {} }} }}".format(
    " ".join(f"a{n:0200}: kind" for n in range(30))
)


@pytest.mark.parametrize(
    "params", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}]
)
@BOTH
async def test_nobody_subscribes_without_a_token(live: Live, start: Any, kind: str, params: Any) -> None:
    client = await start(kind, NOTIFICATION, TASK, params=params)
    [error, *_] = await client.event("error", 2)
    assert error.get("code", error.get("status")) == (4401 if kind == "ws" else 401)
    assert not any(line["event"] == "next" for line in client.lines)
    assert live.feed.subscribers == 0


async def test_a_service_account_gets_none(live: Live, start: Any, bearer: Any) -> None:
    socket = await start("ws", NOTIFICATION, params=bearer("service"))
    assert (await socket.event("error"))[0]["code"] == 4403
    stream = await start("sse", TASK, params=bearer("service"))
    assert await stream.code() == "forbidden"
    assert live.feed.subscribers == 0


@BOTH
async def test_a_token_that_expires_ends_it(
    live: Live, start: Any, issuer: Any, school: School, kind: str
) -> None:
    token = issuer.token("director", seconds=4 - LEEWAY_SECONDS)
    client = await start(kind, NOTIFICATION, params={"Authorization": f"Bearer {token}"})
    assert await client.code() == "unauthenticated"
    assert live.feed.subscribers == 0


@BOTH
async def test_a_post_that_ends_ends_it(
    live: Live, start: Any, bearer: Any, school: School, kind: str
) -> None:
    client = await start(kind, TASK, params=bearer("director"))
    await live.subscribed(1)
    yesterday = school_day(school.store.clock.now()) - timedelta(days=1)
    director = await school.viewer("director")
    await school.store.database.collection(RoleGrant).update_many(
        {"person_id": director.person_id}, {"$set": {"valid_to": yesterday.isoformat()}}
    )
    assert await client.code() == "post_ended"
    await live.subscribed(0)
    await ask(live, school, bearer)
    assert [line["event"] for line in client.lines if line["event"] != "closed"] == [
        *("connected", "next", "complete")
    ]


async def test_a_post_that_begins_is_told_from_then_on(
    live: Live, start: Any, bearer: Any, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.sign_in.VIEWER_REREAD_AFTER_SECONDS", 0.1)
    monkeypatch.setattr("schema.audit.subscriptions.VIEWER_CHECK_SECONDS", 0.2)
    client = await start("ws", TASK, params=bearer("logistics"))
    await live.subscribed(1)
    grants = school.store.database.collection(RoleGrant)
    logistics, director = await school.viewer("logistics"), await school.viewer("director")
    await ask(live, school, bearer)
    await grants.update_one(
        {"person_id": director.person_id, "post": "DIRECTOR"}, {"$set": {"person_id": logistics.person_id}}
    )
    await asyncio.sleep(0.5)
    request_id, _ = await ask(live, school, bearer, position=1)
    [task] = await client.nodes("taskAdded", 1)
    assert task["subject"]["id"] == request_id


@BOTH
async def test_a_server_that_ends_says_so(
    live: Live, start: Any, bearer: Any, school: School, kind: str
) -> None:
    client = await start(kind, NOTIFICATION, params=bearer("director"))
    await live.subscribed(1)
    async with asyncio.timeout(5):
        live.end()
        if kind == "sse":
            assert await client.code() == "try_again"
        else:
            # Whichever is first: the end of the subscription, after which the client leaves, or that of the socket.
            assert (await client.event("closed"))[0]["code"] in (1000, 1012)


@BOTH
async def test_who_leaves_is_forgotten(
    live: Live, start: Any, bearer: Any, school: School, kind: str
) -> None:
    client = await start(kind, NOTIFICATION, TASK, params=bearer("director"))
    await live.subscribed(2)
    client.tell("leave")
    await live.subscribed(0)


async def test_a_slow_client_is_dropped_and_holds_up_nobody(
    live: Live, start: Any, bearer: Any, school: School
) -> None:
    live.feed.queue_limit = 50
    slow = await start("ws", LONG, params=bearer("director"))
    quick = await start("ws", NOTIFICATION, params=bearer("director"))
    await live.subscribed(2)
    slow.tell("pause")
    director = await school.viewer("director")
    row = {"recipient_post": None, "recipient_person": director.person_id, "kind": "test:told"}
    row |= {"subject_type": "Student", "subject_id": director.person_id, "at": school.store.clock.now()}
    told = 0
    while all(each.is_open for each in live.feed._subscriptions) and told < 20_000:
        await school.store.database.mongo[NOTIFICATIONS].insert_many([dict(row) for _ in range(25)])
        told += 25
        await quick.event("next", told)
    print(f"dropped after {told} notifications")  # noqa: T201
    ids = [each["id"] for each in await quick.nodes("notificationAdded", told)]
    assert len(set(ids)) == told < 20_000
    slow.tell("resume")
    assert await slow.code() == "too_slow"
    await live.subscribed(1)
    assert [line["event"] for line in quick.lines] == ["connected", *["next"] * told]
