"""The application as it is served, on a port, with a store and a feed of its own; and clients from npm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import Any

import pytest

from api.dev.processes import free_ports
from api.serve import Server, server_config
from archive_store.audit.feed import NotificationFeed
from archive_store.foundation.settings import Settings
from tests.school import School
from tests.subscription_clients.client import Client, running_client


class UnsignalledServer(Server):
    """The tests end it, not a signal."""

    capture_signals = nullcontext  # type: ignore[assignment]


class Live:
    """A running server."""

    def __init__(self, url: str, server: Server) -> None:
        self.url = url
        app: Any = server.config.app
        self.feed: NotificationFeed = app.state.feed
        self._server = server

    def end(self) -> None:
        self._server.should_exit = True

    async def subscribed(self, subscribers: int) -> None:
        """Wait until so many subscribe: no client is told when it does."""
        async with asyncio.timeout(30):
            while self.feed.subscribers != subscribers:  # noqa: ASYNC110 - only the tests ask
                await asyncio.sleep(0.01)


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[Live]:
    [port] = free_ports(1)
    server = UnsignalledServer(server_config(settings.model_copy(update={"port": port, "host": "127.0.0.1"})))
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.02)
    try:
        yield Live(f"http://127.0.0.1:{port}/graphql", server)
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def live(school: School, settings: Settings) -> AsyncIterator[Live]:
    async with served(settings) as running:
        yield running


@pytest.fixture
async def start(live: Live) -> AsyncIterator[Any]:
    """Start a client of `ws` or `sse`; it leaves with the test."""
    async with AsyncExitStack() as clients:

        async def begin(kind: str, *queries: str, params: dict[str, str], **told: Any) -> Client:
            client = running_client(kind, url=live.url, queries=queries, params=params, **told)
            return await clients.enter_async_context(client)

        yield begin
