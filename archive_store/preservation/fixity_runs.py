"""Runs of the check (固化检查): every scan once in the order of their ids, going on where an interrupted run stopped.

What is found is recorded once: a damaged scan has one governed audit entry for each new damage, and one when it is
sound again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.database import Row
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import INSTALLATION, Actor, FieldChange, Subject, UnitOfWork
from archive_store.preservation.fixity import check_scan
from archive_store.preservation.fixity_documents import CHECKS, FixityRun, RunStatus
from archive_store.scans.documents import Scan

OPERATION = "archive.check"
# Who keeps the archive, and who answers for it (policy §二(一)).
TOLD_OF_DAMAGE = (Post.ARCHIVE_GROUP, Post.DIRECTOR)


async def begin_run(
    store: Store, *, student_id: ObjectId | None = None, sample: int | None = None
) -> FixityRun:
    """A new run, of all scans, of one student's, or of so many chosen at random."""
    scan_ids = None
    if sample is not None:
        steps: list[Row] = [
            {"$match": {} if student_id is None else {"student_id": student_id}},
            {"$sample": {"size": sample}},
            {"$project": {"_id": 1}},
        ]
        rows = await (await store.database.collection(Scan).aggregate(steps)).to_list()
        scan_ids = sorted({PydanticObjectId(row["_id"]) for row in rows})
    run = FixityRun(student_id=student_id and PydanticObjectId(student_id), scan_ids=scan_ids)

    async def begin(unit: UnitOfWork) -> None:
        await unit.insert(run)
        told = [
            FieldChange("student_id", None, run.student_id),
            FieldChange("scan_ids", None, scan_ids),
        ]
        unit.audit(_subject(run), "fixity_run:begin", [each for each in told if each.after is not None])

    await governed_transaction(store, INSTALLATION, OPERATION, begin)
    return run


async def interrupted_run(store: Store) -> FixityRun | None:
    """The newest run that did not end."""
    row = await store.database.collection(FixityRun).find_one(
        {"status": RunStatus.RUNNING.value}, sort=[("_id", -1)]
    )
    return None if row is None else FixityRun.model_validate(row)


async def scans_of_run(store: Store, run: FixityRun) -> list[ObjectId] | None:
    """The scans of a run over some of them; None of a run over all."""
    if run.student_id is None and run.scan_ids is None:
        return None
    whole = run.model_copy(update={"cursor": None})
    return [scan_id async for scan_id in _ids(store, whole)]


async def scans_left(store: Store, run: FixityRun) -> int:
    """How many scans the run has still to read, as of now."""
    left = await store.database.collection(Scan).count_documents(_scans_of(run))
    return left - len(await _ahead(store, run))


async def go_on(
    store: Store, run: FixityRun, *, jobs: int, checked: Callable[[ObjectId, list[str]], None]
) -> None:
    """Check what the run has still to read, `jobs` scans at a time, and call `checked` with each and its damages.

    ObjectStoreAwayError and RootKeysUnavailableError end it where it stands; so does cancelling.
    """
    ahead = await _ahead(store, run)
    under_way: dict[asyncio.Task[None], ObjectId] = {}

    async def check(scan_id: ObjectId) -> None:
        damages = await check_scan(store, scan_id)
        await record_check(store, INSTALLATION, scan_id, damages, run_id=run.key)
        checked(scan_id, damages)

    async def settle(done: set[asyncio.Task[None]]) -> None:
        finished = [under_way.pop(task) for task in done]
        for task in done:
            task.result()
        # The cursor follows the slowest: what is ahead of it is known by the check of each scan.
        stands_at = min(under_way.values(), default=None) or max(finished)
        await _move_cursor(store, run, stands_at, includes=not under_way)

    try:
        async for scan_id in _ids(store, run):
            if scan_id in ahead:
                continue
            under_way[asyncio.create_task(check(scan_id))] = scan_id
            if len(under_way) >= jobs:
                done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                await settle(done)
        while under_way:
            done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            await settle(done)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def end_run(store: Store, run: FixityRun, *, orphans: int, removed: int) -> FixityRun:
    """The run as it ended, with what it counted."""
    checks = store.database.mongo[CHECKS]
    counts = {
        "checked": await checks.count_documents({"run_id": run.key}),
        "damaged": await checks.count_documents({"run_id": run.key, "damages": {"$ne": []}}),
        "orphans": orphans,
        "removed": removed,
    }

    async def end(unit: UnitOfWork) -> FixityRun:
        held = await unit.load(FixityRun, run.key)
        assert held is not None  # noqa: S101 - nothing removes one
        changes: dict[str, Any] = {**counts, "status": RunStatus.COMPLETE, "ended_at": unit.at}
        await unit.change(held, changes)
        told = [FieldChange(name, getattr(held, name), value) for name, value in counts.items()]
        status = FieldChange("status", held.status.value, RunStatus.COMPLETE.value)
        unit.audit(_subject(run), "fixity_run:end", [status, *told])
        ended: FixityRun = held.model_copy(update=changes)
        return ended

    return await governed_transaction(store, INSTALLATION, OPERATION, end)


