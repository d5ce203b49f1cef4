"""`notificationAdded`, and what every subscription stands on: the feed, for the viewer as of now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

import structlog
from pymongo.errors import ConnectionFailure

from archive_store.audit.notifications import Notification as StoredNotification
from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.audit.types import Notification
from schema.context import Context, Presence, Request

# An expired token and a post that has ended are noticed within this time, and at each event.
VIEWER_CHECK_SECONDS = 5.0
# An election of a new primary takes seconds; what is told meanwhile waits.
PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.25

Answer = TypeVar("Answer")
log = structlog.get_logger("registrar.subscriptions")


async def subscribe_to_notifications(info: Request) -> AsyncGenerator[Notification, None]:
    """What is told to the viewer from now on."""
    async with aclosing(told_from_now(info)) as told:
        async for notification in told:
            yield notification  # type: ignore[misc]


async def told_from_now(info: Request) -> AsyncGenerator[StoredNotification, None]:
    """Notifications as they are committed. For each, the context begins anew with the viewer as of then.

    It ends with UNAUTHENTICATED, POST_ENDED, EVENTS_MISSED, TOO_SLOW or TRY_AGAIN. A service account gets
    FORBIDDEN: notifications are for people who act on them. One line is logged of each, as of a request.
    """
    context, started, ended, events = info.context, time.perf_counter(), "left", 0
    try:
        presence, viewer = presence_of(context), context.viewer
        async with presence.feed.subscribe(viewer) as subscription:
            while True:
                await subscription.wait(VIEWER_CHECK_SECONDS)
                held, viewer = viewer.posts, await when_reachable(presence.viewer)
                if not held <= viewer.posts:
                    raise RegistrarError(ErrorCode.POST_ENDED)
                subscription.viewer = viewer
                notification = subscription.take()
                if notification is not None:
                    events += 1
                    context.begin(viewer)
                    yield notification
    except RegistrarError as error:
        ended = error.code
        raise
    except Exception:
        ended = ErrorCode.INTERNAL
        raise
    finally:
        seconds = round(time.perf_counter() - started, 1)
        log.info("subscription", field=info.field_name, ended=ended, events=events, seconds=seconds)


async def when_reachable(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer of the database, which may be between two primaries: what was taken from the feed is not lost."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await ask()
        except ConnectionFailure:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


def presence_of(context: Context) -> Presence:
    if context.viewer.is_service:
        raise RegistrarError(ErrorCode.FORBIDDEN)
    if context.presence is None:
        raise RegistrarError(ErrorCode.INVALID_QUERY, detail="a subscription needs a connection that streams")
    return context.presence
