"""When a period ends: in clock hours, or in working days (工作日) of the Chinese calendar. Pure.

Periods are counted as the Civil Code (民法典) counts them, art. 200-204. One in hours begins at its moment and takes
no heed of days off (art. 201 ¶2; the school policy's 24 小时 are clock hours). One in days does not count the day it
begins on (art. 201 ¶1), ends at 24:00 (art. 203 ¶2), and never ends on a day off (art. 203 ¶1): only working days are
counted, so its last one is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from archive_store.foundation.clock import SCHOOL_TIME, school_day

_SATURDAY = 5
_A_DAY = timedelta(days=1)
# About a year of each, so that a slip of the pen is no period at all.
MOST_HOURS = 24 * 366
MOST_WORKING_DAYS = 260


class Period(BaseModel):
    """A length of time as a rule states it: `hours`, or `working_days`, and never both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hours: Annotated[int, Field(ge=1, le=MOST_HOURS)] | None = None
    working_days: Annotated[int, Field(ge=1, le=MOST_WORKING_DAYS)] | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> Period:
        if (self.hours is None) == (self.working_days is None):
            raise ValueError("a period has either hours or working_days")
        return self


@dataclass(frozen=True)
class WorkingDays:
    """What is known of the calendar: days off and make-up workdays (调休上班) of the `years` that it covers.

    Weekends are off unless made up. In years not covered only weekends are off, which `is_covered` tells.
    """

    days_off: frozenset[date] = frozenset()
    made_up_workdays: frozenset[date] = frozenset()
    years: frozenset[int] = frozenset()

    def is_covered(self, day: date) -> bool:
        return day.year in self.years

    def is_working_day(self, day: date) -> bool:
        if self.is_covered(day):
            if day in self.made_up_workdays:
                return True
            if day in self.days_off:
                return False
        return day.weekday() < _SATURDAY

    def working_day_after(self, day: date, count: int) -> date:
        """The `count`-th working day after a day, which itself is not counted; a count of 1 is the next one."""
        if count < 1:
            raise ValueError("count from 1")
        while count:
            day += _A_DAY
            count -= self.is_working_day(day)
        return day


def end_of_day(day: date) -> datetime:
    """24:00 of a day in China, in UTC: the first moment that is no longer of it."""
    return datetime.combine(day + _A_DAY, time(), SCHOOL_TIME).astimezone(UTC)


def due_after(start: datetime, period: Period, calendar: WorkingDays) -> datetime:
    """The moment, in UTC, at which a period that begins at `start` has run out; what happens then is late."""
    if start.tzinfo is None:
        raise ValueError("a moment without a time zone")
    if period.hours is not None:
        return start.astimezone(UTC) + timedelta(hours=period.hours)
    assert period.working_days is not None  # noqa: S101 - the model holds one of the two
    return end_of_day(calendar.working_day_after(school_day(start), period.working_days))
