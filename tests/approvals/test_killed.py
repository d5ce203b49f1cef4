"""The process killed between any two statements: all is written, or nothing; and another process does it again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.dev.stack import EmbeddedStack
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.settings import Settings
from archive_store.scans.upload_documents import UPLOADS
from tests.approvals import mortal
from tests.school import School

MOMENTS = ("started", "succeeded")
Mortal = Callable[..., Awaitable[bool]]


@pytest.fixture
def act_until(stack: EmbeddedStack, settings: Settings) -> Iterator[Mortal]:
    with mortal_process(json.loads((stack.directory / "dev-settings.json").read_text())) as act:
        yield act


@contextmanager
def mortal_process(settings: dict[str, Any]) -> Iterator[Mortal]:
    """Have another process act and die at a command; whether it died before the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.approvals.mortal", json.dumps(settings)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    orders, answers = process.stdin, process.stdout

    def send(order: dict[str, Any]) -> bool:
        orders.write(json.dumps(order) + "\n")
        orders.flush()
        return bool(json.loads(answers.readline())["killed"])

    async def act(name: str, values: dict[str, Any], at: int, moment: str) -> bool:
        order = {"act": name, "values": values, "at": at, "moment": moment}
        return await asyncio.to_thread(send, order)

    yield act
    orders.close()
    assert process.wait(30) == 0


async def to_approve(school: School) -> dict[str, Any]:
    """The last of two signatures: it changes the record and the person's name, and replaces an earlier change."""
    for turn in ("甲", "乙"):
        request = await school.request("information", await school.student(), name=f"王改{turn}")
        await school.approve("director", request)
        if turn == "甲":
            await school.approve("vice-principal", request)
    return {"viewer": "vice-principal", "request": str(request)}


async def to_file_paper(school: School) -> dict[str, Any]:
    return {"viewer": "archive", "student": str((await school.student()).key)}


def records(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is in the archive: an upload that was cut off is not, and is removed when its time is over."""
    return {name: held for name, held in stored.items() if name != UPLOADS}


@pytest.mark.parametrize(
    ("act", "prepare"),
    [
        (mortal.approve, to_approve),
        (mortal.file_paper, to_file_paper),
    ],
)
async def test_killed_at_any_command_all_or_nothing_is_written(
    school: School,
    act_until: Mortal,
    act: Callable[..., Awaitable[None]],
    prepare: Callable[[School], Awaitable[dict[str, Any]]],
) -> None:
    values = await prepare(school)
    before = await school.documents()
    viewer = await school.viewer(values["viewer"])
    await act(school.store, viewer, values)
    whole = records(await school.counts())
    kills = dict.fromkeys(("nothing", "all"), 0)
    for moment in MOMENTS:
        at = 1
        while True:
            await school.restore(before)
            if not await act_until(act.__name__, values, at, moment):
                break
            at += 1
            stored = records(await school.documents())
            is_whole = records(await school.counts()) == whole
            assert is_whole or stored == records(before), (moment, at)
            kills["all" if is_whole else "nothing"] += 1
            # What the dead process had open would be ended by the server after a minute.
            await school.store.database.client.admin.command("killAllSessions", [])
            if not is_whole:
                await act(school.store, viewer, values)
            elif act is mortal.approve:
                with pytest.raises(RegistrarError) as caught:
                    await act(school.store, viewer, values)
                assert caught.value.code is ErrorCode.WRONG_STATE
            assert records(await school.counts()) == whole
            report = await verify_history(school.store, RECORD_TYPES)
            assert report.sound, (moment, at, report.findings)
        assert records(await school.counts()) == whole
    # Both came: it was killed before the commit, and after it.
    assert min(kills.values()) > 0


async def test_what_a_dead_process_left_open_ends_by_itself(school: School, act_until: Mortal) -> None:
    """The server ends it after its time, and whoever waits for the record goes on."""
    admin = school.store.database.client.admin
    values = await to_approve(school)
    viewer = await school.viewer(values["viewer"])
    before = await school.documents()
    last = 1
    while await act_until("approve", values, last, "started"):
        last += 1
        assert await school.documents() == before
        await admin.command("killAllSessions", [])
    await school.restore(before)
    limit = await admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": 3})
    try:
        # At the commit: every write is made and locked.
        assert await act_until("approve", values, last - 1, "started")
        started = time.monotonic()
        await mortal.approve(school.store, viewer, values)
        assert time.monotonic() - started < 30
    finally:
        await admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": limit["was"]})
    report = await verify_history(school.store, RECORD_TYPES)
    assert report.sound, report.findings
