"""Processes for the ranges of a large export.

They are commands of their own, not forks or spawned copies: safe beside threads, and they load nothing of the program
that verifies.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from archive_store.verifier.entries import line_start
from archive_store.verifier.export_files import ENTRIES, ExportFolder
from archive_store.verifier.findings import VerifierError
from archive_store.verifier.ranges import EntryRange, Folded, Range
from archive_store.verifier.scan import EntryScan

# Less than this is not worth a process of its own, which takes as long to start as `_START_BYTES` to verify.
_LEAST_BYTES = 64 << 20
_START_BYTES = 40 << 20
_PACKAGES = Path(__file__).resolve().parents[2]


class WorkerRange:
    """A range that another process scans."""

    def __init__(self, folder: ExportFolder, start: int, end: int, hash_name: str) -> None:
        # -P: what lies in the folder where the command was called, such as an export, is not to be imported. -S: it
        # needs no other package.
        command = [sys.executable, "-P", "-S", "-m", "archive_store.verifier.worker"]
        self._process = subprocess.Popen(  # noqa: S603
            [*command, str(folder.folder.absolute()), str(start), str(end), hash_name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(_PACKAGES)},
        )

        self._scanned: list[Any] = []

    def _heard(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101
        try:
            return marshal.load(self._process.stdout)  # noqa: S302
        except (EOFError, ValueError, TypeError) as error:
            raise VerifierError(
                "a process that verified a part has ended early", "it may have run out of memory"
            ) from error

    def _tell(self, message: Any) -> None:
        assert self._process.stdin is not None  # noqa: S101
        try:
            marshal.dump(message, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            # What it did not say is missed by `_heard`.
            return

    def count(self) -> int:
        return int(self._heard())

    def place(self, first: int, size: int, wanted: Iterable[int], *, is_last: bool) -> None:
        self._tell((first, size, list(wanted), is_last))

    def folded(self) -> Folded:
        folded, *self._scanned = self._heard()
        return Folded(**folded)

    def scanned(self) -> EntryScan:
        subjects, places, told = self._scanned
        fresh = zip(subjects.split(b"\n"), array("q", places), strict=False)
        return EntryScan(fresh=dict(fresh), **told)

    def leaves(self) -> bytes:
        self._tell(True)
        return bytes(self._heard())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def entry_ranges(folder: ExportFolder, hash_name: str, processes: int | None) -> Iterator[list[EntryRange]]:
    """The entries in contiguous ranges, all but the first in a process of its own.

    `processes` is how many may run, as many as there are processors unless told; small exports need but this one.
    """
    opened = folder.open(ENTRIES)
    if opened is None:
        yield []
        return
    with os.fdopen(opened, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        wanted = _processors() if processes is None else processes
        number = max(1, min(wanted, size // _LEAST_BYTES))
        # This process has no start to wait for, so its part is larger.
        ahead = min(_START_BYTES, size // number // 2) if number > 1 else 0
        offsets = [
            0,
            *(line_start(file, ahead + (size - ahead) * part // number) for part in range(1, number)),
            size,
        ]
    others: list[WorkerRange] = []
    try:
        for start, end in pairwise(offsets[1:]):
            others.append(WorkerRange(folder, start, end, hash_name))
        yield [Range(folder, 0, offsets[1], hash_name), *others]
    finally:
        for each in others:
            each.close()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
