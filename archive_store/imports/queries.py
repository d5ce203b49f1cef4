"""Reading of batches, their rows, and what a staged one would become."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.paging import Page, check_page_size
from archive_store.foundation.store import Store
from archive_store.imports.batch_steps import wrong_state
from archive_store.imports.documents import (
    BLOCKS,
    ROWS,
    STAGED_STATUSES,
    BatchStatus,
    ImportBatch,
    RowOutcome,
    RowPolicy,
)
from archive_store.imports.majors import with_majors
from archive_store.imports.matching import JudgedRow, judge, student_ids_of
from archive_store.imports.rights import may_begin, visible_batch, visible_batches
from archive_store.imports.row_reports import CellReport, opened_report, sealed_report
from archive_store.imports.rules import RowCheck
from archive_store.imports.shared_numbers import check_numbers_of_file, without_shared
from archive_store.imports.staging import check_block, load_block, mapping_digest, reading, stored_map
from archive_store.students.documents import Student
from archive_store.students.registration import STUDENT_NUMBERS


@dataclass(frozen=True, slots=True)
class RowView:
    """A row, what became of it or would, and what is wrong with it or worth a look."""

    sheet_row: int
    outcome: RowOutcome
    errors: Sequence[CellReport] = ()
    warnings: Sequence[CellReport] = ()
    student_id: ObjectId | None = None
    case_id: ObjectId | None = None
    request_id: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class DryRunCounts:
    """What would become of the rows; `enters` is whether anything would, by the batch's policy."""

    rows: int
    added: int
    already_on_record: int
    refused: int
    warned: int
    enters: bool


@dataclass(frozen=True, slots=True)
class DryRun:
    """`counts` with the first page; `told` are rows with errors or warnings."""

    counts: DryRunCounts | None
    told: Page[RowView]


async def batches_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Sequence[ImportBatch | None]:
    """In the order of the ids; None for one that is not in sight."""
    if (visible := visible_batches(viewer)) is None:
        return [None] * len(ids)
    rows = store.database.collection(ImportBatch).find({"_id": {"$in": list(ids)}, **visible})
    found = {row["_id"]: ImportBatch.model_validate(row) async for row in rows}
    return [found.get(key) for key in ids]


async def list_batches(
    store: Store,
    viewer: Viewer,
    *,
    first: int,
    after: ObjectId | None = None,
    status: BatchStatus | None = None,
) -> Page[ImportBatch]:
    """The batches in sight, newest first."""
    check_page_size(first, store.settings.page_size_limit)
    if (visible := visible_batches(viewer)) is None:
        return Page([], has_next=False)
    query: dict[str, Any] = dict(visible)
    if after is not None:
        query["_id"] = {"$lt": after}
    if status is not None:
        query["status"] = status.value
    found = store.database.collection(ImportBatch).find(query).sort("_id", -1).limit(first + 1)
    rows = [ImportBatch.model_validate(row) for row in await found.to_list()]
    return Page(rows[:first], has_next=len(rows) > first)


async def list_rows(
    store: Store,
    viewer: Viewer,
    batch_id: ObjectId,
    *,
    first: int,
    after: int | None = None,
    outcomes: Collection[RowOutcome] | None = None,
) -> Page[RowView]:
    """The rows of a batch of which something became, in the order of the sheet."""
    check_page_size(first, store.settings.page_size_limit)
    await visible_batch(store, viewer, batch_id)
    query: dict[str, Any] = {"batch_id": batch_id}
    if after is not None:
        query["sheet_row"] = {"$gt": after}
    if outcomes is not None:
        query["outcome"] = {"$in": sorted(outcomes)}
    rows = await store.database.mongo[ROWS].find(query).sort("sheet_row", 1).limit(first + 1).to_list()
    told = [row for row in rows if "sealed" in row]
    await store.cipher.decrypt_paths(told, ("sealed",))
    views = [_row_view(row) for row in rows[:first]]
    return Page(views, has_next=len(rows) > first)


def _row_view(row: dict[str, Any]) -> RowView:
    report = row.get("sealed") or {}
    outcome = RowOutcome(row["outcome"])
    return RowView(
        row["sheet_row"],
        outcome,
        opened_report(report, "errors"),
        opened_report(report, "warnings"),
        row.get("student_id") if outcome in (RowOutcome.ADDED, RowOutcome.UPDATED) else None,
        row.get("case_id") if outcome is RowOutcome.ADDED else None,
        row.get("request_id"),
    )


async def dry_run(
    store: Store, viewer: Viewer, batch_id: ObjectId, *, first: int, after: int | None = None
) -> DryRun:
    """What the rows would become, and a page of those with errors or warnings; nothing is entered.

    Whether a number is on record tells of the number: where the viewer may not read the numbers, the rows are held
    against the school's own alone. Raises WRONG_STATE once the batch was asked for, and REQUIRED without a mapping.
    """
    check_page_size(first, store.settings.page_size_limit)
    batch = await visible_batch(store, viewer, batch_id)
    may_begin(viewer, batch.kind)
    if batch.status not in STAGED_STATUSES:
        raise wrong_state(batch)
    if batch.mapping is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="mapping")
    if batch.checked_with != mapping_digest(batch.mapping):
        await check_numbers_of_file(store, batch)
    numbers = tuple(STUDENT_NUMBERS) if STUDENT_NUMBERS.keys() <= viewer.decide(Student).readable else ()
    counts = dict.fromkeys(RowOutcome, 0)
    warned = 0
    told: list[RowView] = []
    for number in range(batch.blocks):
        if after is not None and (len(told) > first or await _is_before(store, batch, number, after)):
            continue
        judged = await judge(store, None, batch.kind, await _checks(store, batch, number), numbers)
        if numbers:
            await _record(store, viewer, batch, judged, numbers)
        for row in judged:
            counts[row.outcome] += 1
            warned += bool(row.check.warnings)
            is_after = after is None or row.check.sheet_row > after
            if is_after and len(told) <= first and (report := sealed_report(row.check)):
                errors, warnings = (opened_report(report, name) for name in ("errors", "warnings"))
                told.append(RowView(row.check.sheet_row, row.outcome, errors, warnings))
    page = Page(told[:first], has_next=len(told) > first)
    if after is not None:
        return DryRun(None, page)
    added = counts[RowOutcome.ADDED]
    enters = added == batch.rows if batch.policy is RowPolicy.FAIL else added > 0
    known, refused = counts[RowOutcome.ALREADY_ON_RECORD], counts[RowOutcome.REFUSED]
    return DryRun(DryRunCounts(batch.rows, added, known, refused, warned, enters), page)


async def _is_before(store: Store, batch: ImportBatch, number: int, row: int) -> bool:
    query = {"batch_id": batch.key, "number": number, "last": {"$lte": row}}
    return await store.database.mongo[BLOCKS].find_one(query, {"_id": 1}) is not None


async def _checks(store: Store, batch: ImportBatch, number: int) -> list[RowCheck]:
    block = await load_block(store, batch.key, number)
    checks = await reading.run(check_block, stored_map(batch.mapping or []), block)
    return await with_majors(store, batch.kind, without_shared(checks, block))


async def _record(
    store: Store, viewer: Viewer, batch: ImportBatch, judged: Sequence[JudgedRow], numbers: Sequence[str]
) -> None:
    persons = [row.person_id for row in judged if row.person_id is not None]
    looked_for = ReadRows(frozenset(numbers), await student_ids_of(store, persons))
    await record_reading(store, viewer, Student, [looked_for], purpose=f"roster {batch.file_name}")
