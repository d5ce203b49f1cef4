"""Whatever is done to an export is found, and the entry it was done to is named, and no other."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from archive_store.verifier import entries, scan, workers
from archive_store.verifier.entries import line_start
from archive_store.verifier.export_files import ExportFolder
from archive_store.verifier.findings import ExportReport, Finding, Flaw
from archive_store.verifier.verification import verify_export
from tests.audit.export_builder import (
    Export,
    history,
    make_entry,
    note,
    signature_line,
    signing_key,
    subject_name,
    tile_files,
    tree,
    with_lines,
    write,
)
from tests.audit.vector_files import LIN, LINES, ROTATED, SOUND, WEI, ZOE

EXAMPLES = int(os.environ.get("REGISTRAR_TAMPER_EXAMPLES", "150"))
Files = dict[str, bytes]
SOUND_FILES = SOUND.files()
# As nearly all entries are, which the verifier reads in a faster way than those of the vectors.
MANY = Export(history([("Student", number * number % 23) for number in range(700)], actor_name="王老师"))
MANY_FILES = MANY.files()
NAMES = [
    (subject_name((entry["subject_type"], int(entry["subject_id"], 16) - 0xA0)), entry["sequence"])
    for entry in map(json.loads, LINES)
]


class Desk:
    """A folder where files of an export are laid out, and only those that differ are written again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._there: Files = {}

    def verify(self, files: Files, **options: Any) -> ExportReport:
        for name in self._there.keys() - files.keys():
            (self._folder / name).unlink()
        write(
            self._folder,
            {name: content for name, content in files.items() if self._there.get(name) != content},
        )
        self._there = dict(files)
        return verify_export(self._folder, options.pop("trusted", SOUND.trusted), **options)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def large_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("large"))


def flipped(content: bytes, at: int, bit: int) -> bytes:
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]


def told(report: ExportReport) -> list[tuple[Flaw, int | None, int | None]]:
    return [(finding.flaw, finding.first, finding.last) for finding in report.findings]


def require_name(finding: Finding, index: int) -> None:
    """Its name is the entry's, or it has none, or says that it is only what the line now reads."""
    if finding.subject is not None and finding.detail is None:
        assert (finding.subject, finding.sequence) == NAMES[index]


def test_untouched_exports_are_sound(desk: Desk, large_desk: Desk) -> None:
    assert desk.verify(SOUND_FILES).sound
    report = large_desk.verify(MANY_FILES)
    assert report.sound
    assert (report.entries, report.subjects, report.size) == (700, len({n * n % 23 for n in range(700)}), 700)


@pytest.mark.parametrize("index", [0, 4, 11])
def test_every_byte_of_an_entry(desk: Desk, index: int) -> None:
    """Keys, values, punctuation: each byte of the line, by the lowest bit and by that of letter case."""
    is_last_of_subject = NAMES[index] not in [(subject, sequence - 1) for subject, sequence in NAMES]
    for at in range(len(LINES[index])):
        for bit in (0, 5):
            changed = flipped(LINES[index], at, bit)
            if b"\n" in changed:
                continue
            report = desk.verify(with_lines(SOUND_FILES, [*LINES[:index], changed, *LINES[index + 1 :]]))
            assert not report.sound
            (finding,) = report.findings
            assert finding.flaw in (Flaw.CHANGED, Flaw.MALFORMED)
            assert (finding.first, finding.last, finding.count) == (index, index, None)
            require_name(finding, index)
            if not is_last_of_subject:
                assert (finding.subject, finding.sequence) == NAMES[index]


@pytest.mark.parametrize("member", sorted(json.loads(LINES[4])))
def test_every_member_left_out_or_twice(desk: Desk, member: str) -> None:
    """Also where the line stays JSON: a member less, a member twice, another order, white space."""
    entry = json.loads(LINES[4])
    value = json.dumps(entry[member], ensure_ascii=False)
    rest = {name: entry[name] for name in entry if name != member}
    dump = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    forms = [
        dump(rest),
        dump(entry)[:-1] + f',"{member}":{value}}}',
        dump({member: entry[member], **{name: rest[name] for name in reversed(rest)}}),
        dump(entry).replace(f'"{member}":', f'"{member}": '),
        dump(entry | {member: None}),
        dump(entry | {member: {}}),
        dump(entry | {member: ["\u00e9" * 4]}),
    ]
    for form in forms:
        line = form.encode()
        if line == LINES[4]:
            continue
        report = desk.verify(with_lines(SOUND_FILES, [*LINES[:4], line, *LINES[5:]]))
        assert [(f.first, f.subject, f.sequence) for f in report.findings] == [(4, *NAMES[4])]
        assert not report.sound


