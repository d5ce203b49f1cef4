"""Readiness: what it says of the parts, and that asking costs next to nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.app import create_app
from archive_store.foundation.object_store import ObjectStore
from archive_store.foundation.root_keys import RootKeysUnavailableError
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from tests.school import School


@pytest.fixture
def stalled_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def client(store: Store, settings: Settings) -> httpx.AsyncClient:
    app = create_app(settings)
    app.state.store = store
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://registrar.test")


async def test_a_stalled_object_store_keeps_no_other_work_waiting(
    school: School, settings: Settings, stalled_server: str
) -> None:
    stalled = settings.model_copy(update={"s3_endpoint": stalled_server})
    store = replace(school.store, objects=ObjectStore.from_settings(stalled))
    async with client(store, settings) as http:
        asked = [asyncio.create_task(http.get("/health/ready")) for _ in range(40)]
        await asyncio.sleep(0.3)
        async with asyncio.timeout(1):
            assert await store.cipher.decrypt(await store.cipher.encrypt("13900000000")) == "13900000000"
            await asyncio.to_thread(lambda: None)
        asked[0].cancel()
        answers = await asyncio.wait_for(asyncio.gather(*asked[1:]), 10)
    assert {answer.status_code for answer in answers} == {503}
    whole = {"ready": False, "mongodb": True, "object_store": False, "root_keys": True, "installed": True}
    assert answers[0].json() == whole


async def test_root_keys_out_of_reach_are_named(
    http: httpx.AsyncClient, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sealed() -> str:
        raise RootKeysUnavailableError("Vault does not answer")

    monkeypatch.setattr(school.store.root_keys, "current_id", sealed)
    answer = await http.get("/health/ready")
    assert (answer.status_code, answer.json()["root_keys"], answer.json()["mongodb"]) == (503, False, True)


async def test_all_who_ask_share_a_probe_and_its_answer(
    school: School, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes = []

    async def probe(_: Any) -> None:
        probes.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.05)

    monkeypatch.setattr(ObjectStore, "probe", probe)
    async with client(school.store, settings) as http:
        answers = await asyncio.gather(*(http.get("/health/ready") for _ in range(20)))
        answers.append(await http.get("/health/ready"))
        assert {answer.status_code for answer in answers} == {200}
        assert len(probes) == 1
        monkeypatch.setattr("api.health.KEPT_SECONDS", 0)
        await http.get("/health/ready")
    assert len(probes) == 2
