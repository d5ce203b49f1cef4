"""学籍状态区间 as a ledger: a change or a correction adds periods and supersedes others, and removes none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StatusPeriod, StudentStatus

_Span = tuple[StudentStatus, date, date | None]


def in_force(periods: Sequence[StatusPeriod]) -> list[StatusPeriod]:
    """What holds by what is known now, in order of days."""
    return sorted(
        (period for period in periods if period.superseded_at is None),
        key=lambda period: period.effective_from,
    )


def first_day(periods: Sequence[Row]) -> date | None:
    """The first day of the ledger as stored, by what is known now; None of one that is empty."""
    days = [period["effective_from"] for period in periods if period["superseded_at"] is None]
    return date.fromisoformat(min(days)) if days else None


def status_on(periods: Sequence[Row], day: date) -> str | None:
    """The status of the day by the ledger as stored; None before its first day."""
    text = day.isoformat()
    for period in periods:
        is_over = period["effective_to"] is not None and period["effective_to"] < text
        if period["superseded_at"] is None and period["effective_from"] <= text and not is_over:
            return str(period["status"])
    return None


@dataclass(frozen=True, slots=True)
class Cause:
    """What a period begins by, and what it keeps of that."""

    kind: ChangeKind | None = None
    change_request_id: ObjectId | None = None
    document_number: str | None = None
    counterpart: str | None = None
    planned_to: date | None = None

    @property
    def told(self) -> dict[str, Any]:
        """As fields of the period."""
        key = None if self.change_request_id is None else PydanticObjectId(self.change_request_id)
        return {
            "cause": self.kind,
            "change_request_id": key,
            "document_number": self.document_number,
            "counterpart": self.counterpart,
            "planned_to": self.planned_to,
        }


_UNTOLD = Cause()


def with_status(
    periods: Sequence[StatusPeriod],
    status: StudentStatus,
    day: date,
    at: datetime,
    cause: Cause = _UNTOLD,
) -> list[StatusPeriod]:
    """With a new status from the day on, known at `at`; INVALID_DATE before the running period began.

    The running period is superseded by one that ends the day before.
    """
    running = next((period for period in in_force(periods) if period.effective_to is None), None)
    if running is not None and day < running.effective_from:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="effective_from")
    return _rewritten(periods, status, day, at, cause)


def with_correction(
    periods: Sequence[StatusPeriod], status: StudentStatus, day: date, at: datetime, cause: Cause
) -> list[StatusPeriod]:
    """With another status from the day on than was recorded, whatever followed; INVALID_DATE before the first day."""
    held = in_force(periods)
    if held and day < held[0].effective_from:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="effective_from")
    return _rewritten(periods, status, day, at, cause)


def _rewritten(
    periods: Sequence[StatusPeriod], status: StudentStatus, day: date, at: datetime, cause: Cause
) -> list[StatusPeriod]:
    """What lies behind the day is superseded, and what runs into it ends the day before."""
    added = [StatusPeriod(status=status, effective_from=day, recorded_at=at, **cause.told)]
    kept = []
    for period in periods:
        reaches = period.effective_to is None or period.effective_to >= day
        if period.superseded_at is None and reaches:
            if period.effective_from < day:
                closed = {"effective_to": day - timedelta(days=1), "recorded_at": at}
                added.insert(0, period.model_copy(update=closed))
            kept.append(period.model_copy(update={"superseded_at": at}))
        else:
            kept.append(period)
    return kept + added


def restored(
    periods: Sequence[StatusPeriod], before: Sequence[StatusPeriod], at: datetime
) -> list[StatusPeriod]:
    """With what held before in force again: what came since is superseded."""
    spans, held = {_span(period) for period in in_force(before)}, set()
    kept = []
    for period in periods:
        if period.superseded_at is None and _span(period) not in spans:
            kept.append(period.model_copy(update={"superseded_at": at}))
        else:
            kept.append(period)
            if period.superseded_at is None:
                held.add(_span(period))
    again = [period for period in in_force(before) if _span(period) not in held]
    return kept + [period.model_copy(update={"recorded_at": at}) for period in again]


def say_the_same(one: Sequence[StatusPeriod], other: Sequence[StatusPeriod]) -> bool:
    """Whether the same holds by both, whenever it was recorded."""
    return [_span(period) for period in in_force(one)] == [_span(period) for period in in_force(other)]


def _span(period: StatusPeriod) -> _Span:
    return period.status, period.effective_from, period.effective_to