def test_other_encodings_of_the_same_entry(desk: Desk) -> None:
    """The same values to any JSON parser, and other bytes."""
    for before, after in [(b'":"', b'": "'), (b"s", b"\\u0073"), ("赵".encode(), b"\\u8d75"), (b"}", b"}\r")]:
        lines = [line.replace(before, after, 1) if index == 4 else line for index, line in enumerate(LINES)]
        if lines != LINES:
            report = desk.verify(with_lines(SOUND_FILES, lines))
            assert [(f.flaw, f.first) for f in report.findings] == [(Flaw.MALFORMED, 4)]


def test_every_line_break(desk: Desk) -> None:
    content = SOUND_FILES["entries.jsonl"]
    breaks = [at for at, byte in enumerate(content) if byte == ord("\n")]
    for index, at in enumerate(breaks):
        for changed in (
            flipped(content, at, 0),
            content[:at] + content[at + 1 :],
            content[:at] + b"\n" + content[at:],
        ):
            report = desk.verify(SOUND_FILES | {"entries.jsonl": changed})
            assert not report.sound
            assert report.findings
            for finding in report.findings:
                if finding.first is not None and finding.last is not None:
                    assert index <= finding.first <= finding.last <= index + 1
                else:
                    assert finding.line in (index + 1, index + 2)


def test_every_byte_of_the_checkpoint(desk: Desk) -> None:
    """Origin, size, root, and each part of the signature: name, key id, value, padding."""
    content = SOUND_FILES["checkpoint"]
    for at in range(len(content)):
        for bit in range(8):
            report = desk.verify(SOUND_FILES | {"checkpoint": flipped(content, at, bit)})
            assert not report.sound
            assert {finding.flaw for finding in report.findings} <= {Flaw.BAD_SIGNATURE, Flaw.MALFORMED}
            assert {finding.file for finding in report.findings} == {"checkpoint"}


def test_every_byte_of_an_extension_line(desk: Desk) -> None:
    export = Export(LINES, hash_name="sm3")
    files = export.files()
    assert desk.verify(files).sound
    content = files["checkpoint"]
    start = content.index(b"hash SM3")
    for at in range(start, start + len(b"hash SM3\n")):
        report = desk.verify(files | {"checkpoint": flipped(content, at, 0)})
        assert {finding.file for finding in report.findings} == {"checkpoint"}
    left_out = desk.verify(files | {"checkpoint": content.replace(b"hash SM3\n", b"")})
    assert told(left_out)[0][0] == Flaw.BAD_SIGNATURE
    other = note(export.text().replace("SM3", "MD5"), export.keys[0])
    assert [finding.flaw for finding in desk.verify(files | {"checkpoint": other}).findings] == [
        Flaw.MALFORMED
    ]


@pytest.mark.parametrize("name", ["keys/000", "keys/001"])
def test_every_byte_of_the_key_files(desk: Desk, name: str) -> None:
    files = ROTATED.files()
    assert desk.verify(files).sound
    for at in range(len(files[name])):
        for bit in range(8):
            report = desk.verify(files | {name: flipped(files[name], at, bit)})
            assert not report.sound
            assert report.findings
            assert {finding.file for finding in report.findings} <= {name, "checkpoint"}


