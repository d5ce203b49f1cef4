"""A student's record as a calendar: what each day was known to be, written anew at each recording.

Written without the code that it is compared with: no entries and no ledger, but every value of every day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

Calendar = dict[date, Any]


class RecordModel:
    def __init__(
        self, at: datetime, days: tuple[date, date], first_day: date, status: str, values: Mapping[str, Any]
    ) -> None:
        first, last = days
        self._days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
        self._known: list[tuple[datetime, dict[str, Calendar]]] = []
        calendars: dict[str, Calendar] = {
            field: dict.fromkeys(self._days, value) for field, value in values.items()
        }
        calendars["status"] = {day: status if day >= first_day else None for day in self._days}
        self._known.append((at, calendars))

    @property
    def recordings(self) -> int:
        return len(self._known)

    def set(self, at: datetime, since: date, values: Mapping[str, Any]) -> None:
        """What was recorded at a time: from a day on, these values hold."""
        latest = self._known[-1][1]
        changed = {
            field: {day: values[field] if day >= since else held for day, held in latest[field].items()}
            for field in values
        }
        self._known.append((at, {**latest, **changed}))

    def undo(self, at: datetime, recording: int, fields: Iterable[str]) -> None:
        """What was recorded at a time: these fields are as they were known to be before that recording."""
        before = self._known[recording - 1][1]
        self._known.append((at, {**self._known[-1][1], **{field: before[field] for field in fields}}))

    def at(self, day: date, known_at: datetime | None = None) -> dict[str, Any] | None:
        known = [calendars for at, calendars in self._known if known_at is None or at <= known_at]
        return {field: calendar[day] for field, calendar in known[-1].items()} if known else None
