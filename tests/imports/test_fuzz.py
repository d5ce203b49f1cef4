"""Broken workbooks and tables: whatever is in a file, reading it ends soon, with rows or with an error that tells why.

`REGISTRAR_FUZZ_FILES` says how many files are tried, `REGISTRAR_FUZZ_SEED` which ones.
"""

from __future__ import annotations

import io
import os
import time
import tracemalloc
from collections import Counter

import pytest

import archive_store.imports.sheet_lines as sheet_lines_module
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.roster_files import RosterRow, open_roster, open_sheet
from archive_store.imports.rules import RowCheck, check_row, check_rows
from archive_store.imports.workbook_parts import SharedTexts
from tests.imports.broken_files import BrokenFile, broken_files

FILES = int(os.environ.get("REGISTRAR_FUZZ_FILES", "120"))
SEED = int(os.environ.get("REGISTRAR_FUZZ_SEED", "7"))
LIMIT = 200
BLOCK = 40
SECONDS = 30
MEMORY = 64 * 1024 * 1024
OF_A_FILE = {
    *(ErrorCode.EMPTY_FILE, ErrorCode.UNREADABLE_WORKBOOK, ErrorCode.TOO_LARGE, ErrorCode.HEADER_NOT_FOUND),
    *(ErrorCode.UNKNOWN_COLUMN, ErrorCode.DUPLICATE_COLUMN, ErrorCode.FORMULA, ErrorCode.TOO_LONG),
    ErrorCode.INVALID_ARGUMENT,
}


def blocks() -> list[range]:
    return [range(start, min(start + BLOCK, FILES)) for start in range(0, FILES, BLOCK)]


def outcome(content: bytes) -> list[RosterRow] | ErrorCode:
    try:
        return list(open_roster(io.BytesIO(content), row_limit=LIMIT).rows)
    except RegistrarError as error:
        assert error.message.zh and error.message.en
        assert error.code in OF_A_FILE
        return error.code


def slow_outcome(content: bytes) -> list[RosterRow] | ErrorCode:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet_lines_module, "quick_row", lambda *_: None)
        patch.setattr(SharedTexts, "_take", lambda self, data, place: place)
        return outcome(content)


def is_told(row: RowCheck) -> bool:
    """Every row has values or says in both languages what is wrong."""
    return bool(row.values) != bool(row.errors) and all(e.message.zh and e.message.en for e in row.errors)


def check_file(file: BrokenFile) -> str:
    found = outcome(file.content)
    if file.content.startswith(b"PK"):
        assert found == slow_outcome(file.content), file.name
    try:
        sheet = open_sheet(io.BytesIO(file.content), row_limit=LIMIT)
        assert all(len(row.texts) <= len(sheet.headers) for row in sheet.rows), file.name
    except RegistrarError as error:
        assert error.code in OF_A_FILE, file.name
    if isinstance(found, ErrorCode):
        return found.value
    numbers = [row.sheet_row for row in found]
    assert numbers == sorted(set(numbers)) and len(numbers) <= LIMIT, file.name
    assert all(is_told(check_row(row)) for row in found), file.name
    assert check_rows(found).rows == len(found), file.name
    return "rows"


@pytest.mark.parametrize("numbers", blocks(), ids=str)
def test_broken_files_end_soon_with_rows_or_a_clear_error(numbers: range) -> None:
    tracemalloc.start()
    for file in broken_files(SEED, len(numbers), first=numbers.start):
        tracemalloc.clear_traces()
        started = time.monotonic()
        check_file(file)
        assert time.monotonic() - started < SECONDS, file.name
        assert tracemalloc.get_traced_memory()[1] < MEMORY + 2 * len(file.content), file.name
    tracemalloc.stop()


def test_the_same_seed_gives_the_same_files_and_many_ends() -> None:
    """If nearly all ended alike, the files would try nothing."""
    files = list(broken_files(3, 40))
    assert files == list(broken_files(3, 40))
    assert files != list(broken_files(4, 40))
    ends = Counter(check_file(file) for file in files)
    assert len(ends) >= 4
    assert ends["rows"] >= 3
