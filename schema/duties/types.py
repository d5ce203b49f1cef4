"""The work calendar (工作日历)."""

from __future__ import annotations

import strawberry

from archive_store.duties.queries import calendar_of_year
from schema.context import Request
from schema.scalars import Day


@strawberry.type(description="工作日历: days off and make-up workdays of a year. Other weekends are off.")
class WorkCalendar:
    year: int
    version: int | None = strawberry.field(
        description="Counts what was loaded here; null of a published calendar."
    )
    days_off: list[Day] = strawberry.field(description="放假日.")
    made_up_workdays: list[Day] = strawberry.field(description="调休上班: weekend days that are worked.")
    source: str = strawberry.field(description="The notice, or the package, that it comes from.")


async def resolve_work_calendar(info: Request, year: int) -> WorkCalendar | None:
    """The calendar in force of a year; null where only weekends are known to be off."""
    found = await calendar_of_year(info.context.store, year)
    if found is None:
        return None
    return WorkCalendar(
        year=found.year,
        version=found.version,
        days_off=[Day(day) for day in found.days_off],
        made_up_workdays=[Day(day) for day in found.made_up_workdays],
        source=found.source,
    )
