"""The sequencer killed: at each of its commands, and at random under load. Nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from bson import ObjectId

from api.dev.stack import EmbeddedStack
from archive_store.audit.documents import ENTRIES
from archive_store.audit.log import log_size
from archive_store.audit.sequencer import sequence_entries
from archive_store.foundation.store import Store
from tests.approvals.test_killed import MOMENTS, Mortal, act_until
from tests.audit.test_sequencer import append, require_whole_log
from tests.school import School

__all__ = ["act_until"]

pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("REGISTRAR_SEQUENCER_KILLS", "8"))
WRITERS = 8
PAUSE_SECONDS = 0.1  # so that a hundred kills leave no more entries than can be looked at
COVERED_WITHIN_SECONDS = 5.0


async def test_killed_at_any_command_the_next_one_goes_on_at_once(school: School, act_until: Mortal) -> None:
    """The dead process keeps its transaction open; whoever takes over must not wait for the server to end it."""
    store, before = school.store, await school.documents()
    entries = await store.database.mongo[ENTRIES].count_documents({})
    kills = 0
    for moment in MOMENTS:
        at = 1
        while await act_until("sequence", {"viewer": "director"}, at, moment):
            kills += 1
            started = time.monotonic()
            await sequence_entries(store, seconds=60)
            assert time.monotonic() - started < COVERED_WITHIN_SECONDS, (moment, at)
            await require_whole_log(store, entries)
            await school.restore(before)
            at += 1
        await require_whole_log(store, entries)
        await school.restore(before)
    assert kills > 2 * 3 * 5  # three batches of at least five commands


class Sequencer:
    """`tests.audit.lone_sequencer`, the worker as the server runs it, in a process that can be killed."""

    def __init__(self, *settings: str) -> None:
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None

    def quick(self) -> Sequencer:
        return Sequencer(*self._settings, "quick")

    def another(self) -> Sequencer:
        return Sequencer(*self._settings)

    async def start(self) -> None:
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.audit.lone_sequencer", *self._settings],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


@pytest.fixture
def sequencer(stack: EmbeddedStack, store: Store) -> Iterator[Sequencer]:
    held = Sequencer((stack.directory / "dev-settings.json").read_text())
    yield held
    held.kill()


async def test_killed_at_random_under_load_nothing_is_lost_or_twice(
    empty_store: Store, sequencer: Sequencer
) -> None:
    quick = sequencer.quick()
    written, ending = 0, asyncio.Event()

    async def write() -> None:
        nonlocal written
        subjects = [ObjectId() for _ in range(3)]
        while not ending.is_set():
            await append(empty_store, *subjects)
            written += len(subjects)
            await asyncio.sleep(PAUSE_SECONDS)

    writers = [asyncio.create_task(write()) for _ in range(WRITERS)]
    chance = random.Random(5)
    kills, size = 0, 0
    try:
        for _ in range(4 * KILLS):
            await quick.start()
            await asyncio.sleep(chance.uniform(0.8, 1.6))
            quick.kill()
            before, size = size, await log_size(empty_store)
            kills += size > before  # killed at work
            if kills == KILLS:
                break
    finally:
        ending.set()
        quick.kill()
        await asyncio.gather(*writers)
    assert kills == KILLS
    await sequence_entries(empty_store, seconds=600)
    await require_whole_log(empty_store, written)


async def test_an_entry_is_covered_within_seconds_though_the_holder_was_killed(
    empty_store: Store, sequencer: Sequencer
) -> None:
    await append(empty_store, ObjectId())
    await sequencer.start()
    await covered(empty_store, 1)
    other = sequencer.another()
    try:
        await other.start()
        sequencer.kill()
        started = time.monotonic()
        await append(empty_store, ObjectId())
        await covered(empty_store, 2)
        assert time.monotonic() - started < COVERED_WITHIN_SECONDS
    finally:
        other.kill()


async def covered(store: Store, entries: int) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            while await store.database.mongo[ENTRIES].count_documents({"log_index": None}):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    await require_whole_log(store, entries)
