"""Imports: rows a second from a file's bytes to records, against `insert_many` of the same records, and peak memory.

The import stages, checks, encrypts and audits each row, and commits block by block; the floor inserts the finished,
encrypted records alone, with the same concern, as many in one call.
"""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, cast

import xlsxwriter
from bson import ObjectId
from pymongo.write_concern import WriteConcern

from api.dev.roster import demo_rows
from archive_store.access.viewer import Viewer
from archive_store.archive import open_archive
from archive_store.foundation.collector import settle_collector
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.imports.batch_steps import read_batch
from archive_store.imports.batches import ask_for_run
from archive_store.imports.beginning import BatchTerms, begin
from archive_store.imports.documents import ROWS, BatchStatus
from archive_store.imports.roster_columns import COLUMNS
from archive_store.imports.running import advance
from archive_store.imports.sealed_file import SealedFile
from archive_store.people.sign_in import load_viewer
from archive_store.students.documents import Student
from scripts.bench_log import plain_values

SPEED_BAR = 10.0
SIZES = (600, 50_000)
MEMORY_SIZES = (5_000, 50_000)
MEMORY_BAR_MIB = 64.0
FLOOR = "bench_floor"
_AT_ONCE = 500


def roster_file(path: Path, rows: int, seed: int) -> None:
    """A workbook of invented students, none of them in another one."""
    headers = [column.header for column in COLUMNS]
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, headers)
        for place, row in enumerate(distinct_rows(rows, seed), start=1):
            for column, header in enumerate(headers):
                sheet.write_string(place, column, row.get(header, ""))


def distinct_rows(count: int, seed: int) -> Iterator[dict[str, str]]:
    """Demo rows whose numbers are made distinct, however many they are."""
    pattern = list(demo_rows(200, cohort=2020, seed=seed))
    for number in range(count):
        row = dict(pattern[number % len(pattern)])
        row["身份证件类型"], row["身份证件号"] = "护照", f"B{seed:04d}{number:08d}"
        row["全国学籍号"] = ""
        row["学籍辅号"] = f"{seed:05d}{number:07d}"
        yield row


async def bench_import(settings: Settings, *, rounds: int) -> None:
    """Speed at each size in turns with its floor, then memory, each size in a process of its own."""
    seed = secrets.randbelow(10_000)
    settle_collector()  # as a server does
    async with open_archive(settings) as store:
        viewer = await load_viewer(store, "information")
        assert viewer is not None  # noqa: S101
        with tempfile.TemporaryDirectory() as folder:
            for size in SIZES:
                seed = await _speed(store, viewer, Path(folder), size, seed, rounds if size < 1_000 else 1)
    await _memory(settings, seed)


async def _speed(store: Store, viewer: Viewer, folder: Path, size: int, seed: int, rounds: int) -> int:
    taken: dict[str, list[float]] = {"floor": [], "import": []}
    for _ in range(max(1, rounds)):
        seed += 1
        file = folder / f"{size}.xlsx"
        await asyncio.to_thread(roster_file, file, size, seed)
        content = await asyncio.to_thread(file.read_bytes)
        started = time.perf_counter()
        key = await imported(store, viewer, cast("BinaryIO", io.BytesIO(content)), size)
        taken["import"].append(time.perf_counter() - started)
        taken["floor"].append(await _floor(store, key))
    floor, whole = (statistics.median(taken[name]) for name in ("floor", "import"))
    print(f"import-{size} ratio={whole / floor:.2f} bar={SPEED_BAR:.1f}")
    print(f"#   floor {size / floor:,.0f} rows/s, import {size / whole:,.0f} rows/s ({whole:.2f} s)")
    return seed


async def imported(store: Store, viewer: Viewer, file: BinaryIO, size: int) -> ObjectId:
    """From the file to all committed."""
    batch = await begin(store, viewer, file, file_name="bench.xlsx", terms=BatchTerms())
    await ask_for_run(store, viewer, batch.key)
    await advance(store, batch.key)
    done = await read_batch(store, batch.key)
    assert (done.status, done.added) == (BatchStatus.DONE, size), (done.status, done.added)  # noqa: S101
    return batch.key


async def _floor(store: Store, batch_id: ObjectId) -> float:
    """Seconds that `insert_many` takes for the records that the batch entered."""
    collection = store.database.mongo.get_collection(FLOOR, write_concern=WriteConcern("majority"))
    await collection.drop()
    indexes = await store.database.collection(Student).index_information()
    for name, told in indexes.items():
        if name != "_id_":
            options = {k: told[k] for k in ("unique", "sparse", "partialFilterExpression") if k in told}
            await collection.create_index(told["key"], name=name, **options)
    seconds = 0.0
    pending: list[dict[str, Any]] = []
    entered = store.database.mongo[ROWS].find({"batch_id": batch_id}, {"student_id": 1})
    keys = [row["student_id"] async for row in entered]
    for start in range(0, len(keys), 5_000):
        query = {"_id": {"$in": keys[start : start + 5_000]}}
        pending = await store.database.collection(Student).find(query).to_list()
        started = time.perf_counter()
        for place in range(0, len(pending), _AT_ONCE):
            await collection.insert_many(pending[place : place + _AT_ONCE])
        seconds += time.perf_counter() - started
    await collection.drop()
    return seconds


async def _memory(settings: Settings, seed: int) -> None:
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for size in MEMORY_SIZES:
            seed += 1
            path = Path(folder) / f"{size}.xlsx"
            await asyncio.to_thread(roster_file, path, size, seed)
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_import_apart, args=(plain_values(settings), path, size, theirs))
            process.start()
            peaks.append(await asyncio.to_thread(ours.recv))
            await asyncio.to_thread(process.join)
    growth = peaks[1] - peaks[0]
    print(f"import-memory ratio={growth / MEMORY_BAR_MIB:.2f} bar=1.0")
    told = ", ".join(f"{size} rows {peak:.0f} MiB" for size, peak in zip(MEMORY_SIZES, peaks, strict=True))
    print(f"#   peak {told}: {growth:.0f} MiB more")


def _import_apart(values: dict[str, Any], path: Path, size: int, answer: Connection) -> None:
    async def run() -> None:
        settle_collector()
        async with open_archive(Settings(**values)) as store:
            viewer = await load_viewer(store, "information")
            assert viewer is not None  # noqa: S101
            with SealedFile() as file, path.open("rb") as source:
                while piece := source.read(256 * 1024):
                    file.write(piece)
                await imported(store, viewer, cast("BinaryIO", file), size)

    asyncio.run(run())
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    assert peak is not None  # noqa: S101
    answer.send(int(peak[1]) / 1024)
