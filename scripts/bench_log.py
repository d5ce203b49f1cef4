"""The audit log under load: appending with 16 writers against bare inserts, and the sequencer's lag meanwhile."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bson import ObjectId
from pymongo.write_concern import WriteConcern

from api.sequencer import sequencer_of
from api.worker import working
from archive_store.archive import open_archive
from archive_store.audit.documents import CHECKPOINTS, ENTRIES
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import INSTALLATION, FieldChange, Subject, UnitOfWork

WRITERS = 16
LAG_BAR_SECONDS = 5.0
BURST = 10_000
_SLICE_SECONDS = 2.0


async def bench_log(settings: Settings, *, slices: int) -> None:
    """Writers take turns of two seconds, bare and audited, while a sequencer runs in a process of its own."""
    sequencing = multiprocessing.get_context("spawn").Process(
        target=_sequence, args=(plain_values(settings),), daemon=True
    )
    sequencing.start()
    try:
        async with open_archive(settings) as store:
            bare, audited = await _rates(store, slices)
            print(f"audit-append ratio={bare / audited:.2f} bar=none")
            print(
                f"# audit-append: {audited:.0f} entries/s with {WRITERS} writers against {bare:.0f} bare inserts/s"
            )
            worst, median, entries = await _lags(store)
            print(f"audit-lag seconds={worst:.2f} bar={LAG_BAR_SECONDS:.1f}")
            print(
                f"# audit-lag: worst of {entries} entries, median {median:.2f} s, from the transaction's begin"
            )
            burst = await _burst_lag(store)
            print(f"audit-lag-burst seconds={burst:.2f} bar={LAG_BAR_SECONDS:.1f}")
            print(f"# audit-lag-burst: {BURST} entries of one transaction, from its commit", flush=True)
    finally:
        sequencing.kill()
        sequencing.join()


async def _rates(store: Store, slices: int) -> tuple[float, float]:
    """Inserts a second: bare, and entries appended."""
    plain = store.database.mongo["bench_entries"].with_options(write_concern=WriteConcern("majority"))
    row = await store.database.mongo[ENTRIES].find_one({"log_index": {"$type": "number"}})
    while row is None:  # the sequencer is on its way
        await asyncio.sleep(0.1)
        row = await store.database.mongo[ENTRIES].find_one({"log_index": {"$type": "number"}})
    sample = {name: value for name, value in row.items() if name != "_id"}
    subjects = [Subject("Bench", ObjectId()) for _ in range(WRITERS)]

    async def insert(_: int) -> None:
        await plain.insert_one({**sample, "_id": ObjectId()})

    async def append(writer: int) -> None:
        async def work(unit: UnitOfWork) -> None:
            unit.audit(subjects[writer], "bench:touch", [FieldChange("address", "示范路1号", "示范路2号")])

        await governed_transaction(store, INSTALLATION, "bench.touch", work)

    counts = {"bare": 0, "audited": 0}
    for turn in range(slices + 1):
        for name, write in (("bare", insert), ("audited", append)):
            done = await _slice(write)
            counts[name] += done if turn else 0  # the first ones warm up
    seconds = slices * _SLICE_SECONDS
    return counts["bare"] / seconds, counts["audited"] / seconds


async def _slice(write: Callable[[int], Awaitable[None]]) -> int:
    until, done = time.perf_counter() + _SLICE_SECONDS, 0

    async def writer(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await write(number)
            done += 1

    await asyncio.gather(*map(writer, range(WRITERS)))
    return done


async def _lags(store: Store) -> tuple[float, float, int]:
    """Worst and median seconds from an entry's time to its checkpoint's, once all are covered."""
    await _all_covered(store)
    entries = store.database.mongo[ENTRIES]
    signed = await store.database.mongo[CHECKPOINTS].find({}, {"at": 1}).sort("_id", 1).to_list()
    lags, at = [], 0
    async for row in entries.find({"subject_type": "Bench"}, {"at": 1, "log_index": 1}).sort("log_index", 1):
        while signed[at]["_id"] <= row["log_index"]:
            at += 1
        lags.append((signed[at]["at"] - row["at"]).total_seconds())
    lags.sort()
    return lags[-1], lags[len(lags) // 2], len(lags)


async def _burst_lag(store: Store) -> float:
    """As the largest roster writes them: a student and a person a row."""

    async def work(unit: UnitOfWork) -> None:
        for _ in range(BURST):
            unit.audit(Subject("Bench", ObjectId()), "bench:touch")

    await governed_transaction(store, INSTALLATION, "bench.touch", work)
    committed = time.perf_counter()
    await _all_covered(store)
    return time.perf_counter() - committed


async def _all_covered(store: Store) -> None:
    while await store.database.mongo[ENTRIES].count_documents({"log_index": None}):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def plain_values(settings: Settings) -> dict[str, Any]:
    """For a process of its own."""
    secrets = {
        name: getattr(settings, name).get_secret_value()
        for name in ("mongodb_url", "s3_access_key", "s3_secret_key")
    }
    told: dict[str, Any] = json.loads(settings.model_dump_json(exclude=set(secrets)))
    return told | secrets


def _sequence(values: dict[str, Any]) -> None:
    async def run() -> None:
        async with open_archive(Settings(**values), prepares=False) as store, working(*sequencer_of(store)):
            await asyncio.Event().wait()

    asyncio.run(run())
