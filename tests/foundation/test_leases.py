"""One holder at a time: among tasks, among processes, after a kill, and after a sleep too long."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import archive_store.foundation.leases as leases
from archive_store.foundation.leases import Lease, LeaseLostError
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from tests.foundation.lease_holder import clock

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Holding:
    """From when to when a holder could have believed that it held the lease."""

    begins: float
    ends: float
    term: int


def assert_one_at_a_time(holdings: list[Holding]) -> None:
    ordered = sorted(holdings, key=lambda holding: holding.term)
    for earlier, later in itertools.pairwise(ordered):
        assert earlier.term < later.term
        assert earlier.ends <= later.begins


async def interleave(store: Store, number: int) -> list[Holding]:
    """Three holders who acquire, renew, release, forget and oversleep in an order that the number decides."""
    seconds, found = 0.15, list[Holding]()

    async def hold(chance: random.Random) -> None:
        for _ in range(3):
            lease = Lease(
                store.database, f"race-{number}", seconds=seconds
            )  # what it held before is forgotten
            await asyncio.sleep(chance.uniform(0, seconds / 3))
            if not await lease.acquire():
                continue
            holding = Holding(clock(), clock() + lease.seconds_left, lease.term)
            found.append(holding)
            await asyncio.sleep(chance.uniform(0, seconds * 1.2))
            if chance.random() < 0.5:
                try:
                    await lease.renew()
                    holding.ends = clock() + lease.seconds_left
                except LeaseLostError:
                    assert not lease.is_held
            if chance.random() < 0.6:
                holding.ends = min(holding.ends, clock())
                await lease.release()
                assert not lease.is_held

    await asyncio.gather(*(hold(random.Random(f"{number}/{holder}")) for holder in range(3)))
    return found


async def test_tasks_never_hold_at_once(empty_store: Store) -> None:
    held = 0
    for start in range(0, 200, 20):
        races = (interleave(empty_store, number) for number in range(start, start + 20))
        for holdings in await asyncio.gather(*races):
            assert_one_at_a_time(holdings)
            held += len(holdings)
    assert held > 100


async def holder(settings: Settings, *words: str) -> asyncio.subprocess.Process:
    environment = os.environ | {
        "LEASE_MONGODB_URL": settings.mongodb_url.get_secret_value(),
        "LEASE_DATABASE": settings.mongodb_database,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.foundation.lease_holder",
        *words,
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )


async def test_processes_never_hold_at_once(empty_store: Store, settings: Settings) -> None:
    processes = [await holder(settings, "processes", "0.1", "30") for _ in range(3)]
    found: list[Holding] = []
    for process in processes:
        out, _ = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0
        for line in out.decode().splitlines():
            begins, ends, term = line.split()
            found.append(Holding(float(begins), float(ends), int(term)))
    assert len(found) == 90
    assert_one_at_a_time(found)


async def test_the_lease_of_a_killed_holder_is_taken_over(empty_store: Store, settings: Settings) -> None:
    child = await holder(settings, "killed", "2", "0")
    assert child.stdout is not None
    assert (await asyncio.wait_for(child.stdout.readline(), 60)).decode() == "held 1\n"
    lease = Lease(empty_store.database, "killed", seconds=2)
    assert not await lease.acquire()
    child.send_signal(signal.SIGKILL)
    await child.wait()
    killed = time.monotonic()
    while not await lease.acquire():
        assert time.monotonic() - killed < 10
        await asyncio.sleep(0.05)
    assert lease.term == 2
    await lease.release()


async def test_who_oversleeps_notices_before_doing_anything(empty_store: Store) -> None:
    late, next_one = (Lease(empty_store.database, "slept", seconds=seconds) for seconds in (1, 60))
    assert await late.acquire()
    time.sleep(1.1)  # noqa: ASYNC251 - the whole process stands still
    assert not late.is_held
    assert await next_one.acquire()
    assert (late.term, next_one.term) == (1, 2)
    with pytest.raises(LeaseLostError):
        await late.renew()
    await late.release()
    await next_one.renew()


async def test_the_server_decides_where_the_holders_clock_stood_still(
    empty_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = leases._running_seconds()
    late, next_one = (Lease(empty_store.database, "halted", seconds=seconds) for seconds in (1, 60))
    with monkeypatch.context() as patch:
        patch.setattr(leases, "_running_seconds", lambda: stopped)
        assert await late.acquire()
        await asyncio.sleep(1.1)
        assert late.is_held  # as far as it can tell
        assert await next_one.acquire()
        with pytest.raises(LeaseLostError):
            await late.renew()
        assert not late.is_held
        row = await empty_store.database.mongo["leases"].find_one({"_id": "halted"})
        assert row is not None and row["term"] == 2


async def test_what_ran_out_is_not_renewed_even_when_free(empty_store: Store) -> None:
    lease = Lease(empty_store.database, "free", seconds=1)
    assert await lease.acquire() and await lease.acquire()
    await asyncio.sleep(1.1)
    with pytest.raises(LeaseLostError):
        await lease.renew()
    assert await lease.acquire()
    assert lease.term == 2
    await lease.release()
    other = Lease(empty_store.database, "free", seconds=60)
    assert await other.acquire()  # at once
    assert not await lease.acquire()
    assert other.seconds_left > 50
    await other.release()
