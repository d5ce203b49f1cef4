"""The pure rules of conduct: periods, clocks, and what an appeal may change."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from archive_store.conduct.documents import (
    DEFAULT_CONDUCT_RULES,
    AppealOutcome,
    Sanction,
    SanctionKind,
)
from archive_store.conduct.rules import (
    KINDS,
    check_committee,
    check_outcome,
    check_period,
    check_stage,
    last_day,
    months_after,
)
from archive_store.foundation.clock import SCHOOL_TIME
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.working_days import WorkingDays

RULES = DEFAULT_CONDUCT_RULES
DAYS = st.dates(date(2000, 1, 1), date(2090, 1, 1))


def sanction(kind: SanctionKind, months: int | None) -> Sanction:
    return Sanction.model_construct(
        kind=kind, months=months, decided_on=date(2026, 1, 1), imposed_at=datetime.now(SCHOOL_TIME)
    )


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 3, 15), 6, date(2026, 9, 15)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2023, 8, 31), 6, date(2024, 2, 29)),
        (date(2026, 12, 1), 12, date(2027, 12, 1)),
    ],
)
def test_months_end_on_the_same_day_or_the_last_one(day: date, months: int, expected: date) -> None:
    assert months_after(day, months) == expected


@given(DAYS, st.integers(1, 60))
def test_a_period_is_never_longer_than_its_months(day: date, months: int) -> None:
    end = months_after(day, months)
    assert (end.year - day.year) * 12 + end.month - day.month == months
    assert end.day <= day.day


def test_a_clock_of_days_ends_on_a_working_day() -> None:
    calendar = WorkingDays(
        days_off=frozenset({date(2026, 10, day) for day in range(1, 8)}),
        made_up_workdays=frozenset({date(2026, 10, 10)}),
        years=frozenset({2026}),
    )
    assert last_day(date(2026, 9, 1), 10, calendar) == date(2026, 9, 11)
    assert last_day(date(2026, 9, 2), 10, calendar) == date(2026, 9, 14)  # the 12th is a Saturday
    assert last_day(date(2026, 9, 21), 10, calendar) == date(2026, 10, 8)
    assert last_day(date(2026, 9, 30), 10, calendar) == date(2026, 10, 10)  # a Saturday that is made up


@given(DAYS, st.integers(1, 60))
def test_a_clock_is_never_shorter_than_its_days(day: date, days: int) -> None:
    end = last_day(day, days, WorkingDays())
    assert timedelta(0) <= end - (day + timedelta(days=days)) <= timedelta(days=2)


@pytest.mark.parametrize(
    ("kind", "stage", "allowed"),
    [
        (SanctionKind.EXPULSION, SchoolStage.PRIMARY, False),
        (SanctionKind.EXPULSION, SchoolStage.JUNIOR, False),
        (SanctionKind.EXPULSION, None, False),
        (SanctionKind.EXPULSION, SchoolStage.SENIOR, True),
        (SanctionKind.EXPULSION, SchoolStage.UNDERGRAD, True),
        (SanctionKind.PROBATION, SchoolStage.PRIMARY, True),
        (SanctionKind.WARNING, None, True),
    ],
)
def test_which_stages_bar_an_expulsion(kind: SanctionKind, stage: SchoolStage | None, allowed: bool) -> None:
    if allowed:
        check_stage(kind, stage, RULES)
        return
    with pytest.raises(RegistrarError):
        check_stage(kind, stage, RULES)


def test_which_stages_bar_it_is_data() -> None:
    free = RULES.model_copy(update={"no_expulsion_stages": frozenset()})
    check_stage(SanctionKind.EXPULSION, None, free)
    check_stage(SanctionKind.EXPULSION, SchoolStage.JUNIOR, free)


_KINDS = st.sampled_from(KINDS)
_MONTHS = st.none() | st.integers(1, 24)


@given(_KINDS, _MONTHS, _KINDS, _MONTHS)
def test_an_appeal_never_makes_it_worse(
    before: SanctionKind, held: int | None, after: SanctionKind, months: int | None
) -> None:
    try:
        check_period(before, held, RULES)
        check_outcome(sanction(before, held), AppealOutcome.CHANGED, after, months, RULES)
    except RegistrarError:
        return
    assert after is not SanctionKind.EXPULSION and months is not None
    assert KINDS.index(after) < KINDS.index(before) or (
        after is before and held is not None and months < held
    )
    assert RULES.period_months_least <= months <= RULES.period_months_most


def test_a_committee_has_enough_members_none_of_them_barred() -> None:
    people = [ObjectId() for _ in range(3)]
    check_committee(people, {ObjectId()}, RULES)
    for members, barred in ((people[:2], set()), ([*people, people[0]], set()), (people, {people[2]})):
        with pytest.raises(RegistrarError):
            check_committee(members, barred, RULES)
