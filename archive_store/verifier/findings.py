"""What a verification says: flaws, where they show, and the report. The flaws are those of FORMAT.md."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# More findings than anybody reads; the rest are counted.
MOST_FINDINGS = 10_000


class Flaw(StrEnum):
    """What can be wrong with an export."""

    BAD_SIGNATURE = "bad_signature"
    MALFORMED = "malformed"
    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    FORKED = "forked"
    BROKEN_CHAIN = "broken_chain"
    CHANGED_TILE = "changed_tile"


class VerifierError(Exception):
    """What keeps a verification from beginning: a sentence, then hints."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__(lines[0])


class MalformedError(Exception):
    """A file that is not what FORMAT.md says; the message says in what."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw and its place.

    `first` to `last`, inclusive, are places in the log from 0; an untouched log has the entry on the line after that
    number. `line` is where it stands in `entries.jsonl`, from 1, if elsewhere or nowhere in the log, and `last_line`
    the last of several. `count` is how many of the places are concerned where it cannot be told which; 0 for at least
    one. `subject` is `type:id`, with the entry's `sequence`.
    """

    flaw: Flaw
    first: int | None = None
    last: int | None = None
    count: int | None = None
    line: int | None = None
    last_line: int | None = None
    subject: str | None = None
    sequence: int | None = None
    file: str | None = None
    detail: str | None = None

    @property
    def place(self) -> str:
        """In words, such as `entry 7 (Student:6a… 3)`; entries count from 0 as in the log."""
        parts = []
        if self.first is not None and self.last is not None:
            span = _span(self.first, self.last)
            word = "entry" if self.first == self.last else "entries"
            if self.count is not None:
                span = f"{self.count or 'at least 1'} of {span}"
            parts.append(f"{word} {span}")
        if self.line is not None:
            parts.append(f"line {_span(self.line, self.last_line or self.line)}")
        if self.subject is not None:
            parts.append(f"({self.subject} {self.sequence})")
        if self.file is not None:
            parts.append(self.file)
        return " ".join(parts)

    def __str__(self) -> str:
        return f"{self.flaw} {self.place}" + (f": {self.detail}" if self.detail else "")

    def as_json(self) -> dict[str, Any]:
        """The members that are told, `flaw` among them."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in told.items() if value is not None}


def _span(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}–{last}"


@dataclass(frozen=True, slots=True)
class ComparedCheckpoint:
    """An older checkpoint: its file and size, and whether the export continues it; None where that cannot be told."""

    file: str
    size: int | None
    agrees: bool | None


@dataclass
class ExportReport:
    """`entries` lines were read, of `subjects` records; `size` and `root` are what the export's checkpoint says."""

    origin: str
    size: int | None = None
    root: bytes | None = None
    root_agrees: bool = False
    entries: int = 0
    subjects: int = 0
    checkpoints: list[ComparedCheckpoint] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    untold: int = 0

    @property
    def sound(self) -> bool:
        """Never without a root that was computed here and is the signed one."""
        return self.root_agrees and not self.findings

    def close(self) -> None:
        """Put the findings in order, and count those that are too many to tell."""
        order = list(Flaw)
        self.findings.sort(key=lambda f: (f.first is None, f.first or 0, f.line or 0, order.index(f.flaw)))
        self.untold += len(self.findings[MOST_FINDINGS:])
        del self.findings[MOST_FINDINGS:]

    def as_json(self) -> dict[str, Any]:
        """`{sound, origin, size, root, entries, subjects, checkpoints, findings, untold}`; the root in base64."""
        return {
            "sound": self.sound,
            "origin": self.origin,
            "size": self.size,
            "root": None if self.root is None else base64.b64encode(self.root).decode(),
            "entries": self.entries,
            "subjects": self.subjects,
            "checkpoints": [
                {"file": each.file, "size": each.size, "agrees": each.agrees} for each in self.checkpoints
            ],
            "findings": [finding.as_json() for finding in self.findings],
            "untold": self.untold,
        }

    def lines(self) -> list[str]:
        """The report as text: one line for each finding and checkpoint, then the verdict."""
        told = [str(finding) for finding in self.findings]
        if self.untold:
            told.append(f"and {self.untold} more")
        words = {True: "continued by the export", False: "NOT continued", None: "not compared"}
        told += [
            f"checkpoint {each.file} of size {each.size}: {words[each.agrees]}" for each in self.checkpoints
        ]
        root = "" if self.root is None else f", root {base64.b64encode(self.root).decode()}"
        told.append(f"{self.origin}: size {self.size}{root}")
        told.append(
            f"{self.entries} entries of {self.subjects} records: {'sound' if self.sound else 'FLAWED'}"
        )
        return told
