"""Time limits on senders and readers: who stalls must not hold memory, a thread or a connection for ever."""

from __future__ import annotations

import asyncio
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archive_store.foundation.errors import ErrorCode, RegistrarError

# Without a byte of the body; and beyond this time in all, a body has to come this fast.
SECONDS = 30.0
BYTES_A_SECOND = 16 * 1024
# For a reader to take a piece of an answer; and beyond this time in all, an answer has to be taken as fast as a body.
READER_SECONDS = 60.0

log = structlog.get_logger("registrar.http")


class _ReaderStalledError(Exception):
    """The answer cannot be ended."""


class StallLimits:
    """Ends requests whose body or reader stalls. Plain ASGI, so that bodies stream through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, _timed_receive(receive), _timed_send(send))
        except _ReaderStalledError:
            # The server closes the connection of an answer that was not ended.
            log.info("reader_stalled")


def _timed_receive(receive: Receive) -> Receive:
    has_more, received, waited = True, 0, 0.0

    async def receive_in_time() -> Message:
        """TIMED_OUT where the sender is the one who is waited for, never while the body waits for us."""
        nonlocal has_more, received, waited
        if not has_more:  # all that can come is that the client leaves
            return await receive()
        started = time.monotonic()
        try:
            async with asyncio.timeout(min(SECONDS, SECONDS + received / BYTES_A_SECOND - waited)):
                message = await receive()
        except TimeoutError:
            raise RegistrarError(ErrorCode.TIMED_OUT) from None
        waited += time.monotonic() - started
        received += len(message.get("body", b""))
        has_more = message.get("more_body", False)
        return message

    return receive_in_time


def _timed_send(send: Send) -> Send:
    sent, waited = 0, 0.0

    async def send_in_time(message: Message) -> None:
        nonlocal sent, waited
        started = time.monotonic()
        try:
            async with asyncio.timeout(min(READER_SECONDS, READER_SECONDS + sent / BYTES_A_SECOND - waited)):
                await send(message)
        except TimeoutError:
            raise _ReaderStalledError from None
        waited += time.monotonic() - started
        sent += len(message.get("body", b""))

    return send_in_time
