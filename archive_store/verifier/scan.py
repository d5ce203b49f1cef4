"""One pass over a range of `entries.jsonl`: leaf hashes, chains, and lines that are no entries.

The range may begin anywhere in the log, so chains that began before it are left open, for `chains.py` to join.
Memory: 32 bytes for each entry, and about 250 for each distinct subject (350 in a range that is not the first).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from io import FileIO

from archive_store.verifier.entries import (
    ACTOR,
    HEX_DIGITS,
    TEXT,
    WHAT,
    ZERO_HASH,
    lines_of,
    read_link,
    whole_lines,
)
from archive_store.verifier.export_files import ENTRIES, ExportFolder
from archive_store.verifier.merkle import HASH_SIZE, Hash, hash_function

# More lines that are no entries than this, and the file is not read on: it is none of ours.
MOST_MALFORMED = 100_000
MOST_BREAKS = 10_000
_MOST_KNOWN = 10_000
# What the next entry of a subject must say: the hash before it in hex, then its sequence in decimal.
FIRST_LINK = ZERO_HASH + b"1"
# A line as nearly all are. Where lines read otherwise, each is read by itself. Runs have a limit, so that no input is
# gone over more often than that; what is jumped over is looked at afterwards, with all of its column.
_USUAL = re.compile(
    rb'((\{"actor_id":[^]]{0,2000}\]),"at":"(.{23})\+00:00","hash":"(.{64})",("kind":"[^"]{0,200}","operation":"[^"]{0,200}"),'
    rb'"previous_hash":"(.{64})","sealed":"(.{256}[^"]*)","sequence":([1-9][0-9]{0,18}),'
    rb'"subject_id":"((.{24})","subject_type":"([^"]{0,200})")\})\n',
    re.DOTALL,
)
_BEFORE_SUBJECT = b'"subject_id":"'
_TIME_SHAPE = b"0000-00-00T00:00:00.000"
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
# Stands for the hash of an overlong line, and is none of any.
_NOT_A_LEAF = b"\xff" * HASH_SIZE


class _Successors(dict[bytes, bytes]):
    """Sequence numbers in decimal and the number after each."""

    def __missing__(self, sequence: bytes) -> bytes:
        after = b"%d" % (int(sequence) + 1)
        if len(self) < _MOST_KNOWN:
            self[sequence] = after
        return after


@dataclass
class EntryScan:
    """What a range holds. Places count from the range's beginning; subjects are the text of an entry's end from its
    subject's id on, without the brace.

    `ends` has what the next entry of a subject must say. Of a range that is not the first, `fresh` has where a
    subject's chain begins, and `joined` what its first entry here says of the one before, and where.
    """

    count: int = 0
    leaves: bytearray = field(default_factory=bytearray)
    malformed: list[tuple[int, int]] = field(default_factory=list)
    malformed_count: int = 0
    breaks: list[tuple[int, bytes, int]] = field(default_factory=list)
    break_count: int = 0
    fresh: dict[bytes, int] = field(default_factory=dict)
    joined: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    ends: dict[bytes, bytes] = field(default_factory=dict)
    subjects: int = 0
    unterminated: bool = False
    gave_up: bool = False

    def add_malformed(self, place: int) -> None:
        self.malformed_count += 1
        if self.malformed and self.malformed[-1][1] == place - 1:
            self.malformed[-1] = (self.malformed[-1][0], place)
        else:
            self.malformed.append((place, place))

    def add_break(self, place: int, subject: bytes, sequence: bytes) -> None:
        self.break_count += 1
        if len(self.breaks) < MOST_BREAKS:
            self.breaks.append((place, subject, int(sequence)))


def scan_range(folder: ExportFolder, start: int, end: int, hash_name: str) -> EntryScan:
    """Scan whole lines between two offsets of the file of entries; nothing of a file that is not there."""
    scanner = _Scanner(hash_function(hash_name), is_first=start == 0)
    opened = folder.open(ENTRIES)
    if opened is not None:
        with os.fdopen(opened, "rb", buffering=0) as file:
            scanner.run(file, start, end)
    scanner.scan.subjects = len(scanner.scan.ends)
    return scanner.scan


class _Scanner:
    def __init__(self, hash_: Hash, *, is_first: bool) -> None:
        self.scan = EntryScan()
        self._hash, self._is_first = hash_, is_first
        self._successors = _Successors()
        # Parts that repeat from entry to entry, and were found to be what their pattern says.
        self._known: dict[re.Pattern[bytes], set[bytes]] = {ACTOR: set(), WHAT: set(), TEXT: set()}

    def run(self, file: FileIO, start: int, end: int) -> None:
        scan = self.scan
        for piece in whole_lines(file, start, end):
            if piece is None:
                scan.add_malformed(scan.count)
                scan.leaves += _NOT_A_LEAF
                scan.count += 1
            elif not self._take_usual(*piece):
                self._take_any(*piece)
            if scan.malformed_count > MOST_MALFORMED:
                scan.gave_up = True
                return

    def _take_usual(self, block: bytes, whole: int) -> bool:
        """Take lines that are all of the usual form, else none: by columns, which costs a third of one by one."""
        found = _USUAL.findall(block, 0, whole)
        if not found:
            return False
        lines, actors, times, hashes, whats, previous, sealed, sequences, subjects, ids, types = zip(
            *found, strict=True
        )
        count = len(lines)
        # They follow each other without a gap. None goes over a line break: no part of one may hold a line break.
        if sum(map(len, lines)) + count != whole:
            return False
        if b"".join(times).translate(_DIGITS_TO_ZERO) != _TIME_SHAPE * count:
            return False
        if any(b"".join(column).translate(None, HEX_DIGITS) for column in (hashes, previous, ids, sealed)):
            return False
        known = self._known
        if not (
            self._are_known(ACTOR, known[ACTOR], set(actors))
            and self._are_known(WHAT, known[WHAT], set(whats))
            and self._are_known(TEXT, known[TEXT], set(types))
        ):
            return False
        hash_, ends = self._hash, self.scan.ends
        self.scan.leaves += b"".join([hash_(b"\0" + line).digest() for line in lines])
        place = self.scan.count
        self.scan.count += count
        # Only in the first range does a chain that is not known begin for certain.
        successors, first = self._successors, FIRST_LINK if self._is_first else None
        for subject, sequence, before, own in zip(subjects, sequences, previous, hashes, strict=True):
            link = before + sequence
            if ends.get(subject, first) != link:
                self._begin_or_break(place, subject, sequence, link)
            ends[subject] = own + successors[sequence]
            place += 1
        return True

    def _begin_or_break(self, place: int, subject: bytes, sequence: bytes, link: bytes) -> None:
        scan = self.scan
        if self._is_first or subject in scan.ends:
            scan.add_break(place, subject, sequence)
        elif link == FIRST_LINK:
            scan.fresh[subject] = place
        else:
            scan.joined[subject] = (link, place)

    @staticmethod
    def _are_known(pattern: re.Pattern[bytes], known: set[bytes], values: set[bytes]) -> bool:
        unknown = values - known
        if not all(_is_whole(pattern, value) for value in unknown):
            return False
        if len(known) < _MOST_KNOWN:
            known |= unknown
        return True

    def _take_any(self, block: bytes, whole: int) -> None:
        scan, hash_ = self.scan, self._hash
        scan.unterminated = not block.endswith(b"\n", 0, whole)
        for line in lines_of(block, whole):
            place = scan.count
            scan.count += 1
            scan.leaves += hash_(b"\0" + line).digest()
            link = read_link(line)
            if link is None:
                scan.add_malformed(place)
                if scan.malformed_count > MOST_MALFORMED:
                    return
                continue
            subject = line[line.rindex(_BEFORE_SUBJECT) + len(_BEFORE_SUBJECT) : -1]
            sequence = b"%d" % link.sequence
            before = link.previous_hash + sequence
            if scan.ends.get(subject, FIRST_LINK if self._is_first else None) != before:
                self._begin_or_break(place, subject, sequence, before)
            scan.ends[subject] = link.hash + self._successors[sequence]


def _is_whole(pattern: re.Pattern[bytes], value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return pattern.fullmatch(value) is not None
