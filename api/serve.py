"""Serving with uvicorn."""

from __future__ import annotations

import socket

import uvicorn
from starlette.applications import Starlette

from api.app import create_app
from api.logs import configure_logging
from archive_store.foundation.settings import Settings

WEBSOCKET_MESSAGE_LIMIT = 256 * 1024


def server_config(settings: Settings) -> uvicorn.Config:
    """One worker; processes share nothing, so a school starts as many as it likes behind a proxy."""
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
        ws="websockets-sansio",
        ws_max_size=WEBSOCKET_MESSAGE_LIMIT,
        # Compressed together, what an attacker chose would tell of what they may not read.
        ws_per_message_deflate=False,
    )


class Server(uvicorn.Server):
    """Ends subscriptions before it waits for requests to end: those of server-sent events would not."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.config.app, Starlette)  # noqa: S101
        await self.config.app.state.feed.close()
        await super().shutdown(sockets)


def serve(settings: Settings) -> None:
    configure_logging()
    Server(server_config(settings)).run()
