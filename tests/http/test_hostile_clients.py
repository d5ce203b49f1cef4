"""Clients that read too slowly, or send headers without end."""

from __future__ import annotations

import pytest


async def test_a_reader_who_takes_a_piece_a_minute_does_not_read_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sender must be fast enough beyond 30 s, a reader needs only take one piece each READER_SECONDS: 4 MiB a
    minute draws 1 GiB out over four hours, past the end of a grant, and four accounts hold all READERS places."""
    import asyncio
    from typing import Any

    from api import stalls

    monkeypatch.setattr(stalls, "READER_SECONDS", 0.1)
    monkeypatch.setattr(stalls, "SECONDS", 0.1)
    taken = 0

    async def slow(message: Any) -> None:
        nonlocal taken
        await asyncio.sleep(0.08)
        taken += "body" in message

    async def answers(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(40):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    async def nothing() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await stalls.StallLimits(answers)({"type": "http"}, nothing, slow)
    assert taken < 40


def test_headers_have_a_limit(server: str) -> None:
    """Nobody need be signed in: 180 MB of one header were taken and kept in memory, for as long as they came."""
    import socket

    port = int(server.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /scans/uploads HTTP/1.1\r\nHost: x\r\nUpload-Metadata: ")
        with pytest.raises(ConnectionError):
            for _ in range(64):
                connection.sendall(b"A" * 65536)


def test_bodies_are_no_heads(server: str) -> None:
    """Requests that come whole, one after the other on a connection, each larger than a head may be."""
    import socket

    port = int(server.rsplit(":", 1)[1])
    head = (
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    body = b" " * 70_000
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for _ in range(20):
            connection.sendall(head % len(body) + body)
            assert connection.recv(65536).startswith(b"HTTP/1.1 401")


async def test_a_websocket_outlives_the_time_for_a_head(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from websockets.asyncio.client import connect

    monkeypatch.setattr("api.serve.HEAD_SECONDS", 0.5)
    address = server.replace("http://", "ws://") + "/graphql"
    async with connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await asyncio.sleep(1.5)
        await socket.send('{"type": "ping"}')
        assert "pong" in str(await asyncio.wait_for(socket.recv(), 5))
