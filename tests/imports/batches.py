"""Steps with batches that several tests take."""

from __future__ import annotations

import io
from typing import Any

from archive_store.imports.batch_steps import read_batch
from archive_store.imports.batches import ask_for_run, ask_for_undo
from archive_store.imports.beginning import BatchTerms, begin
from archive_store.imports.documents import ROWS, ImportBatch, ImportKind, RowPolicy
from archive_store.imports.running import advance
from tests.imports.test_roster_files import HEADERS, csv_bytes
from tests.school import School


def roster(rows: list[dict[str, str]]) -> bytes:
    return csv_bytes([HEADERS, *[[row.get(header, "") for header in HEADERS] for row in rows]], "utf-8")


async def begun(
    school: School,
    content: bytes,
    *,
    subject: str = "information",
    policy: RowPolicy = RowPolicy.SKIP,
    kind: ImportKind = ImportKind.REGISTER,
    **terms: Any,
) -> ImportBatch:
    viewer = await school.viewer(subject)
    told = BatchTerms(kind, policy, **terms)
    return await begin(school.store, viewer, io.BytesIO(content), file_name="花名册.csv", terms=told)


async def run(school: School, batch: ImportBatch, *, subject: str = "information") -> ImportBatch:
    assert await ask_for_run(school.store, await school.viewer(subject), batch.key) is None
    assert await advance(school.store, batch.key)
    return await read_batch(school.store, batch.key)


async def undo(school: School, batch: ImportBatch, *, approver: str = "director") -> ImportBatch:
    viewer = await school.viewer("information")
    request_id = await ask_for_undo(school.store, viewer, batch.key, "文件有误")
    assert request_id is not None
    await school.approve(approver, request_id)
    assert await advance(school.store, batch.key)
    return await read_batch(school.store, batch.key)


async def outcomes(school: School, batch: ImportBatch) -> list[tuple[int, str]]:
    rows = school.store.database.mongo[ROWS].find({"batch_id": batch.key}).sort("sheet_row", 1)
    return [(row["sheet_row"], row["outcome"]) async for row in rows]
