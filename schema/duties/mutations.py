"""`calendarLoad`: asks for the work calendar of a year."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.operations import payload_of, perform
from archive_store.duties.operations import CalendarLoad
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.duties.types import WorkCalendar, resolve_work_calendar
from schema.errors import UserError, typed_errors
from schema.scalars import Day


@strawberry.input(
    description="Input of `calendarLoad`: the whole year. A day belongs to the year it falls in."
)
class CalendarLoadInput:
    year: int
    days_off: list[Day] = strawberry.field(description="放假日; weekends may be left out.")
    made_up_workdays: list[Day] = strawberry.field(
        default_factory=list, description="调休上班: weekend days that are worked."
    )
    source: str = strawberry.field(description="Title and number of the notice (放假安排的通知).")
    reason: str | None = None


@strawberry.type(description="Result of `calendarLoad`.")
class CalendarLoadPayload:
    work_calendar: WorkCalendar | None = strawberry.field(default=None, description="What is in force now.")
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(CalendarLoadPayload)
async def resolve_calendar_load(info: Request, input: CalendarLoadInput) -> CalendarLoadPayload:  # noqa: A002
    context = info.context
    payload = payload_of(
        CalendarLoad,
        {
            "calendar_id": ObjectId(),
            "year": input.year,
            "days_off": input.days_off,
            "made_up_workdays": input.made_up_workdays,
            "source": input.source,
        },
    )
    outcome = await perform(context.store, context.viewer, "calendar.load", payload, reason=input.reason)
    return CalendarLoadPayload(
        work_calendar=await resolve_work_calendar(info, input.year),
        change_request=await request_of(info, outcome.change_request_id),
    )
