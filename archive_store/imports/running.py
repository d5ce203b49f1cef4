"""The run of a batch: block by block, each one transaction with its records, entries, rows and the batch's counters.

A process may be killed at any point: what is committed tells exactly which block comes next. Two processes at one
batch do no harm, since each block is guarded by the batch's revision; a lease keeps them from the useless work.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bson import ObjectId

from archive_store.admission.collection import Source, open_cases
from archive_store.admission.documents import Channel
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.leases import Lease, LeaseLostError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Actor, UnitOfWork
from archive_store.imports.batch_steps import load_batch, read_batch, subject_of, write
from archive_store.imports.blocks import Block, checks_of, ready_block
from archive_store.imports.documents import (
    ENDED_STATUSES,
    ROWS,
    BatchStatus,
    ImportBatch,
    ImportKind,
    RowOutcome,
    RowPolicy,
)
from archive_store.imports.matching import JudgedRow, judge
from archive_store.imports.row_reports import sealed_report
from archive_store.imports.rules import refused_row
from archive_store.imports.shared_numbers import check_numbers_of_file
from archive_store.imports.staging import (
    mapping_digest,
    remove_blocks,
)
from archive_store.imports.telling import first_reason, record_told, told_numbers, told_rows, viewer_of_run
from archive_store.imports.undoing import undo_some
from archive_store.imports.updates import Update, prepared_updates, updated_row
from archive_store.students.registration import register_records

SMALL_ROWS = 1_000
_LEASE_SECONDS = 10.0
_RENEWED_BELOW_SECONDS = 7.0
# Where another import enters the same numbers at the same moment.
_ATTEMPTS = 4


async def advance(store: Store, batch_id: ObjectId) -> bool:
    """Go on with the batch until it waits for nobody; False where another process does so."""
    lease = Lease(store.database, f"import:{batch_id}", seconds=_LEASE_SECONDS)
    following: asyncio.Task[Block] | None = None
    try:
        while True:
            if not await _held(lease):
                return False
            batch = await read_batch(store, batch_id)
            if batch.status is BatchStatus.UNDOING:
                await undo_some(store, batch)
            elif batch.status is not BatchStatus.RUNNING:
                break
            elif batch.checked_with is None:
                await _check_file(store, batch)
            elif batch.enters is None:
                await _decide(store, batch)
            else:
                block = await (following or ready_block(store, batch, batch.position))
                following = None
                if batch.position + 1 < batch.blocks:
                    # While this block is written, the next one is made ready.
                    following = asyncio.create_task(ready_block(store, batch, batch.position + 1))
                if not await enter_block(store, batch, block) and following is not None:
                    await _dropped(following)
                    following = None
    finally:
        if following is not None:
            await _dropped(following)
        await lease.release()
    if batch.status in ENDED_STATUSES:
        await remove_blocks(store, batch_id)
    return True


async def advance_small(store: Store, batch_id: ObjectId) -> None:
    """As `advance` for a batch of few rows, which is done before anybody looks; a larger one is left to the job."""
    if (await read_batch(store, batch_id)).rows <= SMALL_ROWS:
        await advance(store, batch_id)


async def _held(lease: Lease) -> bool:
    if lease.is_held and lease.seconds_left < _RENEWED_BELOW_SECONDS:
        with suppress(LeaseLostError):
            await lease.renew()
    return await lease.acquire()


async def _dropped(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


async def _check_file(store: Store, batch: ImportBatch) -> None:
    await check_numbers_of_file(store, batch)
    assert batch.mapping is not None  # noqa: S101 - nothing runs without
    digest = mapping_digest(batch.mapping)

    async def note(unit: UnitOfWork) -> None:
        held = await load_batch(unit, batch.key)
        if held.status is BatchStatus.RUNNING and held.checked_with is None:
            await write(unit, held, "check", {"checked_with": digest})

    await governed_transaction(store, actor_of(batch), "roster.import", note)


async def _decide(store: Store, batch: ImportBatch) -> None:
    """Of FAIL: whether all rows may enter, before the first one does, and which row is named if not."""
    numbers = told_numbers(await viewer_of_run(store, batch))
    enters, named_row = True, None
    for number in range(batch.blocks):
        checks = await checks_of(store, batch, number)
        judged = await judge(store, None, batch.kind, checks)
        if (reason := first_reason(judged)) is None:
            continue
        enters, named_row = False, named_row or reason
        # One that may be told is reason enough; until then, none of the others is the only one.
        if first_reason(await told_rows(store, None, batch, checks, judged, numbers)) is not None:
            named_row = None
            break

    async def note(unit: UnitOfWork) -> None:
        held = await load_batch(unit, batch.key)
        if held.status is BatchStatus.RUNNING and held.enters is None:
            await write(unit, held, "decide", {"enters": enters, "named_row": named_row})

    await governed_transaction(store, actor_of(batch), "roster.import", note)


def actor_of(batch: ImportBatch) -> Actor:
    return Actor(batch.run_by, batch.run_by_name or "", tuple(batch.run_by_posts))


async def enter_block(store: Store, batch: ImportBatch, block: Block) -> bool:
    """Whether the block was entered; False where the batch is elsewhere by now."""
    checks = block.checks
    numbers: tuple[str, ...] = ()
    if batch.policy is RowPolicy.FAIL:
        viewer = await viewer_of_run(store, batch)
        numbers = told_numbers(viewer)
        if not batch.enters:
            judged = await judge(store, None, batch.kind, checks)
            told = await told_rows(store, None, batch, checks, judged, numbers, batch.named_row)
            await record_told(store, viewer, told, numbers)
    for attempt in range(_ATTEMPTS):
        updates: Mapping[int, tuple[ObjectId, Update]] = {}
        if batch.policy is RowPolicy.UPDATE and batch.kind is ImportKind.REGISTER:
            updates = await prepared_updates(store, batch, await judge(store, None, batch.kind, checks))

        async def enter(unit: UnitOfWork, block: Block = block, updates: Mapping[int, Any] = updates) -> bool:
            held = await load_batch(unit, batch.key)
            if held.status is not BatchStatus.RUNNING or held.position != batch.position:
                return False
            unit.change_request = held.change_request_id
            await _enter(unit, held, block, updates, numbers)
            return True

        try:
            return await governed_transaction(store, actor_of(batch), "roster.import", enter)
        except RegistrarError as error:
            # Somebody else entered one of the numbers meanwhile: then that row is on record.
            if error.code not in (ErrorCode.DUPLICATE, ErrorCode.TRY_AGAIN) or attempt + 1 == _ATTEMPTS:
                raise
            block = replace(block, judged=None)
    return False


async def _enter(
    unit: UnitOfWork,
    batch: ImportBatch,
    block: Block,
    updates: Mapping[int, tuple[ObjectId, Update]],
    numbers: Collection[str],
) -> None:
    judged = block.judged or await judge(unit.store, unit.session, batch.kind, block.checks)
    reason = first_reason(judged)
    fails = batch.policy is RowPolicy.FAIL and batch.enters is True and reason is not None
    enters = batch.enters is True and not fails
    if not enters:
        # Where it fails on the way, somebody else entered the number meanwhile: that row is the reason.
        named_row = reason if fails else batch.named_row
        judged = await told_rows(unit.store, unit.session, batch, block.checks, judged, numbers, named_row)
    made = await _made(unit, batch, block, judged) if enters else {}
    rows: list[Row] = []
    for row in judged:
        number, outcome, told = row.check.sheet_row, row.outcome, made.get(row.check.sheet_row, {})
        check = row.check
        if outcome is RowOutcome.ADDED and not enters:
            outcome = RowOutcome.SKIPPED
        elif outcome is RowOutcome.ALREADY_ON_RECORD and enters and number in updates:
            student_id, update = updates[number]
            if isinstance(update, RegistrarError):
                outcome, check = RowOutcome.REFUSED, refused_row(check, update)
            elif update is not None:
                outcome = RowOutcome.UPDATED
                told = updated_row(student_id, update, await update.work(unit))
        rows.append({"batch_id": batch.key, "sheet_row": number, "outcome": outcome.value, **told})
        if report := sealed_report(check):
            rows[-1]["sealed"] = report
    await _seal(unit.store, rows)
    await unit.store.database.mongo[ROWS].insert_many(rows, session=unit.session)  # house-rule: no record
    await _count(unit, batch, Counter(row["outcome"] for row in rows), fails=fails)


async def _seal(store: Store, rows: Sequence[Row]) -> None:
    told = [row for row in rows if "sealed" in row]
    for row, sealed in zip(
        told, await store.cipher.encrypt_many([row["sealed"] for row in told]), strict=True
    ):
        row["sealed"] = sealed


async def _made(
    unit: UnitOfWork, batch: ImportBatch, block: Block, judged: Sequence[JudgedRow]
) -> dict[int, Row]:
    """Enter the new rows; by row of the sheet, the ids of what was made."""
    new = [row.check for row in judged if row.outcome is RowOutcome.ADDED]
    if batch.kind is ImportKind.ADMISSION:
        assert batch.stage is not None  # noqa: S101 - required of such a batch
        assert batch.cohort is not None  # noqa: S101
        source = Source(
            batch.stage, batch.cohort, Channel.ROSTER, batch.label, batch.file_name[:100], batch.key
        )
        keys = await open_cases(unit, [check.values for check in new], source) if new else []
        return {check.sheet_row: {"case_id": key} for check, key in zip(new, keys, strict=True)}
    records = {check.sheet_row: block.records[check.sheet_row] for check in new}
    await register_records(unit, list(records.values()))
    return {
        number: {"student_id": record.student["_id"], "person_id": record.person["_id"]}
        for number, record in records.items()
    }


async def _count(unit: UnitOfWork, batch: ImportBatch, outcomes: Counter[str], *, fails: bool) -> None:
    counters = {
        "added": batch.added + outcomes[RowOutcome.ADDED],
        "updated": batch.updated + outcomes[RowOutcome.UPDATED],
        "already_on_record": batch.already_on_record + outcomes[RowOutcome.ALREADY_ON_RECORD],
        "refused": batch.refused + outcomes[RowOutcome.REFUSED],
        "skipped": batch.skipped + outcomes[RowOutcome.SKIPPED],
    }
    values: dict[str, Any] = counters | {"position": batch.position + 1}
    verb = "enter"
    if fails:
        verb = "fail"
        values |= {"status": BatchStatus.UNDOING, "ends_as": BatchStatus.FAILED}
        values["skipped"] = batch.rows - sum(counters.values()) + counters["skipped"]
    elif batch.position + 1 == batch.blocks:
        verb = "end" if batch.enters else "fail"
        values |= {
            "status": BatchStatus.DONE if batch.enters else BatchStatus.FAILED,
            "ended_at": unit.at,
        }
        unit.notify(Post.DIRECTOR, "roster:imported", subject_of(batch))
    await write(unit, batch, verb, values)