async def findings_of(
    store: Store, run: FixityRun, *, limit: int
) -> AsyncIterator[tuple[ObjectId, list[str]]]:
    """The damaged scans of a run, and what is wrong with each; by their ids."""
    query = {"run_id": run.key, "damages": {"$ne": []}}
    async for row in store.database.mongo[CHECKS].find(query).sort("_id", 1).limit(limit):
        yield row["_id"], row["damages"]


async def record_check(
    store: Store, actor: Actor, scan_id: ObjectId, damages: list[str], *, run_id: ObjectId | None = None
) -> None:
    """Keep when it was read and what was found; a damage that is new is told in the history and to who keeps it."""
    checks = store.database.mongo[CHECKS]
    kept: Row = {"damages": damages} | ({} if run_id is None else {"run_id": run_id})

    async def record(unit: UnitOfWork) -> None:
        before = await checks.find_one({"_id": scan_id}, {"damages": 1}, session=unit.session)
        known = before["damages"] if before else []
        update = {"$set": {**kept, "checked_at": unit.at}}
        await checks.update_one(  # house-rule: when a scan was read is no record; what was found is told with it
            {"_id": scan_id}, update, upsert=True, session=unit.session
        )
        subject = Subject(Scan.subject_type, scan_id)
        if new := [damage for damage in damages if damage not in known]:
            unit.audit(subject, "scan:damaged", note=", ".join(new))
            for post in TOLD_OF_DAMAGE:
                unit.notify(post, "scan:damaged", subject)
        elif known and not damages:
            unit.audit(subject, "scan:found_sound")

    await governed_transaction(store, actor, OPERATION, record)


def _scans_of(run: FixityRun) -> Row:
    query: Row = {}
    if run.student_id is not None:
        query["student_id"] = run.student_id
    key: Row = {} if run.scan_ids is None else {"$in": run.scan_ids}
    if run.cursor is not None:
        key["$gt"] = run.cursor
    return query | ({"_id": key} if key else {})


async def _ids(store: Store, run: FixityRun) -> AsyncIterator[ObjectId]:
    after: Row = {}
    while True:
        # By pages: a cursor of the database ends while a large scan is read.
        query = {"$and": [_scans_of(run), after]}
        rows = store.database.collection(Scan).find(query, {"_id": 1}).sort("_id", 1).limit(1000)
        found = [row["_id"] for row in await rows.to_list()]
        for scan_id in found:
            yield scan_id
        if not found:
            return
        after = {"_id": {"$gt": found[-1]}}


async def _ahead(store: Store, run: FixityRun) -> frozenset[ObjectId]:
    """Scans beyond the cursor that the run has read already: as few as were read at the same time as a slow one."""
    beyond: Row = {"run_id": run.key} | ({} if run.cursor is None else {"_id": {"$gt": run.cursor}})
    rows = store.database.mongo[CHECKS].find(beyond, {"_id": 1})
    return frozenset([row["_id"] async for row in rows])


async def _move_cursor(store: Store, run: FixityRun, scan_id: ObjectId, *, includes: bool) -> None:
    """To the scan, or to right before it."""
    stands_at = scan_id if includes else ObjectId((int(str(scan_id), 16) - 1).to_bytes(12, "big"))
    if run.cursor is None or stands_at > run.cursor:
        run.cursor = PydanticObjectId(stands_at)
        await store.database.collection(FixityRun).update_one(  # house-rule: where a run stands is no record
            {"_id": run.key}, {"$set": {"cursor": stands_at}}
        )


def _subject(run: FixityRun) -> Subject:
    return Subject(FixityRun.subject_type, run.key)
