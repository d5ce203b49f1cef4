"""The periods that figures are told by: months, halves of a school year and school years. Pure.

Every period is of whole months, and the coarser are made of the finer: two questions never differ by some days. A
period is told once it is over, since one that still runs would show each day's change to whoever asks every day.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from archive_store.foundation.errors import ErrorCode, RegistrarError

_MONTH = re.compile(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)
_TERM = re.compile(r"(19|20)[0-9]{2}-[12]", re.ASCII)
# 学年: from September to August; its first half (第一学期) ends with January.
_FIRST_MONTH, _LAST_OF_FIRST_HALF = 9, 1


class PeriodUnit(StrEnum):
    """How long a period is. A half of a school year counts the holidays that follow it: September to January, 1;
    February to August, 2."""

    MONTH = "MONTH"  # 月
    TERM = "TERM"  # 学期
    SCHOOL_YEAR = "SCHOOL_YEAR"  # 学年


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month, `YYYY-MM`."""

    year: int
    number: int

    @classmethod
    def of(cls, text: str, *, field: str) -> Month:
        """INVALID_DATE on `field` of what is no month."""
        if not _MONTH.fullmatch(text):
            raise RegistrarError(ErrorCode.INVALID_DATE, field=field)
        return cls(int(text[:4]), int(text[5:]))

    @property
    def text(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def last_day(self) -> date:
        return self.after(1).first_day - timedelta(days=1)

    @property
    def first_day(self) -> date:
        return date(self.year, self.number, 1)

    def after(self, months: int) -> Month:
        year, place = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(year, place + 1)

    @property
    def school_year(self) -> int:
        return self.year if self.number >= _FIRST_MONTH else self.year - 1

    @property
    def half(self) -> int:
        """1 or 2 of its school year."""
        return 1 if self.number >= _FIRST_MONTH or self.number <= _LAST_OF_FIRST_HALF else 2

    def periods(self, unit: PeriodUnit) -> tuple[str, ...]:
        """The periods of the unit and of the coarser ones that the month lies in, the coarsest first."""
        year, half = str(self.school_year), f"{self.school_year}-{self.half}"
        return {
            PeriodUnit.SCHOOL_YEAR: (year,),
            PeriodUnit.TERM: (year, half),
            PeriodUnit.MONTH: (year, half, self.text),
        }[unit]


def month_of(day: date) -> Month:
    return Month(day.year, day.month)


def months_of(unit: PeriodUnit, period: str) -> tuple[Month, Month]:
    """First and last month of a period by its text."""
    if unit is PeriodUnit.MONTH:
        month = Month(int(period[:4]), int(period[5:]))
        return month, month
    year = int(period[:4])
    first, last = Month(year, _FIRST_MONTH), Month(year + 1, _FIRST_MONTH - 1)
    if unit is PeriodUnit.SCHOOL_YEAR:
        return first, last
    middle = Month(year + 1, _LAST_OF_FIRST_HALF)
    return (first, middle) if period.endswith("-1") else (middle.after(1), last)


def check_range(first: str, last: str) -> tuple[Month, Month]:
    """The months from the first to the last; INVALID_DATE on `from_month` or `to_month`."""
    begins, ends = Month.of(first, field="from_month"), Month.of(last, field="to_month")
    if ends < begins:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="to_month")
    return begins, ends


def check_months(months: Sequence[str], today: date, *, most: int) -> list[Month]:
    """The months in their order, each once; INVALID_DATE of one that is not over, TOO_MANY of more than `most`."""
    if not months:
        raise RegistrarError(ErrorCode.REQUIRED, field="months")
    if len(months) > most:
        raise RegistrarError(ErrorCode.TOO_MANY, field="months", limit=most)
    found = sorted({Month.of(text, field=f"months.{place}") for place, text in enumerate(months)})
    if found[-1] >= month_of(today):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="months")
    return found


def check_terms(terms: Sequence[str], *, most: int) -> list[tuple[int, int]]:
    """School year and number of each term that `YYYY-1` or `YYYY-2` names; INVALID_ARGUMENT of what is none."""
    if not terms:
        raise RegistrarError(ErrorCode.REQUIRED, field="terms")
    if len(terms) > most:
        raise RegistrarError(ErrorCode.TOO_MANY, field="terms", limit=most)
    for place, text in enumerate(terms):
        if not _TERM.fullmatch(text):
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field=f"terms.{place}",
                detail_zh="写作 2025-1(学年与学期)",
                detail_en="is spelt 2025-1: school year and number",
            )
    return sorted({(int(text[:4]), int(text[5:])) for text in terms})
