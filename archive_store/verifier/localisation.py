"""Which entries a wrong root comes from: the slow way, gone only when something is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from archive_store.verifier.alignment import UNMATCHED, Alignment, Stretch, align
from archive_store.verifier.chains import LoggedChains
from archive_store.verifier.entries import Link, each_line, read_link
from archive_store.verifier.export_files import ENTRIES, ExportFolder
from archive_store.verifier.findings import Finding, Flaw
from archive_store.verifier.merkle import HASH_SIZE
from archive_store.verifier.tiles import SignedTree

# Runs of changed or reordered entries up to this length are told one by one; a file written anew is not.
_LONG_RUN = 16
_MOST_NAMED = 100_000

# A place in the log and a line, from 0, where there is one.
_At = tuple[int | None, int | None]


def locate(folder: ExportFolder, tree: SignedTree, actual: bytes) -> list[Finding]:
    """Findings of the entries against the signed tree; `actual` has the leaf hashes of the lines."""
    return _Localisation(folder, tree, actual).findings()


class _Localisation:
    def __init__(self, folder: ExportFolder, tree: SignedTree, actual: bytes) -> None:
        self._folder = folder
        self._alignment: Alignment = align(tree.leaves, tree.size, actual)
        self._lines = len(actual) // HASH_SIZE
        self._links: dict[int, Link | None] = {}
        self._read_links()
        holes = sorted(place for stretch in self._alignment.stretches for place in stretch.places)
        self._chains = LoggedChains(holes)
        self._malformed: list[int] = []
        self._follow_chains()
        self._names = self._chains.names()

    def findings(self) -> list[Finding]:
        alignment = self._alignment
        found = [finding for stretch in alignment.stretches for finding in self._of_stretch(stretch)]
        found += self._runs(Flaw.ADDED, [(None, line) for line in sorted(alignment.repeated)])
        moved = sorted((alignment.places[line], line) for line in alignment.moved)
        found += self._runs(Flaw.REORDERED, moved)
        found += self._runs(Flaw.MALFORMED, [(alignment.places[line], line) for line in self._malformed])
        return found + self._chains.findings

    def _read(self) -> Iterator[tuple[int, bytes | None]]:
        opened = self._folder.open(ENTRIES)
        if opened is not None:
            with os.fdopen(opened, "rb") as file:
                for number, line in enumerate(each_line(file)):
                    if number < self._lines:
                        yield number, line

    def _read_links(self) -> None:
        """The links of lines that are not in their place, for their names."""
        alignment = self._alignment
        wanted = alignment.moved | alignment.repeated
        for stretch in alignment.stretches:
            wanted.update(stretch.lines)
        for number, line in self._read():
            if number in wanted and len(self._links) < _MOST_NAMED:
                self._links[number] = read_link(line)

    def _follow_chains(self) -> None:
        """Follow chains over logged entries, those that were moved at their place in the log."""
        alignment = self._alignment
        if len(alignment.moved) > _MOST_NAMED:
            return
        moved = sorted(((alignment.places[line], line) for line in alignment.moved), reverse=True)
        for number, line in self._read():
            place = alignment.places[number]
            if place == UNMATCHED or number in alignment.moved:
                continue
            while moved and moved[-1][0] < place:
                self._add(moved[-1][0], moved[-1][1], self._links.get(moved[-1][1]))
                moved.pop()
            self._add(place, number, read_link(line))
        for place, number in reversed(moved):
            self._add(place, number, self._links.get(number))

    def _add(self, place: int, line: int, link: Link | None) -> None:
        if link is None:
            self._malformed.append(line)
        else:
            self._chains.add(place, link)

    def _of_stretch(self, stretch: Stretch) -> list[Finding]:
        lines, places = stretch.lines, stretch.places
        gone = Flaw.TRUNCATED if stretch.is_tail else Flaw.MISSING
        if not lines:
            return self._runs(gone, [(place, None) for place in places])
        if not places:
            return self._runs(Flaw.ADDED, [(None, line) for line in lines])
        lacking = len(places) - len(lines)
        found = []
        if not stretch.is_known:
            # Some of the lines may be the entries that were logged: the tiles do not tell.
            found += self._unreadable(lines)
            if lacking == 0:
                found.append(Finding(Flaw.CHANGED, places[0], places[-1], count=0))
        elif lacking == 0:
            pairs = list(zip(places, lines, strict=True))
            found += self._runs(Flaw.CHANGED, [pair for pair in pairs if self._may_be_entry(pair[1])])
            found += self._runs(Flaw.MALFORMED, [pair for pair in pairs if not self._may_be_entry(pair[1])])
        elif lacking > 0:
            found.append(Finding(Flaw.CHANGED, places[0], places[-1], count=len(lines)))
        else:
            found += self._runs(Flaw.CHANGED, [(place, None) for place in places])
        if lacking > 0:
            found.append(Finding(gone, places[0], places[-1], count=lacking))
        elif lacking < 0:
            found.append(Finding(Flaw.ADDED, count=-lacking, line=lines[0] + 1, last_line=lines[-1] + 1))
        return found

    def _unreadable(self, lines: list[int]) -> list[Finding]:
        return self._runs(Flaw.MALFORMED, [(None, line) for line in lines if not self._may_be_entry(line)])

    def _may_be_entry(self, line: int) -> bool:
        return line not in self._links or self._links[line] is not None

    def _runs(self, flaw: Flaw, at: Sequence[_At]) -> list[Finding]:
        """Findings at (place, line): several that follow each other are one, unless each has a name of its own."""
        runs: list[list[_At]] = []
        for each in at:
            if runs and _follows(runs[-1][-1], each):
                runs[-1].append(each)
            else:
                runs.append([each])
        found = []
        is_named = flaw in (Flaw.CHANGED, Flaw.REORDERED)
        for run in runs:
            singly = is_named and len(run) <= _LONG_RUN
            for part in [[each] for each in run] if singly else [run]:
                found.append(self._finding(flaw, part))
        return found

    def _finding(self, flaw: Flaw, run: list[_At]) -> Finding:
        (first, line), (last, last_line) = run[0], run[-1]
        subject, detail = None, None
        if len(run) == 1:
            subject, detail = self._name(flaw, first, line)
        if first is not None and line == first:
            line = last_line = None
        return Finding(
            flaw,
            first,
            last,
            line=None if line is None else line + 1,
            last_line=None if last_line is None or last_line == line else last_line + 1,
            subject=None if subject is None else subject[0],
            sequence=None if subject is None else subject[1],
            detail=detail,
        )

    def _name(
        self, flaw: Flaw, place: int | None, line: int | None
    ) -> tuple[tuple[str, int] | None, str | None]:
        """The subject and sequence, from what is around rather than from what the line, which is wrong, says."""
        if place is not None and place in self._names:
            return self._names[place], None
        link = None if line is None else self._links.get(line)
        if link is None:
            return None, None
        said = (link.subject, link.sequence)
        if flaw is Flaw.REORDERED or place is None:
            return said, None
        if self._chains.could_hold(place, link):
            return said, "the name is as the line now reads"
        return None, None


def _follows(before: _At, after: _At) -> bool:
    return all(
        (left is None and right is None) or (left is not None and right == left + 1)
        for left, right in zip(before, after, strict=True)
    )
