"""The worker: one among all runs the jobs, a failing job holds up no other, and the end comes within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

import api.app
import archive_store.foundation.leases as leases
from api.worker import LEASE_NAME, Worker, end
from archive_store.archive import JOBS
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.leases import LEASES, Lease
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Job, Store

PAUSE = 0.02


class Counting:
    """A job that counts its runs, and fails while told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.error: Exception | None = None
        self.seen_at: datetime | None = None

    async def __call__(self, store: Store, now: datetime) -> int:
        self.runs += 1
        self.seen_at = now
        if self.error is not None:
            raise self.error
        return 3


def metric(name: str, job: str) -> float:
    return REGISTRY.get_sample_value(name, {"job": job}) or 0.0


async def until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@asynccontextmanager
async def working(store: Store, jobs: Mapping[str, Job], **told: Any) -> AsyncIterator[Worker]:
    worker = Worker(store, jobs, seconds=PAUSE, **told)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await end(worker, running)
        assert running.done()


async def test_a_job_runs_again_and_again_and_is_counted(empty_store: Store) -> None:
    job = Counting()
    before = metric("registrar_job_done_total", "counted")
    async with working(empty_store, {"counted": job}):
        await until(lambda: job.runs >= 3)
        assert REGISTRY.get_sample_value("registrar_worker_holds_lease", {"lease": "worker"}) == 1
    runs = job.runs
    await asyncio.sleep(5 * PAUSE)
    assert job.runs == runs
    assert job.seen_at is not None and job.seen_at.tzinfo is not None
    assert metric("registrar_job_done_total", "counted") - before == 3 * runs
    assert abs(metric("registrar_job_last_run_timestamp_seconds", "counted") - time.time()) < 20
    assert metric("registrar_job_lag_seconds", "counted") >= 0
    assert metric("registrar_job_failures_total", "counted") == 0
    assert REGISTRY.get_sample_value("registrar_worker_holds_lease", {"lease": "worker"}) == 0
    assert await Lease(empty_store.database, LEASE_NAME).acquire()  # it was let go


async def test_only_one_worker_works_and_the_next_follows_at_once(empty_store: Store) -> None:
    first, second = Counting(), Counting()
    async with working(empty_store, {"first": first}):
        await until(lambda: first.runs)
        async with working(empty_store, {"second": second}):
            runs = first.runs
            await until(lambda: first.runs >= runs + 5)
            assert second.runs == 0
    async with working(empty_store, {"first": first}) as worker:
        await until(lambda: worker._lease.is_held)
        async with working(empty_store, {"second": second}):
            worker.stop()
            await until(lambda: second.runs, seconds=5)


async def test_a_failing_job_is_told_once_and_holds_up_no_other(empty_store: Store) -> None:
    failing, other = Counting(), Counting()
    failing.error = ZeroDivisionError("by zero")
    with capture_logs() as lines:
        async with working(empty_store, {"failing": failing, "other": other}):
            await until(lambda: other.runs >= 3)
            failing.error = RegistrarError(ErrorCode.TRY_AGAIN)
            runs = other.runs
            await until(lambda: other.runs >= runs + 3)
            failing.error = None
            runs = other.runs
            await until(lambda: other.runs >= runs + 3)
    told = [line for line in lines if line["event"] in ("job_failed", "job_recovered")]
    assert [line["event"] for line in told] == ["job_failed", "job_failed", "job_recovered"]
    assert {line["job"] for line in told} == {"failing"}
    assert [type(line["exc_info"]) for line in told[:2]] == [ZeroDivisionError, RegistrarError]
    assert metric("registrar_job_failures_total", "failing") >= 6
    assert metric("registrar_job_failures_total", "other") == 0


async def test_it_ends_within_a_second_in_the_middle_of_a_job(empty_store: Store) -> None:
    began = asyncio.Event()

    async def long(store: Store, now: datetime) -> int:
        async def work(session: Any) -> None:
            await store.database.mongo["half"].insert_one({"_id": 1}, session=session)
            began.set()
            await asyncio.sleep(60)

        await store.database.transaction(work)
        return 1

    async with working(empty_store, {"long": long}):
        await asyncio.wait_for(began.wait(), 20)
        asked = time.monotonic()
    assert time.monotonic() - asked < 1
    assert await empty_store.database.mongo["half"].count_documents({}) == 0
    assert await Lease(empty_store.database, LEASE_NAME).acquire()


