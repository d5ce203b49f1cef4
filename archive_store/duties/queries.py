"""Reading the work calendar, which is open to all who are signed in."""

from __future__ import annotations

from archive_store.foundation.store import Store
from archive_store.foundation.work_calendars import YearCalendar, loaded_year, published_year


async def calendar_of_year(store: Store, year: int) -> YearCalendar | None:
    """The calendar in force of a year; None where only weekends are known to be off."""
    return await loaded_year(store, year) or published_year(year)
