"""Runs of the check: whole, interrupted and gone on with, recorded once; orphans; and the check in the background."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from typer.testing import CliRunner

import archive_store.preservation.fixity_jobs as fixity_jobs
import archive_store.preservation.fixity_runs as fixity_runs
import archive_store.preservation.orphans as orphans
from api.cli.main import app
from api.dev.stack import EmbeddedStack
from archive_store.archive import RECORD_TYPES
from archive_store.audit.entries import open_entries
from archive_store.audit.verification import verify_history
from archive_store.foundation.store import Store
from archive_store.preservation.fixity_documents import CHECKS, FixityRun, RunStatus
from archive_store.preservation.fixity_runs import begin_run, end_run, go_on, interrupted_run
from archive_store.preservation.orphans import find_orphans, remove_orphan
from archive_store.scans.documents import Scan
from schema.nodes import global_id
from tests.preservation.stored_scans import (
    file_paper,
    file_three_segments,
    put_object,
    raw_object,
    set_fields,
)
from tests.preservation.test_fixity import flip_a_bit
from tests.scans.test_pipeline import pdf
from tests.school import School


async def whole_run(store: Store, **asked: Any) -> tuple[FixityRun, dict[ObjectId, list[str]]]:
    run, found = await begin_run(store, **asked), {}
    await go_on(store, run, jobs=2, checked=lambda scan_id, damages: found.update({scan_id: damages}))
    return await end_run(store, run, orphans=0, removed=0), found


async def entries(store: Store, kind: str) -> list[dict[str, Any]]:
    rows = await store.database.mongo["audit_entries"].find({"kind": kind}).sort("_id", 1).to_list()
    await open_entries(store, rows)
    return rows


async def test_a_healthy_archive_has_no_findings(school: School) -> None:
    store = school.store
    scans = [await file_paper(school, pdf(5_000), position=n % 3) for n in range(7)]
    run, found = await whole_run(store)
    assert found == {scan.key: [] for scan in scans}
    assert (run.checked, run.damaged, run.status) == (7, 0, RunStatus.COMPLETE)
    assert await entries(store, "scan:damaged") == []
    assert [row["subject_id"] for row in await entries(store, "fixity_run:begin")] == [run.key]
    (ended,) = await entries(store, "fixity_run:end")
    assert {"field": "checked", "before": 0, "after": 7} in ended["sealed"]["changes"]
    assert (await verify_history(store, RECORD_TYPES)).sound


async def test_a_run_over_one_student_and_over_a_sample(school: School) -> None:
    for n in range(6):
        await file_paper(school, pdf(500), position=n % 2)
    student = await school.student(1)
    run, found = await whole_run(school.store, student_id=student.key)
    assert len(found) == run.checked == 3
    run, found = await whole_run(school.store, sample=4)
    assert len(found) == run.checked == 4
    run, found = await whole_run(school.store, student_id=student.key, sample=2)
    assert len(found) == run.checked == 2


async def test_a_damage_is_told_once_and_so_is_its_end(school: School) -> None:
    store = school.store
    scan, sound = await file_three_segments(school), await file_paper(school, pdf(100))
    first = scan.segments[1].object_version
    await flip_a_bit(school, scan)
    for _ in range(3):
        run, found = await whole_run(store)
        assert (run.checked, run.damaged) == (2, 1)
        assert found == {scan.key: ["SEGMENT 000001"], sound.key: []}
    (entry,) = await entries(store, "scan:damaged")
    assert (entry["subject_id"], entry["sealed"]["note"]) == (scan.key, "SEGMENT 000001")
    notices = await store.database.mongo["notifications"].find({"kind": "scan:damaged"}).to_list()
    assert {row["recipient_post"] for row in notices} == {"ARCHIVE_GROUP", "DIRECTOR"}
    assert {row["subject_id"] for row in notices} == {scan.key} and len(notices) == 2
    await set_fields(school, scan, size=1)
    await whole_run(store)
    assert [row["sealed"]["note"] for row in await entries(store, "scan:damaged")] == [
        "SEGMENT 000001",
        "SIZE, UNLIKE_HISTORY",
    ]
    await set_fields(school, scan, size=scan.size, segments__1__object_version=first)
    for _ in range(2):
        assert (await whole_run(store))[0].damaged == 0
    assert len(await entries(store, "scan:found_sound")) == 1
    await flip_a_bit(school, scan)
    await whole_run(store)
    assert len(await entries(store, "scan:damaged")) == 3
    assert (await verify_history(store, RECORD_TYPES)).sound


@pytest.mark.parametrize("jobs", [1, 3])
async def test_an_interrupted_run_reads_no_scan_twice_and_none_never(
    school: School, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    store = school.store
    scans = [await file_paper(school, pdf(300), position=n % 2) for n in range(12)]
    await flip_first(school, scans[2])
    read: Counter[ObjectId] = Counter()
    whole, slow = fixity_runs.check_scan, scans[4].key

    async def counted(store: Store, scan_id: ObjectId) -> list[str]:
        if scan_id == slow and not read[slow]:
            read[slow] += 1
            await asyncio.sleep(60)
        damages = await whole(store, scan_id)
        read[scan_id] += 1
        return damages

    monkeypatch.setattr(fixity_runs, "check_scan", counted)
    run = await begin_run(store)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(4):
            await go_on(store, run, jobs=jobs, checked=lambda *_: None)
    assert len(read) > 4 and (jobs > 1 or len(read) == 5)
    for _ in range(2):
        left = await interrupted_run(store)
        assert left is not None and left.key == run.key
        await go_on(store, left, jobs=jobs, checked=lambda *_: None)
    assert read == Counter([scan.key for scan in scans]) + Counter([slow])
    ended = await end_run(store, run, orphans=0, removed=0)
    assert (ended.checked, ended.damaged) == (12, 1)
    assert await interrupted_run(store) is None


async def flip_first(school: School, scan: Scan) -> None:
    version = await put_object(school, scan, "000000", (await raw_object(school, scan, 0))[:-1])
    await set_fields(school, scan, segments__0__object_version=version)


SLOW_CHECK = """
import asyncio
import archive_store.preservation.fixity_runs as runs
from api.cli import main

