"""Exports made to harm who verifies them: each is findings or one clear error, soon and in bounded memory."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from archive_store.foundation.signed_notes import check_origin
from archive_store.verifier import entries, scan, workers
from archive_store.verifier.entries import each_line, read_link
from archive_store.verifier.export_files import ExportFolder
from archive_store.verifier.findings import (
    MOST_FINDINGS,
    ExportReport,
    Flaw,
    MalformedError,
    VerifierError,
)
from archive_store.verifier.notes import VerifierKey
from archive_store.verifier.verification import verify_export
from tests.audit.export_builder import (
    ORIGIN,
    Export,
    history,
    make_entry,
    note,
    signature_line,
    signing_key,
    with_lines,
    write,
)
from tests.audit.vector_files import FIRST, LINES, SOUND

FILES = SOUND.files()
MIB = 1 << 20


def verify(folder: Path, **options: Any) -> ExportReport:
    started = time.monotonic()
    report = verify_export(folder, SOUND.trusted, **options)
    assert time.monotonic() - started < 30
    assert not report.sound
    assert report.findings
    return report


def flaws(report: ExportReport) -> set[Flaw]:
    return {finding.flaw for finding in report.findings}


def signed_size(size: int | str) -> bytes:
    return note(f"{ORIGIN}\n{size}\n{base64.b64encode(bytes(32)).decode()}\n", FIRST)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\0" * 1000,
        bytes(range(256)) * 100,
        b"\xff\xfe" + "{}".encode("utf-16-le"),
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b"\n" * 1_000_000,
        b"{}\n" * 400_000,
        b"null",
        LINES[0] + b"\n" + b"\xc3\x28\n",
    ],
    ids=range(11),
)
def test_entries_of_no_sense(tmp_path: Path, content: bytes) -> None:
    report = verify(write(tmp_path, FILES | {"entries.jsonl": content}))
    assert flaws(report) <= {Flaw.MALFORMED, Flaw.TRUNCATED, Flaw.ADDED, Flaw.MISSING, Flaw.CHANGED}
    assert len(report.findings) < 30


@pytest.mark.parametrize("name", ["checkpoint", "keys/000", "keys/001", "tile/0/000.p/12"])
@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 100, b"\n" * 2000, b"a" * (3 * MIB)], ids=["empty", "bytes", "lines", "long"]
)
def test_other_files_of_no_sense(tmp_path: Path, name: str, content: bytes) -> None:
    report = verify(write(tmp_path, FILES | {name: content}))
    expected = Flaw.CHANGED_TILE if name.startswith("tile") else Flaw.MALFORMED
    assert [(finding.flaw, finding.file) for finding in report.findings] == [(expected, name)]


@pytest.mark.parametrize("name", sorted(FILES))
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    """A link to the very bytes is none of the export's; one to an endless device would not end."""
    folder = write(tmp_path / "export", FILES)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(FILES[name])
    for target in (elsewhere, Path("/dev/zero"), tmp_path / "nowhere", folder / name):
        (folder / name).unlink()
        (folder / name).symlink_to(target)
        assert name in {finding.file for finding in verify(folder).findings}


@pytest.mark.parametrize("name", ["keys", "tile", "tile/0"])
def test_linked_folders_are_not_followed(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "export", FILES)
    (folder / name).rename(tmp_path / "moved")
    (folder / name).symlink_to(tmp_path / "moved")
    verify(folder)
    (folder / name).unlink()
    (folder / name).symlink_to(folder)
    verify(folder)


@pytest.mark.parametrize("name", sorted(FILES))
def test_pipes_and_folders_in_place_of_files(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, FILES)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    verify(folder)
    (folder / name).unlink()
    (folder / name).mkdir()
    verify(folder)


@pytest.mark.parametrize("size", [0, 13, 10**6, 10**9, 10**12, (1 << 63) - 1])
@pytest.mark.parametrize("lines", [0, 12])
def test_absurd_sizes_that_are_signed(tmp_path: Path, size: int, lines: int) -> None:
    report = verify(write(tmp_path, with_lines(FILES, LINES[:lines]) | {"checkpoint": signed_size(size)}))
    assert len(report.findings) < 10
    if size > lines:
        truncated = [finding for finding in report.findings if finding.flaw is Flaw.TRUNCATED]
        assert [(f.last, f.count) for f in truncated] == [(size - 1, size - lines)]


@pytest.mark.parametrize(
    "size", [-1, "1e3", "0x10", "١٢", 1 << 63, 10**30, "9" * 100_000, "", "+12", " 12", "012"]
)
def test_sizes_that_are_none(tmp_path: Path, size: int | str) -> None:
    report = verify(write(tmp_path, FILES | {"checkpoint": signed_size(size)}))
    assert [(finding.flaw, finding.file) for finding in report.findings] == [(Flaw.MALFORMED, "checkpoint")]


