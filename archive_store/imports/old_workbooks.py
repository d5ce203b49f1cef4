"""The lines of an XLS sheet, from a child process that reads it (`old_workbook_child.py`).

The child lays out the whole sheet, in memory that is limited and not ours; what it says is believed within bounds only.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.texts import size_text
from archive_store.imports.old_workbook_child import END, FRAME, FRAME_LIMIT, ROWS
from archive_store.imports.part_walk import PIECE, too_large, unreadable
from archive_store.imports.sheet_cells import COLUMN_LIMIT

# A sheet has 65,536 rows at most; those of 42 columns take some 30 MiB.
OLD_SIZE_LIMIT = 48 * 1024 * 1024
# Without a word from the child, which has its own limit of what it computes.
_SECONDS = 120.0
_AT_ONCE = 2
_WAIT_SECONDS = 60.0
_places = threading.BoundedSemaphore(_AT_ONCE)
_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from archive_store.imports.old_workbook_child import main; main()"
)


def old_workbook_lines(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """As `sheet_lines`. Raises UNREADABLE_WORKBOOK, TOO_LARGE, and TRY_AGAIN while others are read for a minute."""
    size = file.seek(0, os.SEEK_END)
    if size > OLD_SIZE_LIMIT:
        raise too_large(size_text(OLD_SIZE_LIMIT))
    if not _places.acquire(timeout=_WAIT_SECONDS):
        raise RegistrarError(ErrorCode.TRY_AGAIN)
    try:
        yield from _child_lines(file, size)
    finally:
        _places.release()


def _command(size: int) -> list[str]:
    return [sys.executable, "-I", "-c", _PROGRAM, _ROOT, str(size), str(COLUMN_LIMIT)]


def _child_lines(file: BinaryIO, size: int) -> Iterator[tuple[int, list[str]]]:
    child = subprocess.Popen(  # noqa: S603 - a command of our own
        _command(size),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={},  # ours has the passwords of the stores
        start_new_session=True,
    )
    assert child.stdin is not None and child.stdout is not None  # noqa: S101 - both are pipes
    try:
        file.seek(0)
        with contextlib.suppress(BrokenPipeError), child.stdin:
            while piece := file.read(PIECE):
                child.stdin.write(piece)
        last = 0
        while (frame := _frame(child.stdout.fileno())) is not None:
            for number, texts in _rows(frame):
                if number <= last:
                    raise unreadable()
                last = number
                yield number, texts
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.stdout.close()
        child.wait()


def _frame(pipe: int) -> bytes | None:
    """The payload of a frame of rows, or None at the end; UNREADABLE_WORKBOOK for any other."""
    kind, length = FRAME.unpack(_exactly(pipe, FRAME.size))
    if kind == END:
        return None
    if kind != ROWS or length > FRAME_LIMIT:
        raise unreadable()
    return _exactly(pipe, length)


def _exactly(pipe: int, size: int) -> bytes:
    held = bytearray()
    while len(held) < size:
        ready, _, _ = select.select([pipe], [], [], _SECONDS)
        piece = os.read(pipe, min(PIECE, size - len(held))) if ready else b""
        if not piece:
            raise unreadable()
        held += piece
    return bytes(held)


def _rows(frame: bytes) -> Iterator[tuple[int, list[str]]]:
    rows = json.loads(frame)
    if not isinstance(rows, list):
        raise unreadable()
    for row in rows:
        match row:
            case [int(number), list(texts)] if all(isinstance(text, str) for text in texts):
                yield number, texts
            case _:
                raise unreadable()
