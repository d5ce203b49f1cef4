"""The limit of public checks: of each client, by time, and on both checks together."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette

from api.app import create_app
from api.client_limits import WINDOW_SECONDS, ClientLimit
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_client_waits_until_its_minute_is_over() -> None:
    clock = Clock()
    limit = ClientLimit(2, clock)
    assert [limit.seconds_to_wait("192.0.2.1") for _ in range(3)] == [0, 0, 60]
    assert limit.seconds_to_wait("192.0.2.2") == 0
    clock.now += WINDOW_SECONDS - 0.5
    assert limit.seconds_to_wait("192.0.2.1") == 1
    clock.now += 0.5
    assert [limit.seconds_to_wait("192.0.2.1") for _ in range(3)] == [0, 0, 60]


@pytest.mark.parametrize(
    ("one", "other", "is_one_client"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "192.0.2.2", False),
        ("unix", "unix", True),
    ],
)
def test_who_is_one_client(one: str, other: str, is_one_client: bool) -> None:
    limit = ClientLimit(1)
    assert limit.seconds_to_wait(one) == 0
    assert bool(limit.seconds_to_wait(other)) is is_one_client


def test_without_a_limit_nobody_waits() -> None:
    limit = ClientLimit(0)
    assert {limit.seconds_to_wait("192.0.2.1") for _ in range(100)} == {0}


def test_many_clients_take_no_more_room() -> None:
    limit = ClientLimit(1)
    for number in range(10_050):
        limit.seconds_to_wait(f"client {number}")
    assert len(limit._asked) == 10_000
    assert limit.seconds_to_wait("client 10049") > 0


def client_of(app: Starlette, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=(address, 123))
    return httpx.AsyncClient(transport=transport, base_url="http://registrar.test")


async def test_both_public_checks_count_and_nothing_else(store: Store, settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"public_checks_a_minute": 3}))
    app.state.store = store
    code = "a" * 32
    async with client_of(app, "192.0.2.1") as one, client_of(app, "192.0.2.2") as other:
        assert (await one.get(f"/certificates/verify/{code}")).status_code == 404
        assert (await one.get(f"/transcripts/verify/{code}")).status_code == 404
        assert (await one.post(f"/transcripts/verify/{code}", content="key=a")).status_code == 404
        for path in (f"/certificates/verify/{code}", f"/transcripts/verify/{code}"):
            for accept in ("*/*", "text/html"):
                refused = await one.get(path, headers={"Accept": accept})
                assert refused.status_code == 429
                assert refused.json()["error"]["code"] == "too_often"
                assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await one.post(f"/transcripts/verify/{code}", content="key=a")).status_code == 429
        assert (await one.get("/.well-known/did.json")).status_code == 200
        assert (await one.get("/certificates/status/1")).status_code == 200
        assert (await other.get(f"/certificates/verify/{code}")).status_code == 404
