"""The feed of notifications (通知) as they are committed: one change stream a process, fanned out within it.

The stream is taken up again where it broke off, by its resume token. Where the database no longer knows that place,
every subscriber is told so (EVENTS_MISSED) instead of missing something unawares. A subscriber has a queue of its
own; whoever lets it fill up is dropped (TOO_SLOW), and nobody waits for them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from pymongo.errors import OperationFailure, PyMongoError

from archive_store.access.viewer import Viewer
from archive_store.audit.documents import NOTIFICATIONS
from archive_store.audit.notifications import Notification, notification_for
from archive_store.foundation.database import Database, Row
from archive_store.foundation.errors import ErrorCode, RegistrarError

QUEUE_LIMIT = 1_000
OPENS_WITHIN_SECONDS = 15.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
# A long batch is handed out in parts, so that its readers come in between.
_HANDED_OUT_AT_ONCE = 50
# CappedPositionLost, InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost.
_LOST = frozenset({136, 260, 280, 286})

log = structlog.get_logger("registrar.feed")


class Subscription:
    """What is told to one viewer from now on. The subscriber keeps `viewer` as of now."""

    def __init__(self, viewer: Viewer, limit: int) -> None:
        self.viewer = viewer
        self._limit = limit
        self._rows: deque[Row] = deque()
        self._news = asyncio.Event()
        self._ended: ErrorCode | None = None

    async def wait(self, within: float) -> None:
        """Until there is something to take, for so many seconds at most. Raises why the subscription ended."""
        if not self._rows and self._ended is None:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._news.wait()
        if self._ended is not None:
            raise RegistrarError(self._ended)

    def take(self) -> Notification | None:
        """The next notification; None where there is none, or none for `viewer` any more."""
        return notification_for(self.viewer, self._rows.popleft()) if self._rows else None

    def offer(self, row: Row) -> None:
        if self._ended is not None or notification_for(self.viewer, row) is None:
            return
        if len(self._rows) >= self._limit:
            self.end(ErrorCode.TOO_SLOW)
            return
        self._rows.append(row)
        self._news.set()

    def end(self, code: ErrorCode) -> None:
        self._ended = self._ended or code
        self._rows.clear()
        self._news.set()

    @property
    def is_open(self) -> bool:
        return self._ended is None


class NotificationFeed:
    """The one change stream of this process. It opens with the first subscription."""

    def __init__(self, database: Database, *, queue_limit: int = QUEUE_LIMIT) -> None:
        self.queue_limit = queue_limit
        self._database = database
        self._subscriptions: set[Subscription] = set()
        self._watching: asyncio.Task[None] | None = None
        self._has_place = asyncio.Event()  # a place in the stream, so that nothing from now on is missed
        self._token: Mapping[str, Any] | None = None
        self._is_closed = False

    @property
    def subscribers(self) -> int:
        return len(self._subscriptions)

    @asynccontextmanager
    async def subscribe(self, viewer: Viewer) -> AsyncIterator[Subscription]:
        """Everything that is committed from the entry of the block on. TRY_AGAIN when the database is out of reach."""
        if self._watching is None and not self._is_closed:
            self._watching = asyncio.create_task(self._watch_forever())
        subscription = Subscription(viewer, self.queue_limit)
        self._subscriptions.add(subscription)
        try:
            await self._wait_for_place()
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def close(self) -> None:
        """End every subscription (TRY_AGAIN) and the stream."""
        self._is_closed = True
        self._end_all(ErrorCode.TRY_AGAIN)
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    async def _wait_for_place(self) -> None:
        if self._is_closed:
            raise RegistrarError(ErrorCode.TRY_AGAIN)
        try:
            async with asyncio.timeout(OPENS_WITHIN_SECONDS):
                await self._has_place.wait()
        except TimeoutError:
            raise RegistrarError(ErrorCode.TRY_AGAIN) from None

    async def _watch_forever(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            was_at = self._token
            try:
                await self._watch()
                self._lose_place("invalidated")  # the collection was dropped or renamed
            except PyMongoError as error:
                if isinstance(error, OperationFailure) and error.code in _LOST:
                    self._lose_place(type(error).__name__, code=error.code)
                else:
                    log.warning("feed_interrupted", error=type(error).__name__)
            except Exception as error:
                log.error("feed_failed", exc_info=error)
                self._lose_place(type(error).__name__)
            pause = _FIRST_PAUSE_SECONDS if self._token != was_at else min(pause * 2, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _watch(self) -> None:
        """Hand out what is inserted until the stream ends; keep the place it has come to."""
        collection = self._database.mongo[NOTIFICATIONS]
        inserted = [{"$match": {"operationType": "insert"}}]
        async with await collection.watch(inserted, resume_after=self._token) as stream:
            try:
                self._keep_place(stream.resume_token)
                handed_out = 0
                async for change in stream:
                    self._keep_place(stream.resume_token)
                    for subscription in list(self._subscriptions):
                        subscription.offer(change["fullDocument"])
                    handed_out += 1
                    if handed_out % _HANDED_OUT_AT_ONCE == 0:
                        await asyncio.sleep(0)
            finally:
                # It also moves while nothing is inserted.
                self._keep_place(stream.resume_token)

    def _keep_place(self, token: Mapping[str, Any] | None) -> None:
        if token is not None:
            self._token = token
            self._has_place.set()

    def _lose_place(self, why: str, **details: object) -> None:
        log.error("feed_lost_its_place", error=why, subscribers=self.subscribers, **details)
        self._token = None
        self._has_place.clear()
        self._end_all(ErrorCode.EVENTS_MISSED)

    def _end_all(self, code: ErrorCode) -> None:
        for subscription in self._subscriptions:
            subscription.end(code)
