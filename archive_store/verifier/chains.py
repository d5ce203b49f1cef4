"""Chains of subjects over the whole log: ranges are joined, and breaks told apart from what missing entries leave."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from archive_store.verifier.entries import SUBJECT, Link, subject_name
from archive_store.verifier.findings import Finding, Flaw
from archive_store.verifier.scan import MOST_BREAKS, EntryScan

_MOST_GAPS = 1000


class Chains:
    """What the next entry of each subject must say, after the ranges joined so far."""

    def __init__(self) -> None:
        self._ends: dict[bytes, bytes] = {}
        self.subjects = 0
        self.breaks: list[tuple[int, bytes, int]] = []
        self.untold = 0

    def join(self, scan: EntryScan, first: int) -> None:
        """Join the range whose first entry's place in the log is `first`; the last one needs no `ends`."""
        ends = self._ends
        breaks = [(first + place, subject, sequence) for place, subject, sequence in scan.breaks]
        begun = [subject for subject in scan.fresh if subject in ends] if ends else []
        breaks += [(first + scan.fresh[subject], subject, 1) for subject in begun]
        breaks += [
            (first + place, subject, int(link[64:]))
            for subject, (link, place) in scan.joined.items()
            if ends.get(subject) != link
        ]
        joined = sum(subject not in ends for subject in scan.joined)
        self.subjects += len(scan.fresh) - len(begun) + joined if first else scan.subjects
        self.breaks += sorted(breaks)
        self.untold += scan.break_count - len(scan.breaks) + len(self.breaks[MOST_BREAKS:])
        del self.breaks[MOST_BREAKS:]
        if ends:
            ends.update(scan.ends)
        else:
            self._ends = scan.ends

    def findings(self, *, by_line: bool) -> list[Finding]:
        """The breaks, by their line where it is not known that lines stand in their place in the log."""
        found = []
        for place, subject, sequence in self.breaks:
            match = SUBJECT.fullmatch(subject)
            assert match is not None  # noqa: S101
            name = subject_name(*match.groups())
            if by_line:
                finding = Finding(Flaw.BROKEN_CHAIN, line=place + 1, subject=name, sequence=sequence)
            else:
                finding = Finding(Flaw.BROKEN_CHAIN, place, place, subject=name, sequence=sequence)
            found.append(finding)
        return found


@dataclass(frozen=True, slots=True)
class _Gap:
    """Entries of a subject that must stand between two places of the log, exclusive."""

    subject: str
    sequence: int
    count: int
    after: int
    before: int


@dataclass(frozen=True, slots=True)
class _End:
    sequence: int
    hash: bytes
    place: int


class LoggedChains:
    """Chains over the entries that are surely logged, in the order of the log.

    `holes` are the places, in order, whose entries are not there as logged. They explain a gap of as many or fewer
    entries; another gap, or a hash that does not fit, was logged so.
    """

    def __init__(self, holes: list[int]) -> None:
        self._holes = holes
        self._ends: dict[str, _End] = {}
        self._gaps: list[_Gap] = []
        self.findings: list[Finding] = []

    def add(self, place: int, link: Link) -> None:
        """The next entry."""
        end = self._ends.get(link.subject, _End(0, b"0" * 64, -1))
        self._ends[link.subject] = _End(link.sequence, link.hash, place)
        lacking = link.sequence - end.sequence - 1
        if lacking == 0 and link.previous_hash == end.hash:
            return
        if 0 < lacking <= bisect_left(self._holes, place) - bisect_left(self._holes, end.place + 1):
            if len(self._gaps) < _MOST_GAPS:
                self._gaps.append(_Gap(link.subject, end.sequence + 1, lacking, end.place, place))
        elif len(self.findings) < MOST_BREAKS:
            self.findings.append(
                Finding(Flaw.BROKEN_CHAIN, place, place, subject=link.subject, sequence=link.sequence)
            )

    def names(self) -> dict[int, tuple[str, int]]:
        """The subject and sequence of holes, where no other could be meant: only as many holes as a gap needs."""
        named: dict[int, tuple[str, int]] = {}
        if len(self._holes) > _MOST_GAPS:
            return named
        open_gaps = self._gaps
        while True:
            left = []
            for gap in open_gaps:
                begin, end = bisect_left(self._holes, gap.after + 1), bisect_left(self._holes, gap.before)
                free = [hole for hole in self._holes[begin:end] if hole not in named]
                if len(free) == gap.count:
                    named |= {hole: (gap.subject, gap.sequence + n) for n, hole in enumerate(free)}
                else:
                    left.append(gap)
            if len(left) == len(open_gaps):
                return named
            open_gaps = left

    def could_hold(self, place: int, link: Link) -> bool:
        """Whether the entry of a hole could be this one of its subject."""
        if any(
            gap.subject == link.subject
            and gap.after < place < gap.before
            and 0 <= link.sequence - gap.sequence < gap.count
            for gap in self._gaps
        ):
            return True
        end = self._ends.get(link.subject, _End(0, b"", -1))
        return link.sequence == end.sequence + 1 and place > end.place
