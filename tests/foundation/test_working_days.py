"""Periods and due times, against brute force and the published calendar of 2026."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archive_store.foundation.clock import SCHOOL_TIME, school_day
from archive_store.foundation.records import bson_value
from archive_store.foundation.work_calendars import published_working_days
from archive_store.foundation.working_days import (
    MOST_WORKING_DAYS,
    Period,
    WorkingDays,
    due_after,
    end_of_day,
)

YEARS = (2026, 2027)
DAYS = st.dates(date(2025, 10, 1), date(2028, 3, 31))
MOMENTS = st.datetimes(datetime(2025, 10, 1), datetime(2028, 3, 31), timezones=st.just(UTC))
COUNTS = st.integers(1, 40)
IN_YEARS = st.dates(date(YEARS[0], 1, 1), date(YEARS[1], 12, 31))
CALENDARS = st.builds(
    WorkingDays,
    st.frozensets(IN_YEARS, max_size=60),
    st.frozensets(IN_YEARS, max_size=30),
    st.frozensets(st.sampled_from(YEARS)),
)


def day_of(due: datetime) -> date:
    """The day whose end this is."""
    assert due.astimezone(SCHOOL_TIME).time() == datetime.min.time()
    return school_day(due - timedelta(milliseconds=1))


@given(MOMENTS, COUNTS, CALENDARS)
def test_working_days_are_what_brute_force_counts(start: datetime, count: int, calendar: WorkingDays) -> None:
    first = school_day(start)
    ahead = [first + timedelta(days=n) for n in range(1, 400)]
    working = [
        day
        for day in ahead
        if (day.year in calendar.years and day in calendar.made_up_workdays)
        or (day.isoweekday() <= 5 and not (day.year in calendar.years and day in calendar.days_off))
    ]
    due = due_after(start, Period(working_days=count), calendar)
    assert due.utcoffset() == timedelta(0)
    assert day_of(due) == working[count - 1]
    assert calendar.is_working_day(day_of(due))


@given(DAYS, COUNTS, COUNTS, CALENDARS)
def test_working_days_add_up(day: date, first: int, second: int, calendar: WorkingDays) -> None:
    stepped = calendar.working_day_after(calendar.working_day_after(day, first), second)
    assert stepped == calendar.working_day_after(day, first + second)


@given(MOMENTS, MOMENTS, COUNTS, CALENDARS)
def test_who_starts_later_is_never_due_earlier(
    one: datetime, other: datetime, count: int, calendar: WorkingDays
) -> None:
    earlier, later = sorted((one, other))
    for period in (Period(hours=count), Period(working_days=count)):
        assert due_after(earlier, period, calendar) <= due_after(later, period, calendar)
    longer = Period(working_days=count + 1)
    assert due_after(earlier, Period(working_days=count), calendar) < due_after(earlier, longer, calendar)


@given(DAYS)
def test_a_day_ends_at_midnight_in_china(day: date) -> None:
    end = end_of_day(day)
    assert school_day(end).toordinal() == day.toordinal() + 1
    assert (end.hour, end.minute, end.second) == (16, 0, 0)


@given(MOMENTS, st.integers(1, 500), CALENDARS)
def test_hours_are_clock_hours(start: datetime, hours: int, calendar: WorkingDays) -> None:
    here = start.astimezone(SCHOOL_TIME)
    due = due_after(here, Period(hours=hours), calendar)
    assert due - start == timedelta(hours=hours)
    assert due.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("start", "count", "last"),
    [
        # Before midnight in China and after it; UTC would count both alike.
        ("2026-03-10T15:59:59Z", 1, "2026-03-11"),
        ("2026-03-10T16:00:00Z", 1, "2026-03-12"),
        # Over the Spring Festival: off from Sunday 15 to Monday 23 February; Saturdays 14 and 28 are made up.
        ("2026-02-13T01:00:00Z", 1, "2026-02-14"),
        ("2026-02-13T01:00:00Z", 2, "2026-02-24"),
        ("2026-02-14T01:00:00Z", 1, "2026-02-24"),
        ("2026-02-18T01:00:00Z", 1, "2026-02-24"),
        ("2026-02-26T01:00:00Z", 2, "2026-02-28"),
        # The National Day week, and the Saturday made up after it.
        ("2026-09-30T01:00:00Z", 3, "2026-10-10"),
        # Into a year that nobody has published: New Year's Day 2200 is a Wednesday like any other.
        ("2199-12-31T01:00:00Z", 1, "2200-01-01"),
    ],
)
def test_known_days(start: str, count: int, last: str) -> None:
    due = due_after(datetime.fromisoformat(start), Period(working_days=count), published_working_days())
    assert due == end_of_day(date.fromisoformat(last))
    assert due.hour == 16


def test_what_is_covered() -> None:
    calendar = published_working_days()
    assert calendar.is_covered(date(2004, 1, 1)) and calendar.is_covered(date(2026, 12, 31))
    assert not calendar.is_covered(date(2003, 12, 31)) and not calendar.is_covered(date(2200, 1, 1))
    assert not WorkingDays().is_covered(date(2026, 1, 1)) and WorkingDays().is_working_day(date(2026, 10, 1))


def test_a_period_has_one_unit() -> None:
    for values in ({}, {"hours": 1, "working_days": 1}, {"hours": 0}, {"working_days": -1}, {"days": 1}):
        with pytest.raises(ValidationError):
            Period.model_validate(values)
    with pytest.raises(ValidationError):
        Period(working_days=MOST_WORKING_DAYS + 1)
    for period in (Period(hours=24), Period(working_days=3)):
        assert Period.model_validate(bson_value(period)) == period


def test_moments_have_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due_after(datetime(2026, 1, 1), Period(hours=1), WorkingDays())
    with pytest.raises(ValueError, match="from 1"):
        WorkingDays().working_day_after(date(2026, 1, 1), 0)
