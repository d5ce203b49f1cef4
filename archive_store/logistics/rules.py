"""Whether a stay (住宿区间) can stand beside others: no bed twice and no student twice on a day. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

Days = tuple[date, date | None]


class Clash(StrEnum):
    """What is taken on one of the days."""

    BED = "BED"
    STUDENT = "STUDENT"


@dataclass(frozen=True, slots=True)
class Interval:
    """A student in a bed from a day to a day, both inclusive; without a last day the stay is open."""

    student: Any
    room: Any
    bed: int
    from_day: date
    to_day: date | None = None

    def overlaps(self, other: Interval) -> bool:
        """Whether they have a day in common."""
        return days_overlap((self.from_day, self.to_day), (other.from_day, other.to_day))


def days_overlap(one: Days, other: Days) -> bool:
    """Whether two spans have a day in common; both days inclusive, None is without end."""
    begins = one[1] is None or other[0] <= one[1]
    return begins and (other[1] is None or one[0] <= other[1])


def clash(wanted: Interval, held: Iterable[Interval]) -> Clash | None:
    """What keeps the stay from standing beside those held; the student's own first."""
    on_its_days = [stay for stay in held if wanted.overlaps(stay)]
    if any(stay.student == wanted.student for stay in on_its_days):
        return Clash.STUDENT
    if any((stay.room, stay.bed) == (wanted.room, wanted.bed) for stay in on_its_days):
        return Clash.BED
    return None