@pytest.mark.parametrize("name", [name for name in MANY_FILES if name.startswith("tile/")])
def test_tiles_of_each_level(large_desk: Desk, name: str) -> None:
    content = MANY_FILES[name]
    for at in {0, 31, 32, len(content) // 2, len(content) - 1}:
        report = large_desk.verify(MANY_FILES | {name: flipped(content, at, 3)})
        assert [(finding.flaw, finding.file) for finding in report.findings] == [(Flaw.CHANGED_TILE, name)]
    for cut in (content[:-1], content + b"\0", b""):
        report = large_desk.verify(MANY_FILES | {name: cut})
        assert [(finding.flaw, finding.file) for finding in report.findings] == [(Flaw.CHANGED_TILE, name)]
    report = large_desk.verify({file: held for file, held in MANY_FILES.items() if file != name})
    assert [(finding.flaw, finding.file) for finding in report.findings] == [(Flaw.CHANGED_TILE, name)]


def test_every_byte_of_a_small_tile(desk: Desk) -> None:
    name = "tile/0/000.p/12"
    for at in range(len(SOUND_FILES[name])):
        report = desk.verify(SOUND_FILES | {name: flipped(SOUND_FILES[name], at, at % 8)})
        assert [(finding.flaw, finding.file) for finding in report.findings] == [(Flaw.CHANGED_TILE, name)]


@pytest.mark.parametrize("name", sorted(ROTATED.files()))
def test_a_file_that_is_not_there(desk: Desk, name: str) -> None:
    files = ROTATED.files()
    report = desk.verify({file: content for file, content in files.items() if file != name})
    assert not report.sound
    assert report.findings


def test_every_entry_left_out(desk: Desk) -> None:
    for index in range(len(LINES)):
        report = desk.verify(with_lines(SOUND_FILES, [*LINES[:index], *LINES[index + 1 :]]))
        flaw = Flaw.TRUNCATED if index == len(LINES) - 1 else Flaw.MISSING
        assert told(report) == [(flaw, index, index)]
        require_name(report.findings[0], index)


def test_every_two_entries_exchanged(desk: Desk) -> None:
    for left in range(len(LINES)):
        for right in range(left + 1, len(LINES)):
            lines = list(LINES)
            lines[left], lines[right] = lines[right], lines[left]
            report = desk.verify(with_lines(SOUND_FILES, lines))
            assert [(f.flaw, f.first, f.line) for f in report.findings] == [
                (Flaw.REORDERED, left, right + 1),
                (Flaw.REORDERED, right, left + 1),
            ]
            assert [(f.subject, f.sequence) for f in report.findings] == [NAMES[left], NAMES[right]]


def test_every_entry_twice(desk: Desk) -> None:
    for index, line in enumerate(LINES):
        for at in range(len(LINES) + 1):
            report = desk.verify(with_lines(SOUND_FILES, [*LINES[:at], line, *LINES[at:]]))
            (finding,) = report.findings
            assert (finding.flaw, finding.subject, finding.sequence) == (Flaw.ADDED, *NAMES[index])
            # Beside itself, which of both was added cannot be told.
            assert finding.line == at + 1 or (at in (index, index + 1) and finding.line in (at, at + 2))


def test_forged_entries_put_in(desk: Desk) -> None:
    """With a seal as only the writer's key makes it, and a sequence that fits: it was never logged."""
    last = json.loads(LINES[10])["hash"]
    forged, _ = make_entry(LIN, 5, last, 50, actor_name="Mallory")
    for at in range(11, len(LINES) + 1):
        report = desk.verify(with_lines(SOUND_FILES, [*LINES[:at], forged, *LINES[at:]]))
        (finding,) = report.findings
        assert (finding.flaw, finding.line, finding.subject) == (Flaw.ADDED, at + 1, subject_name(LIN))


def test_ends_cut_off(desk: Desk) -> None:
    for size in range(len(LINES)):
        report = desk.verify(with_lines(SOUND_FILES, LINES[:size]))
        assert told(report) == [(Flaw.TRUNCATED, size, len(LINES) - 1)]


def test_an_end_cut_off_with_its_checkpoint(desk: Desk) -> None:
    """Set back to an older copy whole, it shows only against a checkpoint from elsewhere."""
    cut = SOUND.cut(7).files()
    assert desk.verify(cut).sound
    report = desk.verify(cut, checkpoints=[("kept", SOUND.checkpoint())])
    assert told(report) == [(Flaw.TRUNCATED, 7, 11)]


def test_history_written_anew_by_who_has_the_key(desk: Desk) -> None:
    rewritten = Export([*LINES[:6], *history([WEI, LIN, WEI, ZOE, LIN, WEI, LIN])[6:], *LINES[7:]])
    files = rewritten.files()
    kept = [(f"kept-{size}", SOUND.checkpoint(size)) for size in (2, 6, 7, 12)]
    report = desk.verify(files, checkpoints=kept)
    forks = [finding for finding in report.findings if finding.flaw is Flaw.FORKED]
    assert [(f.file, f.first, f.last) for f in forks] == [("kept-7", 6, 6), ("kept-12", 6, 11)]
    assert "between size 6 and size 7" in (forks[0].detail or "")
    assert [each.agrees for each in report.checkpoints] == [True, True, False, False]


def test_a_changed_entry_is_no_fork(desk: Desk) -> None:
    """An older checkpoint is held against the signed tree, not against lines that were changed since."""
    lines = [*LINES[:2], LINES[2].replace(b"update", b"upgrad"), *LINES[3:]]
    report = desk.verify(with_lines(SOUND_FILES, lines), checkpoints=[("kept", SOUND.checkpoint(6))])
    assert told(report) == [(Flaw.CHANGED, 2, 2)]
    assert [each.agrees for each in report.checkpoints] == [True]


def test_older_checkpoints_of_others(desk: Desk) -> None:
    foreign = note(SOUND.text(5), signing_key("somebody"))
    elsewhere = note(SOUND.text(5).replace("school.example", "other.example"), SOUND.keys[0])
    kept = [("foreign", foreign), ("elsewhere", elsewhere), ("junk", b"\xff\0"), ("empty", b"")]
    report = desk.verify(SOUND_FILES, checkpoints=kept)
    assert [(finding.flaw, finding.file) for finding in report.findings] == [
        (Flaw.BAD_SIGNATURE, "foreign"),
        (Flaw.BAD_SIGNATURE, "elsewhere"),
        (Flaw.MALFORMED, "junk"),
        (Flaw.MALFORMED, "empty"),
    ]


# Entries and tiles at once.


def changed_line(lines: list[bytes], index: int) -> list[bytes]:
    return [*lines[:index], lines[index].replace(b"student:update", b"student:upgrad"), *lines[index + 1 :]]


def test_a_bad_tile_elsewhere_hides_nothing(large_desk: Desk) -> None:
    lines = changed_line(list(MANY.lines), 300)
    files = with_lines(MANY_FILES, lines)
    files["tile/0/000"] = flipped(files["tile/0/000"], 5, 1)
    files["tile/1/000.p/2"] = flipped(files["tile/1/000.p/2"], 40, 1)
    report = large_desk.verify(files)
    assert told(report) == [
        (Flaw.CHANGED, 300, 300),
        (Flaw.CHANGED_TILE, None, None),
        (Flaw.CHANGED_TILE, None, None),
    ]
    assert {finding.file for finding in report.findings[1:]} == {"tile/0/000", "tile/1/000.p/2"}


def test_a_tile_that_is_bad_with_its_entry_leaves_its_range(large_desk: Desk) -> None:
    """The tile's hash above it is sound: somewhere in its 256 entries, and in no other."""
    files = with_lines(MANY_FILES, changed_line(list(MANY.lines), 300))
    files["tile/0/001"] = tile_files(tree(changed_line(list(MANY.lines), 300)))["tile/0/001"]
    report = large_desk.verify(files)
    (entries, tile) = report.findings
    assert (entries.flaw, entries.first, entries.last, entries.count) == (Flaw.CHANGED, 256, 511, 0)
    assert (tile.flaw, tile.file) == (Flaw.CHANGED_TILE, "tile/0/001")


def test_tiles_forged_for_forged_entries(large_desk: Desk) -> None:
    """All of the tree is remade but what is signed: it is not sound, and no entry is blamed that cannot be told."""
    lines = changed_line(list(MANY.lines), 300)
    files = with_lines(MANY_FILES, lines) | tile_files(tree(lines))
    report = large_desk.verify(files, checkpoints=[("kept", MANY.checkpoint(290))])
    assert not report.sound
    (entries, tile) = report.findings
    assert (entries.flaw, entries.first, entries.last, entries.count) == (Flaw.CHANGED, 290, 699, 0)
    assert (tile.flaw, tile.file) == (Flaw.CHANGED_TILE, "tile")
    without = {name: content for name, content in files.items() if not name.startswith("tile/")}
    assert not large_desk.verify(without).sound


def test_chains_tell_where_tiles_do_not(large_desk: Desk) -> None:
    lines = [*MANY.lines[:300], *MANY.lines[301:]]
    files = {name: content for name, content in MANY_FILES.items() if not name.startswith("tile/")}
    report = large_desk.verify(with_lines(files, lines))
    flaws = {finding.flaw for finding in report.findings}
    assert flaws == {Flaw.BROKEN_CHAIN, Flaw.TRUNCATED, Flaw.CHANGED_TILE}
    (broken,) = [finding for finding in report.findings if finding.flaw is Flaw.BROKEN_CHAIN]
    gone = json.loads(MANY.lines[300])
    assert broken.subject == f"{gone['subject_type']}:{gone['subject_id']}"
    assert broken.sequence == gone["sequence"] + 1
    assert broken.line is not None
    assert broken.line > 300


def test_an_unsigned_root_blames_no_entry(desk: Desk) -> None:
    bad = flipped(SOUND_FILES["checkpoint"], len(SOUND_FILES["checkpoint"]) - 20, 0)
    files = with_lines(SOUND_FILES, LINES[:4] + LINES[5:]) | {"checkpoint": bad}
    report = desk.verify(files, checkpoints=[("kept", SOUND.checkpoint(3))])
    assert {finding.flaw for finding in report.findings} == {Flaw.BAD_SIGNATURE, Flaw.BROKEN_CHAIN}
    report = desk.verify(files, checkpoints=[("kept", SOUND.checkpoint(3)), ("later", SOUND.checkpoint(8))])
    (changed,) = [finding for finding in report.findings if finding.flaw is Flaw.CHANGED]
    assert (changed.first, changed.last, changed.count) == (3, 7, 0)


# Many changes at once: what is said of them is true.


def edits(some: random.Random, lines: list[bytes]) -> list[bytes]:
    for _ in range(some.randrange(1, 6)):
        at, other = some.randrange(len(lines)), some.randrange(len(lines))
        kind = some.randrange(6)
        if kind == 0:
            del lines[at : at + some.choice([1, 1, 2, 40])]
        elif kind == 1:
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 2:
            lines.insert(other, lines[at])
        elif kind == 3:
            lines[at] = lines[at].replace(b"update", b"upgrad")
        elif kind == 4:
            lines.insert(at, b"x" * some.randrange(600))
        else:
            del lines[len(lines) - some.randrange(1, 60) :]
        if len(lines) < 100:
            break
    return lines


def require_truth(finding: Finding, lines: list[bytes]) -> None:
    """Each thing that a finding says, held against what was done."""
    logged = {line: index for index, line in enumerate(MANY.lines)}
    places = range(finding.first or 0, -1 if finding.last is None else finding.last + 1)
    there = [index for index in places if MANY.lines[index] in lines]
    at = [] if finding.line is None else lines[finding.line - 1 : finding.last_line or finding.line]
    if finding.flaw in (Flaw.CHANGED, Flaw.MALFORMED, Flaw.MISSING, Flaw.TRUNCATED):
        if finding.count is None:
            assert not there
        elif finding.count:
            assert len(places) - len(there) >= finding.count
    elif finding.flaw is Flaw.REORDERED:
        assert len(there) == len(places)
        assert len(places) > 1 or not at or at == [MANY.lines[places[0]]]
    else:
        assert finding.flaw is Flaw.ADDED
        assert all(line not in logged or lines.count(line) > 1 for line in at) or finding.count is not None
    if finding.subject is not None and finding.detail is None:
        line = MANY.lines[places[0]] if len(places) == 1 else at[0]
        entry = json.loads(line)
        assert finding.subject == f"{entry['subject_type']}:{entry['subject_id']}"
        assert finding.sequence == entry["sequence"]


@pytest.mark.parametrize("seed", range(max(40, EXAMPLES // 5)))
def test_nothing_untrue_is_said_of_many_changes(large_desk: Desk, seed: int) -> None:
    lines = edits(random.Random(seed), list(MANY.lines))
    assume_changed = lines != list(MANY.lines)
    report = large_desk.verify(with_lines(MANY_FILES, lines))
    assert report.sound is not assume_changed
    assert bool(report.findings) is assume_changed
    for finding in report.findings:
        require_truth(finding, lines)


# Any one change of bytes.


COSIGNED = ROTATED.files() | {
    "checkpoint": note(
        ROTATED.text(),
        ROTATED.keys[-1],
        others=signature_line(ROTATED.text(), signing_key("witness"), "witness.example"),
    )
}


def meaningless(name: str) -> range:
    """The bytes that mean nothing, and may be changed: the signature of somebody whose key is not known."""
    if name != "checkpoint":
        return range(0)
    start = COSIGNED[name].index("— witness.example".encode())
    return range(start, COSIGNED[name].index(b"\n", start) + 1)


def mutations() -> st.SearchStrategy[tuple[str, int, Callable[[bytes], bytes]]]:
    """A file, the place of the change, and the change."""

    @st.composite
    def draw_one(draw: st.DrawFn) -> tuple[str, int, Callable[[bytes], bytes]]:
        name = draw(st.sampled_from(sorted(COSIGNED)))
        at = draw(st.integers(0, len(COSIGNED[name]) - 1))
        put = draw(st.binary(max_size=4) | st.sampled_from([b"\n", b"\n\n", b" ", b"\r\n", b"=", b"0", b'"']))
        taken = draw(st.integers(0, 4) | st.just(len(COSIGNED[name])))
        return name, at, lambda content: content[:at] + put + content[at + taken :]

    return draw_one()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutation=mutations())
def test_any_change_of_bytes_is_found(
    desk: Desk, mutation: tuple[str, int, Callable[[bytes], bytes]]
) -> None:
    name, at, change = mutation
    changed = change(COSIGNED[name])
    assume(changed != COSIGNED[name])
    report = desk.verify(COSIGNED | {name: changed})
    if report.sound:
        # Only a whole line of a signature nobody asked for was made another.
        assert at in meaningless(name)
        witness = COSIGNED[name][meaningless(name)[0] : meaningless(name)[-1] + 1]
        assert all(line in changed for line in COSIGNED[name].replace(witness, b"").splitlines())
    else:
        assert report.findings


# Several processes.


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ranges of an entry or two are worth a process."""
    monkeypatch.setattr(workers, "_LEAST_BYTES", 1)
    yield


@pytest.mark.parametrize("processes", [2, 3, 5])
@pytest.mark.usefixtures("small_ranges")
def test_processes_find_the_same(large_desk: Desk, processes: int) -> None:
    some = random.Random(processes)
    cases = [list(MANY.lines), *(edits(some, list(MANY.lines)) for _ in range(4))]
    kept = [("kept", MANY.checkpoint(size)) for size in (1, 255, 256, 257, 350, 512, 699)]
    for lines in cases:
        files = with_lines(MANY_FILES, lines)
        alone = large_desk.verify(files, checkpoints=kept, processes=1)
        assert large_desk.verify(files, checkpoints=kept, processes=processes).as_json() == alone.as_json()
    bad = MANY_FILES | {"tile/0/001": flipped(MANY_FILES["tile/0/001"], 9, 1)}
    assert [f.file for f in large_desk.verify(bad, processes=processes).findings] == ["tile/0/001"]


@pytest.mark.usefixtures("small_ranges")
def test_more_processes_than_lines(desk: Desk) -> None:
    report = desk.verify(SOUND_FILES, processes=9, checkpoints=[("kept", SOUND.checkpoint(5))])
    assert report.sound
    gap = [*LINES[:9], make_entry(WEI, 6, "6" * 64, 9)[0], *LINES[10:]]
    twice = [*LINES[:11], make_entry(ZOE, 1, "0" * 64, 11)[0]]
    for lines, index in ((gap, 9), (twice, 11)):
        files = Export(lines).files()
        assert told(desk.verify(files, processes=9)) == told(desk.verify(files, processes=1))
        assert told(desk.verify(files, processes=9)) == [(Flaw.BROKEN_CHAIN, index, index)]


def scans(folder: Path, parts: int) -> list[scan.EntryScan]:
    file = folder / "entries.jsonl"
    with file.open("rb") as opened:
        size = file.stat().st_size
        offsets = [*(line_start(opened, size * part // parts) for part in range(parts)), size]
    return [scan.scan_range(ExportFolder(folder), start, end, "sha256") for start, end in pairwise(offsets)]


@pytest.mark.parametrize("seed", range(max(60, EXAMPLES // 2)))
def test_both_ways_of_reading_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Lines taken by columns, and each by itself: also of what was tampered with."""
    some = random.Random(seed)
    content = bytearray(MANY_FILES["entries.jsonl"][:60_000])
    for _ in range(some.randrange(4)):
        at = some.randrange(len(content))
        kind = some.randrange(4)
        if kind == 0:
            content[at] ^= 1 << some.randrange(8)
        elif kind == 1:
            del content[at : at + some.choice([1, 2, 500])]
        elif kind == 2:
            content[at:at] = content[at // 2 : at // 2 + some.choice([1, 2, 500])]
        else:
            # A byte of the kind that stands in the other values: hex digits in a date, a digit in a hash, a line break.
            content[at] = some.choice(b'0af9AZ"\n\\]}, \x80')
    write(tmp_path, {"entries.jsonl": bytes(content)})
    monkeypatch.setattr(entries, "READ_BYTES", some.choice([700, 2000, 256 << 10]))
    by_columns = scans(tmp_path, 1 + seed % 2)
    monkeypatch.setattr(scan._Scanner, "_take_usual", lambda *_: False)
    assert scans(tmp_path, 1 + seed % 2) == by_columns


@pytest.mark.parametrize(
    "form",
    [
        {"at": "2026-09-01T00:00:00.000+00:04"},
        {"at": "2026-09-01T00:00:00.00a+00:00"},
        {"at": "2026-09-01 00:00:00.000+00:00"},
        {"sealed": "AB" * 150},
        {"sealed": "ab" * 150 + "g"},
        {"previous_hash": "0" * 63 + "A"},
        {"subject_id": "A" * 24},
        {"subject_id": "a" * 23},
        {"subject_type": None},
        {"subject_type": "a\tb", "subject_id": "xyz"},
        {"sequence": 0},
        {"sequence": 1.0},
        {"sequence": "1"},
        {"actor_id": "a" * 23},
        {"actor_id": 1},
        {"actor_posts": None},
        {"actor_posts": [1]},
        {"actor_name": None},
        {"kind": None},
        {"operation": 5},
        {"another": "member"},
    ],
    ids=str,
)
def test_what_was_signed_and_is_no_entry_is_told(tmp_path: Path, form: dict[str, Any]) -> None:
    """Among lines of the usual form, and signed by the log's own key."""
    odd, _ = make_entry(("Student", 999), 1, "0" * 64, 5, **{"actor_name": "王老师"} | form)
    export = Export([*MANY.lines[:40], odd, *MANY.lines[40:60]])
    report = verify_export(write(tmp_path, export.files()), export.trusted)
    assert told(report) == [(Flaw.MALFORMED, 40, 40)]


def test_usual_lines_are_taken_by_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, MANY_FILES)
    monkeypatch.setattr(scan._Scanner, "_take_any", None)
    assert scans(tmp_path, 1)[0].count == 700


def test_a_tree_of_three_levels(tmp_path: Path) -> None:
    lines = history([("Student", number % 1500) for number in range(65_536 + 300)])
    export = Export(lines)
    desk, files = Desk(tmp_path), export.files()
    assert {"tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1"} <= files.keys()
    assert desk.verify(files).sound
    files["tile/1/000"] = flipped(files["tile/1/000"], 99, 1)
    assert [(f.flaw, f.file) for f in desk.verify(files).findings] == [(Flaw.CHANGED_TILE, "tile/1/000")]
    gone = [*lines[:40_000], *lines[40_001:]]
    report = desk.verify(with_lines(files, gone))
    entry = json.loads(lines[40_000])
    assert [(f.flaw, f.first, f.sequence, f.file) for f in report.findings] == [
        (Flaw.MISSING, 40_000, entry["sequence"], None),
        (Flaw.CHANGED_TILE, None, None, "tile/1/000"),
    ]
