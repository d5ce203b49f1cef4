"""A roster costs no more memory than a few times its size, however it is written; and one is read at a time."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc

import pytest

import archive_store.imports.operations as operations
import archive_store.imports.part_walk as part_walk
from api.dev.roster import demo_workbook
from archive_store.foundation.errors import ErrorCode
from archive_store.imports.cell_texts import CELL_LIMIT
from archive_store.imports.operations import import_roster
from archive_store.imports.part_walk import DEPTH_LIMIT, NAMES_LIMIT
from archive_store.imports.roster_files import BLANK_ROWS_LIMIT, read_roster
from archive_store.imports.rules import RosterCheck, check_rows
from tests.imports.test_roster_files import HEADERS, LIMIT, SHEET, csv_bytes, refused, table, zip_with
from tests.school import School

HEADER = ",".join(HEADERS) + "\n"
SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


@pytest.mark.parametrize(
    ("row", "times", "code"),
    [
        (",", 5_000_000, ErrorCode.TOO_LARGE),
        ("\n", 5_000_000, ErrorCode.TOO_LARGE),
        ('"x\n",', 1_000_000, ErrorCode.TOO_LARGE),
        ("x" * 5_000, 1_000, ErrorCode.TOO_LARGE),
        ("\ufdfa" * 100 + "\n", 10_000, ErrorCode.TOO_LARGE),
    ],
    ids=["commas", "line-breaks", "row-of-many-lines", "one-cell", "expanding"],
)
def test_tables_that_would_grow_are_refused_early(row: str, times: int, code: ErrorCode) -> None:
    content = HEADER.encode() + row.encode() * times
    tracemalloc.start()
    assert refused(content).code is code
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_a_table_may_end_with_many_blank_rows() -> None:
    row = csv_bytes(table(HEADERS, 1), "utf-8")
    blank = b"," * len(HEADERS) + b"\n"
    assert len(read_roster(HEADER.encode() + row + blank * 50_000, row_limit=LIMIT)) == 1
    assert refused(HEADER.encode() + row + blank * (LIMIT + BLANK_ROWS_LIMIT)).code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize("text", ["x" * (CELL_LIMIT + 1), "\ufdfa" * 200], ids=["long", "long-once-plain"])
def test_an_overlong_cell_is_an_error_of_its_row_and_not_kept(text: str) -> None:
    row = dict(zip(HEADERS, table(HEADERS, 1)[0], strict=True)) | {"籍贯": text}
    rows = read_roster(csv_bytes([HEADERS, list(row.values())], "utf-8"), row_limit=LIMIT)
    assert len(rows[0].cells["籍贯"]) < 20
    (bad,) = check_rows(rows).bad
    assert [(error.column, error.code) for error in bad.errors] == [("籍贯", ErrorCode.TOO_LONG)]
    assert "100" in bad.errors[0].message.en


def test_an_overlong_header() -> None:
    content = csv_bytes([[*HEADERS, "x" * (CELL_LIMIT + 1)], table(HEADERS, 1)[0]], "utf-8")
    assert refused(content).code is ErrorCode.TOO_LONG


@pytest.mark.parametrize("name", [SHEET, "xl/sharedStrings.xml", "xl/styles.xml"])
@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("<x/>" * 20_000, ErrorCode.TOO_LARGE),
        ("<x " + " ".join(f'a{n}=""' for n in range(200_000)) + "/>", ErrorCode.TOO_LARGE),
        ("".join(f"<x{n}/>" for n in range(NAMES_LIMIT + 10)), ErrorCode.UNREADABLE_WORKBOOK),
        ("<x>" * DEPTH_LIMIT + "</x>" * DEPTH_LIMIT, ErrorCode.UNREADABLE_WORKBOOK),
    ],
    ids=["elements", "attributes", "names", "depth"],
)
def test_parts_that_would_take_memory_are_refused(
    name: str, inside: str, code: ErrorCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_walk, "ELEMENTS_LIMIT", 20_000)
    assert refused(zip_with(name, f"<a {SPACE}>{inside}</a>".encode())).code is code


def test_a_part_that_is_used_for_two_purposes_is_refused() -> None:
    relations = b"""<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
        <Relationship Id="rId1" Target="sharedStrings.xml"/></Relationships>"""
    assert refused(zip_with("xl/_rels/workbook.xml.rels", relations)).code is ErrorCode.UNREADABLE_WORKBOOK


async def test_one_roster_is_read_at_a_time_and_few_wait(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release, at_once, most = threading.Event(), threading.Event(), 0, 0

    def check(content: bytes, row_limit: int) -> RosterCheck:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        begun.set()
        release.wait(30)
        at_once -= 1
        return RosterCheck()

    async def run() -> ErrorCode | None:
        viewer = await school.viewer("information")
        try:
            await import_roster(school.store, viewer, demo_workbook(1), file_name="a.xlsx", dry_run=True)
        except Exception as error:
            return getattr(error, "code", None)
        return None

    monkeypatch.setattr(operations, "_check", check)
    running = asyncio.create_task(run())
    assert await asyncio.to_thread(begun.wait, 20)
    asked = [asyncio.create_task(run()) for _ in range(9)]
    done: set[asyncio.Task[ErrorCode | None]] = set()
    waiting = set(asked)
    while len(done) < 6:
        more, waiting = await asyncio.wait(waiting, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert more
        done |= more
    assert [task.result() for task in done] == [ErrorCode.TRY_AGAIN] * 6
    # Its thread goes on, so its place is not free.
    running.cancel()
    await asyncio.wait([running])
    assert await run() is ErrorCode.TRY_AGAIN
    # Other work does not wait.
    assert await asyncio.wait_for(school.store.cipher.encrypt("13900000000"), 1)
    release.set()
    await asyncio.wait(waiting)
    assert most == 1
    assert await run() is None
