"""Serving with uvicorn."""

from __future__ import annotations

import asyncio
import ctypes
import socket
from contextlib import suppress

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.app import create_app
from api.logs import configure_logging
from archive_store.foundation.collector import settle_collector
from archive_store.foundation.settings import Settings

WEBSOCKET_MESSAGE_LIMIT = 256 * 1024
HEAD_LIMIT = 64 * 1024
HEAD_SECONDS = 30.0
_PR_SET_DUMPABLE = 4


def server_config(settings: Settings) -> uvicorn.Config:
    """One worker; processes share nothing, so a school starts as many as it likes behind a proxy."""
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        log_level="warning",
        http=LimitedHeads,
        timeout_graceful_shutdown=10,
        ws="websockets-sansio",
        ws_max_size=WEBSOCKET_MESSAGE_LIMIT,
        # Compressed together, what an attacker chose would tell of what they may not read.
        ws_per_message_deflate=False,
    )


class LimitedHeads(HttpToolsProtocol):
    """A request's line and headers have to come soon and be no larger than HEAD_LIMIT; the parser has no limit."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        head = self._head_timer
        super().data_received(data)
        # Of a head that was begun before; these bytes may have ended it, and a body as well.
        if self._is_in_head and head is self._head_timer:
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self.transport.close()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._head_timer.cancel()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_timer.cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._is_in_head, self._head_size = True, 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up_head)

    def _give_up_head(self) -> None:
        # While an answer is under way, the next request need not have come; a WebSocket has its own protocol.
        is_ours = self.transport.get_protocol() is self
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_ours and self._is_in_head and (self._head_size or is_answered):
            self.transport.close()


class Server(uvicorn.Server):
    """Ends subscriptions before it waits for requests to end: those of server-sent events would not."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.config.app, Starlette)  # noqa: S101
        await self.config.app.state.feed.close()
        await super().shutdown(sockets)


def _keep_memory_to_ourselves() -> None:
    """No process of the same user, such as one that inspects files, may read our memory, which holds keys; nor a core
    dump tell of it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def serve(settings: Settings) -> None:
    configure_logging()
    _keep_memory_to_ourselves()
    config = server_config(settings)
    settle_collector()
    Server(config).run()
