"""Senders and readers that stall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

import api.scans
import api.stalls as stalls
from archive_store.scans.documents import Scan
from schema.nodes import global_id
from tests.scans.test_pipeline import filed, pdf
from tests.school import School

Bearer = Any


async def stops(start: bytes) -> AsyncIterator[bytes]:
    yield start
    await asyncio.sleep(60)


async def drips(start: bytes) -> AsyncIterator[bytes]:
    yield start
    while True:
        await asyncio.sleep(0.05)
        yield b"x"


@pytest.mark.parametrize("body", [stops, drips])
async def test_a_body_that_stalls_is_refused(
    school: School, http: httpx.AsyncClient, bearer: Bearer, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "SECONDS", 0.4)
    before = await school.counts()
    params = {"student": global_id("Student", (await school.student()).key), "fileName": "2023级户口簿"}
    async with asyncio.timeout(10):
        scan = await http.post("/scans", params=params, content=body(b"%PDF-"), headers=bearer("archive"))
        headers = bearer("director") | {"Content-Type": "application/json"}
        query = await http.post("/graphql", content=body(b"{"), headers=headers)
        headers = bearer("information") | {"Content-Type": "multipart/form-data; boundary=x"}
        roster = await http.post("/graphql", content=body(b"--x\r\n"), headers=headers)
    for refused in (scan, query, roster):
        assert (refused.status_code, refused.json()["error"]["code"]) == (408, "timed_out")
    assert await school.counts() == before


async def test_a_body_that_waits_for_us_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "SECONDS", 0.1)
    taken = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(5):
            await asyncio.sleep(0.05)
            taken.append(await receive())

    await stalls.StallLimits(app)({"type": "http"}, receive, receive)  # type: ignore[arg-type]
    assert len(taken) == 5


async def test_waiting_for_the_client_to_leave_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "SECONDS", 0.05)
    messages: list[Message] = [{"type": "http.disconnect"}, {"type": "http.request", "body": b""}]

    async def receive() -> Message:
        await asyncio.sleep(0.2 if len(messages) == 1 else 0)
        return messages.pop()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"

    await stalls.StallLimits(app)({"type": "http"}, receive, receive)  # type: ignore[arg-type]


async def test_a_reader_who_stalls_is_left(
    school: School, http: httpx.AsyncClient, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = await filed(school, pdf(100))
    monkeypatch.setattr(stalls, "READER_SECONDS", 0.2)
    closed = asyncio.Event()

    async def content() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(1024)
        finally:
            closed.set()

    async def opened(*_: object) -> tuple[Scan, AsyncIterator[bytes]]:
        return scan, content()

    async def receive() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    monkeypatch.setattr(api.scans, "open_scan", opened)
    headers = [(name.lower().encode(), text.encode()) for name, text in bearer("director").items()]
    path = f"/scans/{global_id('Scan', scan.key)}/content"
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
    async with asyncio.timeout(5):
        await http._transport.app(scope, receive, send)  # type: ignore[attr-defined]
    assert closed.is_set()
