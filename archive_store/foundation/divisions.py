"""Divisions of China (GB/T 2260 行政区划代码) with those that were abolished: `divisions.tsv` beside this file.

Whoever was born in a county that is a city district today keeps the county's code in the identity number, so the
codes of all lists since 1980 are known here, each with its names and the years whose lists have them. Years are those
of year-end lists: a change told a few months later may be a year off. The first, 1980, stands for "1980 or before".

A code that is missing here is not wrong for that: an unknown region is a warning, never a refusal. The data are made
by `scripts/divisions.py`; the first line names packages, licences and source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

_DATA = Path(__file__).with_suffix(".tsv")

DivisionState = Literal["known", "abolished", "unknown"]


@dataclass(frozen=True, slots=True)
class _Period:
    name: str
    first: int
    last: int | None

    def holds_in(self, year: int) -> bool:
        return self.first <= year and (self.last is None or year <= self.last)


@dataclass(frozen=True, slots=True)
class Division:
    """A code under one of its names; `parents` are the names of the province and the city above it, if any."""

    code: str
    name: str
    parents: tuple[str, ...]
    valid_from_year: int  # 1980: or before
    valid_to_year: int | None
    former_names: tuple[str, ...] = ()

    @property
    def is_abolished(self) -> bool:
        return self.valid_to_year is not None

    @property
    def full_name(self) -> str:
        return "".join((*self.parents, self.name))


def division(code: str, year: int | None = None) -> Division | None:
    """The division of a code of six digits, under its newest name or under that of a year; None if not known."""
    held = _periods().get(code)
    if not held:
        return None
    period = held[-1] if year is None else next((p for p in held if p.holds_in(year)), None)
    if period is None:
        return None
    return Division(
        code,
        period.name,
        _parents(code, period.last),
        period.first,
        period.last,
        tuple(dict.fromkeys(p.name for p in held if p.name != period.name and p.first < period.first)),
    )


def division_state(code: str) -> DivisionState:
    """Whether a code is in today's list, was in an earlier one, or is in none."""
    held = _periods().get(code)
    if not held:
        return "unknown"
    return "known" if held[-1].last is None else "abolished"


def source() -> str:
    """Where the data come from, as their first line says."""
    with _DATA.open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").rstrip()


def _parents(code: str, year: int | None) -> tuple[str, ...]:
    above = dict.fromkeys(c for c in (f"{code[:2]}0000", f"{code[:4]}00") if c != code)
    names = []
    for parent in above:
        held = _periods().get(parent, ())
        found = [p for p in held if (p.last is None if year is None else p.holds_in(year))]
        names += [p.name for p in found[-1:]]
    return tuple(names)


@cache
def _periods() -> Mapping[str, tuple[_Period, ...]]:
    found: dict[str, tuple[_Period, ...]] = {}
    for line in _DATA.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        code, name, first, last = line.split("\t")
        period = _Period(name, int(first), int(last) if last else None)
        found[code] = (*found.get(code, ()), period)
    return found