async def test_a_worker_that_overslept_does_nothing_more(empty_store: Store) -> None:
    other, after = Lease(empty_store.database, LEASE_NAME), Counting()

    async def oversleeps(store: Store, now: datetime) -> int:
        time.sleep(1.2)  # noqa: ASYNC251 - the whole process stands still
        assert await other.acquire()
        return 0

    with capture_logs() as lines:
        async with working(empty_store, {"oversleeps": oversleeps, "after": after}, lease_seconds=1.0):
            await until(lambda: other.is_held)
            await asyncio.sleep(10 * PAUSE)
            assert after.runs == 0
    row = await empty_store.database.mongo[LEASES].find_one({"_id": LEASE_NAME})
    assert row is not None and row["term"] == other.term == 2
    assert [line["event"] for line in lines].count("worker_took_lease") == 1
    await other.renew()


async def test_a_job_is_cut_off_before_its_lease_ends(empty_store: Store) -> None:
    async def endless(store: Store, now: datetime) -> int:
        await asyncio.sleep(60)
        return 0

    after = Counting()
    async with working(empty_store, {"endless": endless, "after": after}, lease_seconds=0.5):
        await until(lambda: metric("registrar_job_failures_total", "endless") >= 1)
    assert metric("registrar_job_failures_total", "endless") >= 1


async def test_it_goes_on_when_the_store_answers_again(
    empty_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, refused = Counting(), 0

    async def unreachable(lease: Lease) -> bool:
        nonlocal refused
        refused += 1
        raise AutoReconnect("gone")

    with capture_logs() as lines, monkeypatch.context() as patch:
        patch.setattr(leases.Lease, "acquire", unreachable)
        async with working(empty_store, {"job": job}):
            await until(lambda: refused >= 3)
            assert job.runs == 0
            patch.undo()
            await until(lambda: job.runs)
    assert [line["event"] for line in lines] == ["job_failed", "worker_took_lease", "job_recovered"]


async def test_the_server_runs_the_jobs_of_the_archive(
    empty_store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Counting()
    assert api.app.JOBS is JOBS
    monkeypatch.setattr(api.app, "JOBS", {"served": job})
    served = api.app.create_app(settings.model_copy(update={"worker_seconds": PAUSE}))
    async with served.router.lifespan_context(served):
        await until(lambda: job.runs >= 2)
    runs = job.runs
    idle = api.app.create_app(settings)
    assert settings.worker_seconds == 0
    async with idle.router.lifespan_context(idle):
        await asyncio.sleep(5 * PAUSE)
    assert job.runs == runs


@pytest.mark.parametrize("renews", [True, False])
async def test_a_long_job_keeps_the_lease_where_it_may(empty_store: Store, renews: bool) -> None:
    ended = asyncio.Event()

    async def long(store: Store, now: datetime) -> int:
        await asyncio.sleep(2.5)
        ended.set()
        return 1

    async with working(empty_store, {"long": long}, lease_seconds=1.0, renews=renews):
        if renews:
            await asyncio.wait_for(ended.wait(), 6)
        else:
            await asyncio.sleep(4)
            assert not ended.is_set()


async def test_a_long_job_is_cut_off_when_the_lease_is_lost(empty_store: Store) -> None:
    cut_off, began = asyncio.Event(), asyncio.Event()

    async def endless(store: Store, now: datetime) -> int:
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut_off.set()
            raise
        return 1

    async with working(empty_store, {"endless": endless}, lease_seconds=1.5, renews=True):
        await asyncio.wait_for(began.wait(), 5)
        await empty_store.database.mongo["leases"].update_one({}, {"$set": {"holder": "another"}})
        await asyncio.wait_for(cut_off.wait(), 5)
