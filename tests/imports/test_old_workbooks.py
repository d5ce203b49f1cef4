"""XLS rosters, read in a child process. `tests/samples/roster.xls` has a roster of eight with a title above it:

in sheet rows 5 and 6 cells that hold days and a truth value as a spreadsheet keeps them, in 7 a formula, in 8 an error
value, in 9 an identity number kept as a number, in 10 a text that starts like a formula.
"""

from __future__ import annotations

import ast
import io
import os
import sys
from itertools import islice
from pathlib import Path

import pytest

import archive_store.imports.old_workbooks as old_workbooks
from api.dev.roster import demo_rows
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.old_formulas import _records, formula_cells
from archive_store.imports.roster_files import open_roster, read_roster
from archive_store.imports.rules import check_rows

SAMPLE = (Path(__file__).parent.parent / "samples" / "roster.xls").read_bytes()
_STYLE_OF_A_CELL, _END = 0x00E0, 0x000A
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def refusal(content: bytes) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        read_roster(content, row_limit=5_000)
    return caught.value.code


def test_a_roster_in_xls() -> None:
    rows = read_roster(SAMPLE, row_limit=5_000)
    assert [row.sheet_row for row in rows] == list(range(4, 12))
    told = list(demo_rows(8))
    assert rows[0].cells == {header: text for header, text in told[0].items() if text}
    check = check_rows(rows)
    assert [(bad.sheet_row, [(e.column, e.code) for e in bad.errors]) for bad in check.bad] == [
        (7, [("籍贯", ErrorCode.FORMULA)]),
        (8, [("籍贯", ErrorCode.FORMULA)]),
        (9, [("身份证件号", ErrorCode.INEXACT_NUMBER)]),
        (10, [("籍贯", ErrorCode.FORMULA)]),
    ]
    by_row = {good.sheet_row: good.values for good in check.good}
    for row in (5, 6):
        assert by_row[row]["birth_date"].replace("-", "") == told[row - 4]["出生日期"]
    assert by_row[5]["is_orphan"] is False


def test_where_formulas_are() -> None:
    """Those of the first sheet alone."""
    column = list(demo_rows(1).__next__()).index("籍贯")
    assert formula_cells(SAMPLE) == {6: {column}, 7: {column}}


@pytest.mark.parametrize(
    ("number_format", "is_day"), [(14, True), (31, True), (57, True), (0, False), (2, False)]
)
def test_days_under_formats_that_a_file_does_not_write_out(number_format: int, is_day: bool) -> None:
    content = bytearray(SAMPLE)
    for kind, place, _ in _records(SAMPLE, 512):
        if kind == _STYLE_OF_A_CELL:
            content[place + 2 : place + 4] = number_format.to_bytes(2, "little")
        elif kind == _END:
            break
    shown = {row.sheet_row: row.cells["出生日期"] for row in read_roster(bytes(content), row_limit=100)}
    assert shown[5] == ("2010-09-15" if is_day else "40436")


@pytest.mark.parametrize("size", [0, 8, 100, 511, 512, 600, 4_000, len(SAMPLE) // 2])
def test_what_is_left_of_a_file_is_refused(size: int) -> None:
    assert refusal(COMPOUND + SAMPLE[8 : max(8, size)]) is ErrorCode.UNREADABLE_WORKBOOK


def test_an_office_file_that_is_no_workbook() -> None:
    """As a workbook with a password is: its stream has another name."""
    renamed = SAMPLE.replace("Workbook".encode("utf-16-le"), "Encrypt1".encode("utf-16-le"))
    assert refusal(renamed) is ErrorCode.UNREADABLE_WORKBOOK


def test_a_ring_of_sectors_ends() -> None:
    """Each sector of the table points to itself."""
    start = (int.from_bytes(SAMPLE[76:80], "little") + 1) * 512
    ring = b"".join(number.to_bytes(4, "little") for number in range(128))
    assert refusal(SAMPLE[:start] + ring + SAMPLE[start + 512 :]) is ErrorCode.UNREADABLE_WORKBOOK


def test_a_large_file_is_refused_before_a_child_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_workbooks, "OLD_SIZE_LIMIT", len(SAMPLE) - 1)
    monkeypatch.setattr(old_workbooks, "_command", None)
    assert refusal(SAMPLE) is ErrorCode.TOO_LARGE


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.kill(os.getpid(), 11)",
        "",
        "import sys; sys.stdout.write('x' * 100)",
        "import sys; sys.stdout.buffer.write(b'R' + (2**32 - 1).to_bytes(4, 'big'))",
        "import sys; sys.stdout.buffer.write(b'R' + (7).to_bytes(4, 'big') + b'[[1,2]]')",
        "import sys; sys.stdout.buffer.write((b'R' + (11).to_bytes(4, 'big') + b'[[2,[\"x\"]]]') * 2)",
        "import sys; sys.stdout.buffer.write(b'U' + (0).to_bytes(4, 'big'))",
        "import time; time.sleep(60)",
    ],
    ids=["crash", "silence", "nonsense", "endless", "no-row", "twice-a-row", "refusal", "sleep"],
)
def test_a_child_that_fails_or_lies(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_workbooks, "_command", lambda size: [sys.executable, "-I", "-c", program])
    monkeypatch.setattr(old_workbooks, "_SECONDS", 1.0)
    assert refusal(SAMPLE) is ErrorCode.UNREADABLE_WORKBOOK


_TRIED = """
import json, os, resource
from archive_store.inspection.child import take_limits
take_limits(memory=2**30, seconds=5)
def is_refused(what):
    try:
        what()
    except (OSError, MemoryError):
        return "refused"
    return "done"
told = [is_refused(lambda: open("/etc/hostname")), is_refused(lambda: bytearray(2**31)), str(sorted(os.environ))]
payload = json.dumps([[1, told]]).encode()
os.write(1, b"R" + len(payload).to_bytes(4, "big") + payload)
"""


def test_the_child_has_no_files_no_environment_and_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    program = f"import sys; sys.path.insert(0, {old_workbooks._ROOT!r})\n{_TRIED}"
    monkeypatch.setattr(old_workbooks, "_command", lambda size: [sys.executable, "-I", "-c", program])
    _, told = next(old_workbooks.old_workbook_lines(io.BytesIO(SAMPLE)))
    assert told[:2] == ["refused", "refused"]
    assert not {"HOME", "PATH"} & set(ast.literal_eval(told[2]))


def test_a_reader_that_stops_early_leaves_no_child_and_no_place_taken() -> None:
    for _ in range(5):
        reading = open_roster(io.BytesIO(SAMPLE), row_limit=5_000)
        assert len(list(islice(reading.rows, 2))) == 2
        reading.rows.close()
    children = [path for path in Path("/proc").iterdir() if path.name.isdigit() and _is_ours(int(path.name))]
    assert children == []


def _is_ours(process: int) -> bool:
    try:
        said = Path(f"/proc/{process}/cmdline").read_bytes()
        parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return False
    return b"old_workbook_child" in said and int(parent) == os.getpid()