def test_an_older_checkpoint_of_absurd_size(tmp_path: Path) -> None:
    report = verify(write(tmp_path, FILES), checkpoints=[("kept", signed_size((1 << 63) - 1))])
    assert [(f.flaw, f.first, f.last) for f in report.findings] == [(Flaw.TRUNCATED, 12, (1 << 63) - 2)]


def test_ten_thousand_signatures(tmp_path: Path) -> None:
    """Of others they are passed over; of the key itself one that is wrong is enough."""
    text = SOUND.text()
    others = "".join(signature_line(text, FIRST, f"witness-{number}.example") for number in range(8_000))
    crowded = note(text, FIRST, others=others)
    assert len(crowded) < MIB
    started = time.monotonic()
    assert verify_export(write(tmp_path, FILES | {"checkpoint": crowded}), SOUND.trusted).sound
    wrong = "".join(signature_line(f"{text}{number}", FIRST) for number in range(8_000))
    verify(write(tmp_path, FILES | {"checkpoint": note(text, FIRST, others=wrong)}))
    verify(write(tmp_path, FILES | {"checkpoint": note(text, FIRST, others=others * 2)}))
    assert time.monotonic() - started < 10


def test_a_thousand_successions(tmp_path: Path) -> None:
    keys = [signing_key(f"key {number}") for number in range(1100)]
    files = Export(LINES, keys=keys).files()
    started = time.monotonic()
    report = verify_export(write(tmp_path, files), Export(LINES, keys=keys).trusted)
    assert time.monotonic() - started < 10
    # More than that are no keys of a log; the newest is not among them.
    assert [(finding.flaw, finding.file) for finding in report.findings] == [
        (Flaw.BAD_SIGNATURE, "checkpoint")
    ]


def test_a_folder_of_very_many_tiles(tmp_path: Path) -> None:
    """Files that no tree has are not looked at; nobody lists them."""
    folder = write(tmp_path, FILES)
    for number in range(1000, 21_000):
        path = folder / f"tile/0/x{number // 1000:03d}/{number % 1000:03d}"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert verify_export(folder, SOUND.trusted).sound
    verify(write(tmp_path, FILES | {"checkpoint": signed_size(10**7)}))


