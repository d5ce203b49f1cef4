"""The time. MongoDB keeps milliseconds, so nothing finer is handed out: what is hashed is what is stored."""

from __future__ import annotations

from datetime import UTC, datetime


class Clock:
    """The wall clock, in UTC."""

    def now(self) -> datetime:
        moment = datetime.now(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
