"""Reading the work calendar and the code tables, which are open to all who are signed in."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date

from archive_store.foundation.code_tables import CodeEntry, CodeTable, code_table, code_tables
from archive_store.foundation.paging import Page, check_page_size
from archive_store.foundation.store import Store
from archive_store.foundation.work_calendars import YearCalendar, loaded_year, published_year


async def calendar_of_year(store: Store, year: int) -> YearCalendar | None:
    """The calendar in force of a year; None where only weekends are known to be off."""
    return await loaded_year(store, year) or published_year(year)


def tables_on(day: date | None) -> list[CodeTable]:
    """All tables by name, as they are in force today or on a day."""
    return [code_table(name, day) for name in sorted(code_tables())]


def table_on(name: str, day: date | None) -> CodeTable | None:
    """A table as it is in force today or on a day; None where there is none of the name."""
    return code_table(name, day) if name in code_tables() else None


def entries_of(
    store: Store, table: CodeTable, *, first: int, after: str | None, with_abolished: bool = True
) -> Page[CodeEntry]:
    """A page of entries in the order of their codes; `after` is a code, which the table need not have any more."""
    check_page_size(first, store.settings.page_size_limit)
    entries = sorted(
        (entry for entry in table.entries if with_abolished or not entry.is_abolished(table.day)),
        key=lambda entry: entry.code,
    )
    begin = 0 if after is None else bisect_right(entries, after, key=lambda entry: entry.code)
    return Page(entries[begin : begin + first], len(entries) > begin + first)
