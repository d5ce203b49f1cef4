"""Offline verification of an audit export against hashing the same bytes; run by `scripts/bench audit-verify`.

The export is made here, once and valid: entries of about 1.2 KB, three in ten of a subject of their own as readings
are, the others of 20,000 records in turn.
"""

from __future__ import annotations

import base64
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = Path(__file__).resolve().parent.parent
ORIGIN = "bench.example/registrar"
RECORDS = 20_000
ROUNDS = 3
BAR = 3.0
_LINE = (
    '{"actor_id":"%024x","actor_name":"王老师","actor_posts":["HOMEROOM_TEACHER"],'
    '"at":"2026-%02d-%02dT%02d:%02d:%02d.%03d+00:00","hash":"%s","kind":"%s","operation":"%s",'
    '"previous_hash":"%s","sealed":"%s","sequence":%d,"subject_id":"%024x","subject_type":"%s"}'
)
_VERIFY = """
import re, resource, sys, time
from pathlib import Path
from archive_store.verifier.verification import verify_export
started = time.perf_counter()
report = verify_export(Path(sys.argv[1]), sys.argv[2], processes=int(sys.argv[3]))
taken = time.perf_counter() - started
assert report.sound, report.lines()
own = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
print(taken, report.entries, report.subjects, own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def make_export(folder: Path, count: int) -> str:
    """Write an export of so many entries; its verifier key."""
    noise = os.urandom(1 << 20).hex()
    ends: dict[int, tuple[int, str]] = {}
    leaves = []
    folder.mkdir()
    with (folder / "entries.jsonl").open("wb", buffering=1 << 20) as file:
        for number in range(count):
            is_reading = number % 10 < 3
            subject = (1 << 40) + number if is_reading else number * 7919 % RECORDS
            sequence, previous = (0, "0" * 64) if is_reading else ends.get(subject, (0, "0" * 64))
            start = number * 1009 % (len(noise) - 2000)
            own = noise[start + 1000 : start + 1052] + f"{number:012x}"
            if not is_reading:
                ends[subject] = (sequence + 1, own)
            minute = number // 60_000
            what = (
                ("access:read", "access.read", "AccessEvent")
                if is_reading
                else ("student:update", "student.update", "Student")
            )
            line = _LINE % (
                number % 97,
                1 + minute // 40_000 % 12,
                1 + minute // 1440 % 28,
                minute // 60 % 24,
                minute % 60,
                number // 1000 % 60,
                number % 1000,
                own,
                what[0],
                what[1],
                previous,
                noise[start : start + 740 + number % 32 // 2 * 2],
                sequence + 1,
                subject,
                what[2],
            )
            leaf = line.encode()
            file.write(leaf + b"\n")
            leaves.append(hashlib.sha256(b"\0" + leaf).digest())
    return _write_tree(folder, leaves)


def _write_tree(folder: Path, leaves: list[bytes]) -> str:
    hashes, level = leaves, 0
    while hashes:
        for start in range(0, len(hashes), 256):
            tile, number = hashes[start : start + 256], start // 256
            name = f"{number:03d}" if number < 1000 else f"x{number // 1000:03d}/{number % 1000:03d}"
            path = folder / f"tile/{level}" / (name if len(tile) == 256 else f"{name}.p/{len(tile)}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(tile))
        whole = range(0, len(hashes) // 256 * 256, 256)
        hashes, level = [_root(hashes[start : start + 256]) for start in whole], level + 1
    key = Ed25519PrivateKey.generate()
    public = b"\1" + key.public_key().public_bytes_raw()
    key_id = hashlib.sha256(f"{ORIGIN}\n".encode() + public).digest()[:4]
    text = f"{ORIGIN}\n{len(leaves)}\n{base64.b64encode(_root(leaves)).decode()}\n"
    signature = base64.b64encode(key_id + key.sign(text.encode())).decode()
    (folder / "checkpoint").write_text(f"{text}\n— {ORIGIN} {signature}\n", encoding="utf-8")
    verifier_key = f"{ORIGIN}+{key_id.hex()}+{base64.b64encode(public).decode()}"
    (folder / "keys").mkdir()
    (folder / "keys" / "000").write_text(f"{verifier_key}\n", encoding="utf-8")
    return verifier_key


def _root(hashes: list[bytes]) -> bytes:
    """RFC 6962 §2.1 by its own words, but without recursion over halves of slices."""
    while len(hashes) > 1:
        pairs = [
            hashlib.sha256(b"\1" + hashes[at] + hashes[at + 1]).digest()
            for at in range(0, len(hashes) - 1, 2)
        ]
        hashes = pairs + hashes[len(pairs) * 2 :]
    return hashes[0] if hashes else hashlib.sha256(b"").digest()


def _streamed(file: Path) -> float:
    started = time.perf_counter()
    with file.open("rb", buffering=0) as opened:
        hashlib.file_digest(opened, "sha256").digest()
    return time.perf_counter() - started


def _by_entry(file: Path) -> float:
    started = time.perf_counter()
    sha256 = hashlib.sha256
    with file.open("rb", buffering=1 << 20) as opened:
        for line in opened:
            sha256(line).digest()
    return time.perf_counter() - started


class _Verification:
    """A verification in a Python of its own; peaks in KiB, of it and of the largest of its workers."""

    def __init__(self, folder: Path, key: str, processes: int) -> None:
        self._words = [str(folder), key, str(processes)]
        self._workers = processes - 1
        self.peak = self.entries = self.subjects = 0

    def __call__(self) -> float:
        told = subprocess.run(
            [sys.executable, "-c", _VERIFY, *self._words],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        )
        taken, entries, subjects, own, of_worker = told.stdout.split()
        self.entries, self.subjects = int(entries), int(subjects)
        self.peak = max(self.peak, int(own) + self._workers * int(of_worker))
        return float(taken)


def verification(entries: int) -> None:
    """Print the ratios of one process and of all, and peak memory."""
    processors = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "export"
        key = make_export(folder, entries)
        file = folder / "entries.jsonl"
        size = file.stat().st_size
        alone, together = (_Verification(folder, key, number) for number in (1, processors))
        calls: dict[str, Callable[[], float]] = {
            "streamed": lambda: _streamed(file),
            "by entry": lambda: _by_entry(file),
            "alone": alone,
            "together": together,
        }
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                taken[name].append(call())
        medians = {name: statistics.median(times) for name, times in taken.items()}
    print(f"audit-verify ratio={medians['together'] / medians['streamed']:.2f} bar={BAR:.1f}")
    print(
        f"# audit-verify: {together.entries} entries, {size / together.entries:.0f} bytes each, of {together.subjects}"
        f" subjects; SHA-256 of the file {medians['streamed']:.2f} s, entry by entry {medians['by entry']:.2f} s"
    )
    for name, one, processes in (("together", together, processors), ("alone", alone, 1)):
        print(
            f"# audit-verify with {processes} process{'es' if processes > 1 else ''}: {medians[name]:.2f} s, "
            f"{medians[name] / medians['streamed']:.2f} times the first, {medians[name] / medians['by entry']:.2f}"
            f" the second; peak memory {one.peak / 1024:.0f} MiB",
            flush=True,
        )