whole = runs.check_scan

async def slow(store, scan_id):
    await asyncio.sleep(0.1)
    return await whole(store, scan_id)

runs.check_scan = slow
main()
"""


async def test_the_command_goes_on_after_it_was_killed(
    school: School, stack: EmbeddedStack, tmp_path: Path
) -> None:
    """Killed for good in the middle, as by the machine."""
    scans = [await file_paper(school, pdf(200)) for _ in range(20)]
    words = ["archive", "check", "--data", str(stack.directory), "--jobs", "1"]
    command = [sys.executable, "-c", SLOW_CHECK, *words]
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL)
    checks = school.store.database.mongo[CHECKS]
    while await checks.count_documents({}) < 5 and process.returncode is None:  # noqa: ASYNC110 - its doing, not ours
        await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    before = {row["_id"]: row["checked_at"] async for row in checks.find()}
    assert 5 <= len(before) < 20, "it was not killed in the middle"
    report = tmp_path / "report.json"
    told = await command_line("check", "--resume", "--report", str(report), stack=stack)
    assert told.exit_code in (0, 1), told.output
    after = {row["_id"]: row["checked_at"] async for row in checks.find()}
    assert after.keys() == {scan.key for scan in scans}
    assert {key for key in before if after[key] != before[key]} == set()
    found = json.loads(report.read_text())
    assert (found["checked"], found["damaged"], found["findings"]) == (20, 0, [])
    again = await command_line("check", "--resume", stack=stack)
    assert (again.exit_code, "no run was interrupted" in again.output) == (1, True)


async def command_line(*words: str, stack: EmbeddedStack) -> Any:
    options = ["--data", str(stack.directory)]
    environment = {"COLUMNS": "400", "NO_COLOR": "1"}
    return await asyncio.to_thread(CliRunner().invoke, app, ["archive", *words, *options], env=environment)


async def test_what_the_command_prints(school: School, stack: EmbeddedStack, tmp_path: Path) -> None:
    student = global_id("Student", (await school.student()).key)
    scan = await file_paper(school, pdf(200))
    report = tmp_path / "report.json"
    sound = await command_line("check", "--student", student, "--report", str(report), stack=stack)
    assert (sound.exit_code, "1 scans checked, 0 damaged; 0 orphans, 0 removed: sound" in sound.output) == (
        0,
        True,
    )
    told = json.loads(report.read_text())
    assert (told["sound"], told["checked"], told["findings"]) == (True, 1, [])
    taken = await command_line("check", "--report", str(report), stack=stack)
    assert (taken.exit_code, "exists already" in taken.output) == (1, True)
    await flip_first(school, scan)
    found = await command_line("check", "--student", student, "--report", str(tmp_path / "2"), stack=stack)
    assert found.exit_code == 1
    (line,) = [line for line in found.output.splitlines() if f"│ {scan.key} " in line]
    assert "│ LOCK 000000, SEGMENT 000000 " in line
    assert "ORPHAN" in found.output  # the object that was filed, which nothing names now
    told = json.loads((tmp_path / "2").read_text())
    assert told["findings"] == [{"scan": str(scan.key), "damages": ["LOCK 000000", "SEGMENT 000000"]}]
    assert scan.file_name not in found.output + json.dumps(told, ensure_ascii=False)
    for wrong in (["--student", "x"], ["--sample", "0"], ["--resume", "--sample", "3"]):
        assert (await command_line("check", *wrong, stack=stack)).exit_code == 2


async def orphan_keys(store: Store, *scan_ids: ObjectId) -> set[str]:
    return {each.key async for each in find_orphans(store, list(scan_ids))}


async def test_orphans_are_what_neither_scan_nor_upload_names(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, put = school.store, school.store.objects.put_blocking
    scan, damaged = await file_three_segments(school), await file_three_segments(school)
    nobodys, uploads, lost = ObjectId(), ObjectId(), await file_paper(school, pdf(100))
    await flip_a_bit(school, damaged)
    first = (await raw_object(school, scan, 0))[:100]
    for key in (f"scans/{scan.key}/000000", f"scans/{nobodys}/000000", f"scans/{uploads}/000000"):
        await asyncio.to_thread(put, key, first)
    await asyncio.to_thread(put, f"scans/{damaged.key}/000007", first)
    await asyncio.to_thread(put, f"scans/{lost.key}/000007", first)
    await store.database.mongo["scan_uploads"].insert_one({"_id": uploads})
    await store.database.collection(Scan).delete_one({"_id": lost.key})
    asked = (scan.key, damaged.key, nobodys, uploads, lost.key)
    run, _ = await whole_run(store)
    expected = {
        f"scans/{scan.key}/000000",
        f"scans/{nobodys}/000000",
        f"scans/{damaged.key}/000001",
        f"scans/{damaged.key}/000007",
        f"scans/{lost.key}/000000",
        f"scans/{lost.key}/000007",
    }
    assert await orphan_keys(store, *asked) == expected
    # Not while they are young.
    assert not any([await remove_orphan(store, run, each) async for each in find_orphans(store, asked)])
    monkeypatch.setattr(orphans, "REMOVABLE_AFTER", timedelta(0))
    removed = {each.key async for each in find_orphans(store, asked) if await remove_orphan(store, run, each)}
    # What may be all that is left of a scan stays, and what is locked.
    assert removed == {f"scans/{scan.key}/000000", f"scans/{nobodys}/000000"}
    assert await orphan_keys(store, *asked) == expected - removed
    assert (await whole_run(store))[1] == {scan.key: [], damaged.key: ["SEGMENT 000001"]}


async def test_a_delete_marker_is_an_orphan_and_hides_nothing(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, scan = school.store, await file_paper(school, pdf(100))
    await store.objects.remove(f"scans/{scan.key}/000000", "")
    (marker,) = [each async for each in find_orphans(store, [scan.key])]
    assert marker.is_delete_marker
    run, found = await whole_run(store)
    assert found == {scan.key: []}
    monkeypatch.setattr(orphans, "REMOVABLE_AFTER", timedelta(0))
    assert await remove_orphan(store, run, marker)
    assert await orphan_keys(store, scan.key) == set()


async def test_what_a_damaged_record_named_is_no_orphan(school: School) -> None:
    scan = await file_paper(school, pdf(100))
    await set_fields(school, scan, segments="none")
    assert await orphan_keys(school.store, scan.key) == set()
    run, found = await whole_run(school.store)
    assert (found, run.damaged) == ({scan.key: ["RECORD"]}, 1)


async def test_an_object_of_no_scan_at_all_is_an_orphan(school: School) -> None:
    store = school.store
    await asyncio.to_thread(store.objects.put_blocking, "scans/no-id/x", b"x")
    found = {each.key: each async for each in find_orphans(store)}
    assert "scans/no-id/x" in found
    await store.objects.remove("scans/no-id/x", found["scans/no-id/x"].version)


async def test_what_is_disposed_of_is_no_orphan_until_its_objects_are_removed(school: School) -> None:
    scan = await file_paper(school, pdf(100))
    await set_fields(school, scan, wrapped_data_key=None)
    assert await orphan_keys(school.store, scan.key) == set()


async def test_the_background_reads_what_was_not_read_for_longest(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, days = school.store, school.store.settings.fixity_days
    monkeypatch.setattr(fixity_jobs, "A_FEW", 2)
    scans = [await file_paper(school, pdf(100), position=n % 2) for n in range(3)]
    now = store.clock.now()
    assert await fixity_jobs.check_due(store, now) == 0
    checks = store.database.mongo[CHECKS]
    assert await checks.count_documents({}) == 3
    ages = {scans[0].key: 85, scans[1].key: 100, scans[2].key: 300}
    for key, age in ages.items():
        await checks.update_one({"_id": key}, {"$set": {"checked_at": now - timedelta(days=age)}})
    await flip_first(school, scans[2])
    assert days == 90
    assert await fixity_jobs.check_due(store, now) == 2
    left = await checks.find({"checked_at": {"$lt": now}}).to_list()
    assert [row["_id"] for row in left] == [scans[0].key]
    assert [row["subject_id"] for row in await entries(store, "scan:damaged")] == [scans[2].key]
    assert [await fixity_jobs.check_due(store, now) for _ in range(2)] == [1, 0]
    late = await file_paper(school, pdf(100))
    await fixity_jobs.check_due(store, now)
    assert await checks.count_documents({"_id": late.key, "damages": []}) == 1


async def test_a_scan_whose_record_is_gone_keeps_no_other_waiting(school: School) -> None:
    store = school.store
    checks = store.database.mongo[CHECKS]
    long_ago = store.clock.now() - timedelta(days=365)
    await checks.insert_one({"_id": ObjectId(), "checked_at": long_ago, "damages": []})
    assert await fixity_jobs.check_due(store, store.clock.now()) == 1
    assert await fixity_jobs.check_due(store, store.clock.now()) == 0
