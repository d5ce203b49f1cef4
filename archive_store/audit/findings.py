"""What verification of the stored history finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Flaw(StrEnum):
    """What can be wrong with a history; FORMAT.md describes each."""

    CHANGED = "changed"
    REORDERED = "reordered"
    MISSING = "missing"
    ADDED = "added"
    TRUNCATED = "truncated"
    FORGED_HEAD = "forged_head"
    NO_HISTORY = "no_history"
    NO_RECORD = "no_record"
    UNLIKE_RECORD = "unlike_record"
    CHANGED_READING = "changed_reading"
    DOUBLE_FIELD = "double_field"
    UNLOGGED = "unlogged"
    FORGED_LOG = "forged_log"


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw: the subject as `type:id` and the sequence number where it shows, 0 where there is none.

    `last_sequence`, inclusive, where the flaw goes over several: a gap has no bound, so it must not be told one by one.
    """

    subject: str
    sequence: int
    flaw: Flaw
    last_sequence: int | None = None

    @property
    def place(self) -> str:
        return f"{self.sequence}" if self.last_sequence is None else f"{self.sequence}–{self.last_sequence}"


def finding_over(subject: str, flaw: Flaw, first: int, last: int) -> Finding:
    return Finding(subject, first, flaw, last if last > first else None)
