"""`calendar.load`: the work calendar of a year, from the State Council's notice (放假安排的通知).

The notice changes no school policy, so it is a daily operation (policy §四(一)): the information group enters it and
the department head approves, since everybody's deadlines are counted by it. Deadlines that run already stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.foundation.work_calendars import WorkCalendar, loaded_year, published_year

RULE = "国务院办公厅节假日安排通知"
SOURCE_LIMIT = 300
_EARLIEST, _LATEST = 2004, 2100
_TOLD = ("year", "days_off", "made_up_workdays", "source")
_FRIDAY = 4

Days = Annotated[frozenset[date], Field(max_length=366)]


class CalendarLoad(Payload):
    """Payload of `calendar.load`: a year, whole. A day belongs to the year it falls in, whichever notice names it."""

    calendar_id: PydanticObjectId
    year: int
    days_off: Days
    made_up_workdays: Days = frozenset()
    source: Annotated[str, StringConstraints(min_length=1, max_length=SOURCE_LIMIT)]


def _refuse(field: str, days: frozenset[date], zh: str, en: str) -> None:
    if days:
        named = ", ".join(day.isoformat() for day in sorted(days))
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field=field,
            rule=RULE,
            detail_zh=f"{named} {zh}",
            detail_en=f"{named} {en}",
        )


async def _check(store: Store, viewer: Viewer, payload: CalendarLoad) -> None:
    if not _EARLIEST <= payload.year <= _LATEST:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="year", least=_EARLIEST, most=_LATEST)
    check_text(payload.source, field="source", limit=SOURCE_LIMIT)
    if not payload.days_off:  # every year has some, so that an empty list is a slip
        raise RegistrarError(ErrorCode.REQUIRED, field="days_off", rule=RULE)
    for field in ("days_off", "made_up_workdays"):
        strangers = frozenset(day for day in getattr(payload, field) if day.year != payload.year)
        _refuse(field, strangers, f"不在 {payload.year} 年", f"not in {payload.year}")
    both = payload.days_off & payload.made_up_workdays
    _refuse("made_up_workdays", both, "同时列为放假日", "listed as a day off, too")
    weekdays = frozenset(day for day in payload.made_up_workdays if day.weekday() <= _FRIDAY)
    _refuse("made_up_workdays", weekdays, "不是周末", "not at a weekend")
    current = await loaded_year(store, payload.year)
    if current is not None and _days(current) == _days(payload):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="days_off")


def _days(calendar: Any) -> dict[str, Any]:
    return {name: bson_value(sorted(getattr(calendar, name))) for name in ("days_off", "made_up_workdays")}


async def _current(
    store: Store, session: AsyncClientSession | None, payload: CalendarLoad
) -> Mapping[str, Any]:
    """What is in force, so that whoever approves sees the difference."""
    current = await loaded_year(store, payload.year, session) or published_year(payload.year)
    return {} if current is None else {"version": current.version, **_days(current)}


async def _apply(unit: UnitOfWork, payload: CalendarLoad) -> ObjectId:
    current = await loaded_year(unit.store, payload.year, unit.session)
    calendar = WorkCalendar(
        id=payload.calendar_id,
        year=payload.year,
        version=(current.version or 0) + 1 if current else 1,
        days_off=sorted(payload.days_off),
        made_up_workdays=sorted(payload.made_up_workdays),
        source=payload.source,
    )
    await unit.insert(calendar)
    changes = [FieldChange(name, None, bson_value(getattr(calendar, name))) for name in ("version", *_TOLD)]
    subject = Subject(WorkCalendar.subject_type, calendar.key)
    unit.audit(subject, "work_calendar:load", changes)
    for post in (Post.INFORMATION_GROUP, Post.DIRECTOR):
        unit.notify(post, "work_calendar:loaded", subject)
    return calendar.key


CALENDAR_LOAD = Operation(
    name="calendar.load",
    record_type=WorkCalendar,
    payload=CalendarLoad,
    requesters=frozenset({Post.INFORMATION_GROUP, Post.DIRECTOR}),
    subject=lambda payload: Subject(WorkCalendar.subject_type, payload.calendar_id),
    requested_values=lambda payload: {name: bson_value(getattr(payload, name)) for name in _TOLD},
    fields=lambda payload: frozenset(_TOLD),
    current=_current,
    check=_check,
    apply=_apply,
)
