"""Work calendars (工作日历): what was loaded for a year, else what the locked `chinesecalendar` package publishes.

They stand here because deadlines, which the rooms below the duties have, are counted by them. Loading one is
`calendar.load`, an operation of the duties.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from typing import Annotated, ClassVar

from chinese_calendar.constants import holidays, workdays
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import REREAD_AFTER_SECONDS
from archive_store.foundation.working_days import WorkingDays

F0 = FieldClass.F0


class WorkCalendar(Record):
    """Days off and make-up workdays of one calendar year, as the State Council's notice (国务院办公厅通知) has them.

    The newest version of a year stands for the whole year; earlier ones are kept.
    """

    subject_type: ClassVar[str] = "WorkCalendar"

    year: Annotated[int, F0]
    version: Annotated[int, F0]  # of the year, from 1
    days_off: Annotated[list[date], F0] = Field(default_factory=list)
    made_up_workdays: Annotated[list[date], F0] = Field(default_factory=list)
    source: Annotated[str, F0]

    class Settings:
        name = "work_calendars"
        indexes = [IndexModel([("year", 1), ("version", -1)], unique=True)]  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class YearCalendar:
    """The calendar in force of a year; `version` is None where nobody loaded one."""

    year: int
    version: int | None
    days_off: tuple[date, ...]
    made_up_workdays: tuple[date, ...]
    source: str


@cache
def published_working_days() -> WorkingDays:
    """Every year that the package knows."""
    return WorkingDays(frozenset(holidays), frozenset(workdays), frozenset(day.year for day in holidays))


def published_year(year: int) -> YearCalendar | None:
    """A year of the package, None where it does not know it."""
    known = published_working_days()
    if year not in known.years:
        return None
    days_off, made_up = (
        tuple(sorted(day for day in days if day.year == year))
        for days in (known.days_off, known.made_up_workdays)
    )
    return YearCalendar(year, None, days_off, made_up, f"chinesecalendar {version('chinesecalendar')}")


async def loaded_year(
    store: Store, year: int, session: AsyncClientSession | None = None
) -> YearCalendar | None:
    """The newest version that was loaded of a year."""
    row = await store.database.collection(WorkCalendar).find_one(
        {"year": year}, sort=[("version", -1)], session=session
    )
    return None if row is None else _year_calendar(WorkCalendar.model_validate(row))


async def load_working_days(store: Store) -> WorkingDays:
    """The calendar of all years, loaded and published; at most `REREAD_AFTER_SECONDS` old."""
    seen: tuple[float, WorkingDays] | None = store.versions_seen.get(WorkCalendar)
    now = time.monotonic()
    if seen is not None and now - seen[0] < REREAD_AFTER_SECONDS:
        return seen[1]
    rows = store.database.collection(WorkCalendar).find().sort("version", 1)
    newest = {row["year"]: WorkCalendar.model_validate(row) async for row in rows}
    merged = _merged(published_working_days(), [_year_calendar(calendar) for calendar in newest.values()])
    store.versions_seen[WorkCalendar] = (now, merged)
    return merged


def _year_calendar(calendar: WorkCalendar) -> YearCalendar:
    return YearCalendar(
        calendar.year,
        calendar.version,
        tuple(calendar.days_off),
        tuple(calendar.made_up_workdays),
        calendar.source,
    )


def _merged(published: WorkingDays, loaded: list[YearCalendar]) -> WorkingDays:
    """A year that was loaded stands in place of the published one, whole."""
    years = frozenset(calendar.year for calendar in loaded)
    return WorkingDays(
        frozenset(day for day in published.days_off if day.year not in years).union(
            *(calendar.days_off for calendar in loaded)
        ),
        frozenset(day for day in published.made_up_workdays if day.year not in years).union(
            *(calendar.made_up_workdays for calendar in loaded)
        ),
        published.years | years,
    )
