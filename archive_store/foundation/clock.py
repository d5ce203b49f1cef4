"""The time. MongoDB keeps milliseconds, so nothing finer is handed out: what is hashed is what is stored."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

# Dates of the policy are days in China, which keeps one time zone and no summer time.
SCHOOL_TIME = timezone(timedelta(hours=8))


def school_day(moment: datetime) -> date:
    """The day in China."""
    return moment.astimezone(SCHOOL_TIME).date()


class Clock:
    """The wall clock, in UTC."""

    def now(self) -> datetime:
        moment = datetime.now(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