def test_lines_past_any_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An overlong line is a flaw of its own; the entries about it are read."""
    monkeypatch.setattr(entries, "LONGEST_LINE", 1000)
    monkeypatch.setattr(entries, "READ_BYTES", 64)
    for long in (1000, 1001, 1063, 1064, 1065, 5000):
        for at in (0, 5, 12):
            lines = [*LINES[:at], b"x" * long, *LINES[at:]]
            for end in (b"\n", b""):
                content = b"\n".join(lines) + end
                report = verify(write(tmp_path, FILES | {"entries.jsonl": content}))
                added = [finding for finding in report.findings if finding.flaw is Flaw.ADDED]
                assert [finding.line for finding in added] == [at + 1]
                assert report.entries == 13
                with (tmp_path / "entries.jsonl").open("rb") as file:
                    read = list(each_line(file))
                assert [line for line in read if line in LINES] == LINES


def test_pieces_of_any_length_give_the_same_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, FILES) / "entries.jsonl"
    for length in range(1, 1200, 37):
        monkeypatch.setattr(entries, "READ_BYTES", length)
        with file.open("rb") as opened:
            assert list(each_line(opened)) == LINES
        assert verify_export(tmp_path, SOUND.trusted).sound


def test_long_entries_are_sound(tmp_path: Path) -> None:
    """The sealed part of an entry may have up to 16 MiB."""
    line, own = make_entry(("Student", 1), 1, "0" * 64, 0, sealed="ab" * (4 * MIB))
    after, _ = make_entry(("Student", 1), 2, own, 1)
    export = Export([line, after])
    assert verify_export(write(tmp_path, export.files()), export.trusted).sound


@pytest.mark.parametrize(
    "line",
    [
        b'{"actor_id":null,"actor_name":"' + b"\\n" * (10 * MIB),
        b'{"actor_id":null,"actor_name":"' + b"]" * (20 * MIB),
        b'{"actor_id":null,"actor_name":"","actor_posts":[' + b'"",' * (7 * MIB),
        b'{"actor_id":' * (MIB),
        LINES[1][:-2] + b"A" * (20 * MIB),
        b"[" * (20 * MIB),
    ],
    ids=range(6),
)
def test_memory_for_lines_that_swell_in_parsers(tmp_path: Path, line: bytes) -> None:
    """In a process of its own, whose peak is read: ten copies of the line at most."""
    folder = write(tmp_path, with_lines(FILES, [*LINES[:4], line, *LINES[4:]]))
    code = (
        "import re, sys; from pathlib import Path;"
        "from archive_store.verifier.verification import verify_export;"
        "report = verify_export(Path(sys.argv[1]), sys.argv[2]);"
        "print([(f.flaw.value, f.line) for f in report.findings]);"
        "print(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    started = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", code, str(folder), SOUND.trusted], capture_output=True, text=True, check=True
    )
    found, peak = told.stdout.splitlines()
    assert found == "[('added', 5)]"
    assert int(peak) * 1024 < 100 * MIB + 10 * len(line)
    assert time.monotonic() - started < 20


def test_patterns_do_not_go_over_their_input_again_and_again(tmp_path: Path) -> None:
    """Openings of entries without an end, which a search would begin at each anew."""
    started = time.monotonic()
    content = b'{"actor_id":' * 400_000
    lines = b"\n".join(content[at : at + 1200] for at in range(0, len(content), 1200))
    verify(write(tmp_path, FILES | {"entries.jsonl": lines}))
    assert time.monotonic() - started < 10
    assert read_link(content) is None


def test_too_many_lines_of_no_sense_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MOST_MALFORMED", 100)
    report = verify(write(tmp_path, FILES | {"entries.jsonl": b"junk\n" * 5_000_000}))
    assert flaws(report) == {Flaw.MALFORMED}
    assert any("not read" in (finding.detail or "") for finding in report.findings)


def test_more_flaws_than_anybody_reads(tmp_path: Path) -> None:
    lines = history([("Student", number) for number in range(24_000)])
    export = Export(lines)
    broken = [line.replace(b"update", b"upgrad") if at % 2 else line for at, line in enumerate(lines)]
    report = verify_export(write(tmp_path, with_lines(export.files(), broken)), export.trusted)
    assert (len(report.findings), report.untold) == (MOST_FINDINGS, 2_000)
    assert report.findings[0].first == 1
    rewritten = [line.replace(b"update", b"upgrad") for line in lines]
    report = verify_export(write(tmp_path, with_lines(export.files(), rewritten)), export.trusted)
    assert [(f.flaw, f.first, f.last) for f in report.findings] == [(Flaw.CHANGED, 0, 23_999)]


def test_a_type_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    escape = "Student\x9b31m\u202e"
    gap = [make_entry((escape, 1), 1, "0" * 64, 0)[0], make_entry((escape, 1), 3, "1" * 64, 1)[0]]
    export = Export(gap)
    report = verify_export(write(tmp_path, export.files()), export.trusted)
    assert [finding.flaw for finding in report.findings] == [Flaw.BROKEN_CHAIN]
    assert all(char.isprintable() for line in report.lines() for char in line)


@pytest.mark.parametrize("char", ["\x1b", "\x9b", "\u202e", "\x07", "\x00", "\u3000", " "])
def test_an_origin_cannot_write_to_the_terminal(char: str) -> None:
    """An export's own key may be trusted, and its name is printed."""
    public = b"\1" + bytes(32)
    name = f"log{char}31m"
    key_id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4].hex()
    with pytest.raises(MalformedError):
        VerifierKey.parse(f"{name}+{key_id}+{base64.b64encode(public).decode()}")
    with pytest.raises(ValueError, match="an origin has"):
        check_origin(name)


def test_a_folder_that_holds_modules_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes start in the folder where the command was called, maybe the export itself."""
    monkeypatch.setattr(workers, "_LEAST_BYTES", 1)
    folder = write(tmp_path, FILES)
    for name in ("marshal.py", "hashlib.py", "dataclasses.py", "archive_store/__init__.py"):
        write(folder, {name: b"open('run', 'w'); raise SystemExit\n"})
    monkeypatch.chdir(folder)
    assert verify_export(folder, SOUND.trusted, processes=2).sound
    assert not (folder / "run").exists()


def test_a_process_that_dies_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_LEAST_BYTES", 1)

    class Dying(workers.WorkerRange):
        def place(self, *arguments: Any, **named: Any) -> None:
            self._process.kill()
            super().place(*arguments, **named)

    monkeypatch.setattr(workers, "WorkerRange", Dying)
    with pytest.raises(VerifierError, match="ended early"):
        verify_export(write(tmp_path, FILES), SOUND.trusted, processes=2)


def test_what_is_no_folder_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(VerifierError):
        verify_export(tmp_path / "none", SOUND.trusted)
    assert ExportFolder(tmp_path).read("a\0b", 10) is None


def test_an_empty_log_is_sound(tmp_path: Path) -> None:
    export = Export([])
    assert verify_export(write(tmp_path, export.files()), export.trusted).sound
