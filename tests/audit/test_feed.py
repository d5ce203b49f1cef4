"""The feed: nothing missed and nothing twice, whatever happens to the database, and nobody waits for the slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import ConnectionFailure, PyMongoError

from archive_store.access.viewer import Viewer
from archive_store.audit.documents import NOTIFICATIONS
from archive_store.audit.feed import NotificationFeed, Subscription
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.database import Database
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from tests.school import School


@pytest.fixture
async def feed(store: Store) -> AsyncIterator[NotificationFeed]:
    made = NotificationFeed(store.database, queue_limit=200)
    yield made
    await made.close()


async def tell(school: School, viewer: Viewer, recipient: Any, times: int = 1) -> None:
    async def work(unit: UnitOfWork) -> None:
        for _ in range(times):
            unit.notify(recipient, "test:told", Subject("Student", ObjectId()))

    await governed_transaction(school.store, viewer.actor, "test", work)


async def taken(subscription: Subscription, count: int, within: float = 20) -> list[ObjectId]:
    found: list[ObjectId] = []
    async with asyncio.timeout(within):
        while len(found) < count:
            await subscription.wait(1)
            if (notification := subscription.take()) is not None:
                found.append(notification.id)
    return found


async def stored(school: School) -> list[ObjectId]:
    rows = school.store.database.mongo[NOTIFICATIONS].find({"kind": "test:told"}, {"_id": 1}).sort("_id", 1)
    return [row["_id"] async for row in rows]


async def open_streams(store: Store) -> list[Any]:
    """The cursors of change streams on the notifications, idle or waiting, as the server knows them."""
    watching = {"cursor.originatingCommand.aggregate": NOTIFICATIONS}
    pipeline = [{"$currentOp": {"allUsers": True, "idleCursors": True}}, {"$match": watching}]
    found = await (await store.database.client.admin.aggregate(pipeline)).to_list()
    return list({operation["cursor"]["cursorId"] for operation in found})


async def no_stream(store: Store) -> None:
    """The server forgets a stream soon after its connection is gone."""
    async with asyncio.timeout(10):
        while await open_streams(store):  # noqa: ASYNC110 - the server does not tell
            await asyncio.sleep(0.05)


async def test_only_what_is_addressed_to_the_viewer_as_of_now(school: School, feed: NotificationFeed) -> None:
    director, archive = await school.viewer("director"), await school.viewer("archive")
    async with feed.subscribe(archive) as subscription:
        await tell(school, director, Post.DIRECTOR)
        await tell(school, director, director.person_id)
        await tell(school, director, Post.ARCHIVE_GROUP)
        await tell(school, director, archive.person_id)
        assert await taken(subscription, 2) == (await stored(school))[2:]
        # Addressed to a post that ends before it is taken.
        await tell(school, director, Post.ARCHIVE_GROUP)
        await subscription.wait(5)
        subscription.viewer = replace(archive, posts=frozenset())
        assert subscription.take() is None
        await subscription.wait(0.2)
        assert subscription.take() is None


async def test_fifty_subscribers_stand_on_one_stream(school: School, feed: NotificationFeed) -> None:
    director = await school.viewer("director")
    await no_stream(school.store)
    async with AsyncExitStack() as stack:
        subscriptions = [await stack.enter_async_context(feed.subscribe(director)) for _ in range(50)]
        await tell(school, director, Post.DIRECTOR, times=3)
        told = await asyncio.gather(*(taken(subscription, 3) for subscription in subscriptions))
        assert told == [await stored(school)] * 50
        assert len(await open_streams(school.store)) == 1
        assert feed.subscribers == 50
    assert feed.subscribers == 0


@pytest.mark.parametrize("fault", ["step_down", "kill_cursor"])
async def test_a_step_down_misses_nothing_and_tells_nothing_twice(
    school: School, feed: NotificationFeed, fault: str
) -> None:
    director = await school.viewer("director")
    client = school.store.database.client
    written = 0

    async def write_through() -> None:
        nonlocal written
        for _ in range(30):
            while True:
                try:
                    await tell(school, director, Post.DIRECTOR)
                    break
                except (ConnectionFailure, PyMongoError, RegistrarError):
                    await asyncio.sleep(0.1)  # as a person who is told to try again
            written += 1
            await asyncio.sleep(0.02)

    async with feed.subscribe(director) as subscription:
        writing = asyncio.create_task(write_through())
        first = await taken(subscription, 5)
        if fault == "step_down":
            await client.admin.command({"replSetStepDown": 2, "force": True})
        [cursor] = await open_streams(school.store)
        await school.store.database.mongo.command({"killCursors": NOTIFICATIONS, "cursors": [cursor]})
        await writing
        ids = await stored(school)
        rest = await taken(subscription, len(ids) - len(first))
        assert first + rest == ids
        assert written == 30 <= len(ids)
        await subscription.wait(0.5)
        assert subscription.take() is None
        assert len(await open_streams(school.store)) == 1


async def test_a_place_that_the_database_does_not_know_is_told_to_everybody(
    school: School, feed: NotificationFeed
) -> None:
    director = await school.viewer("director")
    async with await school.store.database.mongo[NOTIFICATIONS].watch() as stream:
        await tell(school, director, Post.DIRECTOR)
        place = (await stream.next())["_id"]["_data"]
    # The place of an event that never was: what the database answers where it has forgotten one, too.
    middle = len(place) // 2
    other_digit = "0" if place[middle] != "0" else "1"
    feed._keep_place({"_data": place[:middle] + other_digit + place[middle + 1 :]})
    async with feed.subscribe(director) as one, feed.subscribe(director) as other:
        for subscription in (one, other):
            with pytest.raises(RegistrarError) as raised:
                await subscription.wait(10)
            assert raised.value.code is ErrorCode.EVENTS_MISSED
    await whoever_subscribes_anew_is_told(school, feed, director)


async def test_a_stream_that_ends_is_told_to_everybody(school: School, settings: Any) -> None:
    director = await school.viewer("director")
    database = Database(settings.mongodb_url.get_secret_value(), "registrar_feed")
    await database.mongo.create_collection(NOTIFICATIONS)
    feed = NotificationFeed(database)
    try:
        async with feed.subscribe(director) as subscription:
            await database.client.drop_database("registrar_feed")
            with pytest.raises(RegistrarError) as raised:
                await subscription.wait(10)
            assert raised.value.code is ErrorCode.EVENTS_MISSED
        elsewhere = School(replace(school.store, database=database))
        await whoever_subscribes_anew_is_told(elsewhere, feed, director)
    finally:
        await feed.close()
        await database.client.drop_database("registrar_feed")
        await database.close()


async def whoever_subscribes_anew_is_told(school: School, feed: NotificationFeed, viewer: Viewer) -> None:
    async with feed.subscribe(viewer) as again:
        await tell(school, viewer, viewer.person_id)
        assert await taken(again, 1) == (await stored(school))[-1:]


async def test_the_slow_are_dropped_and_hold_up_nobody(school: School, feed: NotificationFeed) -> None:
    director = await school.viewer("director")
    feed.queue_limit = 10
    async with feed.subscribe(director) as slow, feed.subscribe(director) as quick:
        ids: list[ObjectId] = []
        for _ in range(3):
            await tell(school, director, Post.DIRECTOR, times=5)
            ids += await taken(quick, 5)
        assert ids == await stored(school)
        with pytest.raises(RegistrarError) as raised:
            await slow.wait(1)
        assert raised.value.code is ErrorCode.TOO_SLOW
        assert slow.take() is None


async def test_the_end_of_the_feed_ends_its_subscriptions(school: School, store: Store) -> None:
    director = await school.viewer("director")
    feed = NotificationFeed(store.database)
    async with feed.subscribe(director) as subscription:
        await feed.close()
        for wait in (subscription.wait(5), feed.subscribe(director).__aenter__()):
            with pytest.raises(RegistrarError) as raised:
                await wait
            assert raised.value.code is ErrorCode.TRY_AGAIN
    await no_stream(store)
