"""The process that runs a batch killed between any two statements: another goes on, and each row is entered once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import archive_store.imports.staging as staging
import archive_store.imports.undoing as undoing
from api.dev.roster import demo_rows
from api.dev.stack import EmbeddedStack
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.settings import Settings
from archive_store.imports.batches import ask_for_run, ask_for_undo
from archive_store.imports.documents import RowPolicy
from archive_store.imports.jobs import expire, run_due
from archive_store.students.documents import Student
from tests.approvals.test_killed import Mortal, mortal_process
from tests.conftest import STUDENTS
from tests.imports.batches import begun, roster, run
from tests.school import School

ROWS = 6


@pytest.fixture
def act_until(stack: EmbeddedStack, settings: Settings) -> Iterator[Mortal]:
    with mortal_process(json.loads((stack.directory / "dev-settings.json").read_text())) as act:
        yield act


def rows() -> list[dict[str, str]]:
    return list(demo_rows(ROWS, cohort=2028, seed=8))


async def to_enter(school: School) -> None:
    batch = await begun(school, roster([*rows(), next(demo_rows(1, cohort=2029)) | {"性别": "?"}]))
    await ask_for_run(school.store, await school.viewer("information"), batch.key)


async def to_fail(school: School) -> None:
    batch = await begun(school, roster([*rows(), next(demo_rows(1))]), policy=RowPolicy.FAIL)
    await ask_for_run(school.store, await school.viewer("information"), batch.key)


async def to_undo(school: School) -> None:
    batch = await run(school, await begun(school, roster(rows())))
    request = await ask_for_undo(school.store, await school.viewer("information"), batch.key, "文件有误")
    assert request is not None
    await school.approve("director", request)


@pytest.mark.parametrize(
    ("prepare", "students"), [(to_enter, ROWS), (to_fail, 0), (to_undo, 0)], ids=["enter", "fail", "undo"]
)
async def test_another_process_goes_on_and_each_row_is_entered_once(
    school: School,
    act_until: Mortal,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[School], Awaitable[None]],
    students: int,
) -> None:
    monkeypatch.setattr(staging, "BLOCK_ROWS", 3)
    monkeypatch.setattr(undoing, "UNDO_ROWS", 4)
    await prepare(school)
    before = await school.documents()
    await run_due(school.store, school.store.clock.now())
    whole = await told(school)
    assert whole["counts"]["students"] == STUDENTS + students
    kills = 0
    for moment, step in (("started", 3), ("succeeded", 7)):
        at = 1
        while True:
            await school.restore(before)
            if not await act_until("go_on_with_imports", {"viewer": "information"}, at, moment):
                break
            at += step
            kills += 1
            # What the dead process had open would be ended by the server after a minute, its lease in seconds.
            await school.store.database.client.admin.command("killAllSessions", [])
            await school.store.database.mongo["leases"].delete_many({})
            await run_due(school.store, school.store.clock.now())
            await expire(school.store, school.store.clock.now())
            assert await told(school) == whole, (moment, at)
            if kills % 8 == 0:
                report = await verify_history(school.store, RECORD_TYPES)
                assert report.sound, (moment, at, report.findings)
    assert kills > 8


async def told(school: School) -> dict[str, Any]:
    """How many there are of all, and what became of the rows."""
    counts = await school.counts()
    # Whoever goes on looks the rows up again, and records that it did.
    counts["audit_heads"] -= counts["access_events"]
    counts = {
        name: count
        for name, count in counts.items()
        if name not in ("leases", "audit_entries", "access_events")
    }
    numbers = await school.store.database.collection(Student).distinct("auxiliary_number")
    batches = await school.store.database.mongo["import_batches"].find().sort("_id", 1).to_list()
    figures = ("status", "added", "updated", "already_on_record", "refused", "skipped", "undone", "position")
    rows = await school.store.database.mongo["import_rows"].find().to_list()
    return {
        "counts": counts,
        "numbers": sorted(numbers),
        "batches": [[batch[name] for name in figures] for batch in batches],
        "rows": sorted((row["sheet_row"], row["outcome"]) for row in rows),
    }
