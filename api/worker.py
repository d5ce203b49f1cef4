"""Workers: run jobs of the store every few seconds, each worker's in one process among all that serve.

Each process has the same workers, and each of them asks for its lease; the one that holds it runs the jobs, the others
wait for it to end.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import structlog
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.leases import Lease, LeaseLostError
from archive_store.foundation.store import Job, Store

LEASE_NAME = "worker"
# A worker that was killed is replaced after this time. A job that takes longer is cut off; the next round goes on.
LEASE_SECONDS = 30.0
# Until a job is cut off at shutdown, then until the worker is left alone: together less than a second.
_GRACE_SECONDS, _END_SECONDS = 0.4, 0.5

_HOLDS = Gauge(
    "registrar_worker_holds_lease", "Whether the jobs of the lease run in this process.", ["lease"]
)
_LAST_RUN = Gauge("registrar_job_last_run_timestamp_seconds", "When the job last ended well.", ["job"])
_LAG = Gauge("registrar_job_lag_seconds", "How much later than planned the job began.", ["job"])
_DONE = Counter("registrar_job_done_total", "Things that the job did.", ["job"])
_FAILURES = Counter("registrar_job_failures_total", "Runs of the job that failed.", ["job"])
log = structlog.get_logger("registrar.worker")


class Worker:
    """Runs `jobs` in their order while it holds the lease, `seconds` after each round again.

    A job that takes longer than the lease is cut off; with `renews` the lease is kept as long as a job takes.
    """

    def __init__(
        self,
        store: Store,
        jobs: Mapping[str, Job],
        *,
        seconds: float,
        lease_seconds: float = LEASE_SECONDS,
        lease_name: str = LEASE_NAME,
        renews: bool = False,
    ) -> None:
        self._renews = renews
        self._store = store
        self._jobs = jobs
        self._seconds = seconds
        # Longer than the pause, so that the lease stays where it is.
        self._lease = Lease(store.database, lease_name, seconds=max(lease_seconds, 3 * seconds))
        self._stopping = asyncio.Event()
        self._began: dict[str, float] = {}
        self._told: dict[str, set[str]] = defaultdict(set)
        for name in jobs:
            _FAILURES.labels(name)

    async def run(self) -> None:
        """Run until `stop`. What a job raises is told, and the next job goes on."""
        try:
            while not self._stopping.is_set():
                await self._round()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._seconds)
        finally:
            _HOLDS.labels(self._lease.name).set(0)
            with suppress(PyMongoError):
                await self._lease.release()

    def stop(self) -> None:
        """Begin no other job."""
        self._stopping.set()

    async def _round(self) -> None:
        for name, job in self._jobs.items():
            # Before each job: whoever overslept must notice before it does anything.
            if self._stopping.is_set() or not await self._hold():
                return
            await self._run(name, job)

    async def _hold(self) -> bool:
        try:
            if self._lease.is_held:
                await self._lease.renew()
            elif await self._lease.acquire():
                self._began.clear()
                log.info("worker_took_lease", lease=self._lease.name, term=self._lease.term)
        except LeaseLostError:
            log.warning("worker_lost_lease", lease=self._lease.name, term=self._lease.term)
        except PyMongoError as error:
            self._tell("lease", error)
        else:
            self._tell("lease", None)
        _HOLDS.labels(self._lease.name).set(self._lease.is_held)
        return self._lease.is_held

    async def _run(self, name: str, job: Job) -> None:
        begins = asyncio.get_running_loop().time()
        planned = self._began.get(name, begins - self._seconds) + self._seconds
        _LAG.labels(name).set(max(0.0, begins - planned))
        self._began[name] = begins
        try:
            async with self._while_held():
                done = await job(self._store, self._store.clock.now())
        except Exception as error:
            _FAILURES.labels(name).inc()
            self._tell(name, error)
        else:
            _DONE.labels(name).inc(done)
            _LAST_RUN.labels(name).set_to_current_time()
            self._tell(name, None)

    @asynccontextmanager
    async def _while_held(self) -> AsyncIterator[None]:
        async with asyncio.timeout(self._lease.seconds_left) as limit:
            renewing = asyncio.create_task(self._renew(limit)) if self._renews else None
            try:
                yield
            finally:
                if renewing is not None:
                    renewing.cancel()

    async def _renew(self, limit: asyncio.Timeout) -> None:
        """Until the lease is lost, or the store is away for as long as it lasts; then the job is cut off."""
        while self._lease.is_held:
            await asyncio.sleep(self._lease.seconds / 3)
            with suppress(PyMongoError, LeaseLostError):
                await self._lease.renew()
                limit.reschedule(asyncio.get_running_loop().time() + self._lease.seconds_left)

    def _tell(self, name: str, error: Exception | None) -> None:
        """Log each kind of failure once with its trace, until all is well again."""
        if error is None:
            if self._told.pop(name, None):
                log.info("job_recovered", job=name)
            return
        kind = error.code if isinstance(error, RegistrarError) else type(error).__name__
        if kind not in self._told[name]:
            self._told[name].add(kind)
            log.error("job_failed", job=name, exc_info=error)


@asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[None]:
    """Run workers meanwhile."""
    running = {worker: asyncio.create_task(worker.run(), name="worker") for worker in workers}
    try:
        yield
    finally:
        await asyncio.gather(*(end(worker, task) for worker, task in running.items()))


def worker_of_jobs(
    store: Store,
    jobs: Mapping[str, Job],
    *,
    lease_name: str = LEASE_NAME,
    renews: bool = False,
) -> list[Worker]:
    """The worker of some of the store's jobs, unless there are none or this process shall do none of it."""
    seconds = store.settings.worker_seconds
    if not jobs or not seconds:
        return []
    return [Worker(store, jobs, seconds=seconds, lease_name=lease_name, renews=renews)]


async def end(worker: Worker, running: asyncio.Task[None]) -> None:
    """Stop within a second; a job that is not done by then is cut off, its open transaction with it."""
    worker.stop()
    await asyncio.wait({running}, timeout=_GRACE_SECONDS)
    if not running.done():
        running.cancel()
        await asyncio.wait({running}, timeout=_END_SECONDS)
