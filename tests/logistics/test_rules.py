"""Intervals of stays: whatever is let in one by one, no bed and no student is there twice on a day."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from archive_store.logistics.rules import Clash, Interval, clash

START = date(2026, 9, 1)
STAYS = st.builds(
    lambda student, room, bed, first, days: Interval(
        student,
        room,
        bed,
        START + timedelta(days=first),
        None if days is None else START + timedelta(days=first + days),
    ),
    st.integers(0, 3),
    st.integers(0, 1),
    st.integers(1, 2),
    st.integers(0, 12),
    st.none() | st.integers(0, 6),
)


def days_of(stay: Interval) -> set[int]:
    """The days of it among the first thirty, counted one by one."""
    return {
        day
        for day in range(30)
        if stay.from_day <= START + timedelta(days=day)
        and (stay.to_day is None or START + timedelta(days=day) <= stay.to_day)
    }


@given(st.lists(STAYS, max_size=30))
def test_no_bed_and_no_student_twice_and_nothing_refused_in_vain(asked: list[Interval]) -> None:
    held: list[Interval] = []
    for stay in asked:
        shared = [other for other in held if days_of(stay) & days_of(other)]
        beds = any((other.room, other.bed) == (stay.room, stay.bed) for other in shared)
        expected = Clash.BED if beds else None
        if any(other.student == stay.student for other in shared):
            expected = Clash.STUDENT
        assert clash(stay, held) == expected
        if expected is None:
            held.append(stay)
    places = [(stay.room, stay.bed, day) for stay in held for day in days_of(stay)]
    sleepers = [(stay.student, day) for stay in held for day in days_of(stay)]
    assert len(places) == len(set(places)) and len(sleepers) == len(set(sleepers))


@given(STAYS, STAYS)
def test_overlap_is_the_days_in_common_either_way(one: Interval, other: Interval) -> None:
    assert one.overlaps(other) == other.overlaps(one) == bool(days_of(one) & days_of(other))
