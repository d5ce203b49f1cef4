"""Bands of scores, and what is told of the grades of one course in one term. Pure.

A table is of one course and one term, by band, and by grade or class where that is asked for. Protected, for the
smallest cell k of the policy, is what `analysis.rules` protects, of the bands and of the sums over them:

- of fewer than k grades nothing is told;
- a pass rate is told where everything that it is reckoned from is told by itself, so it adds nothing;
- a mean and a median are told where the number of grades is, and are suppressed as a table of scored grades is: what
  a coarser mean less the finer ones leaves is of no fewer than k scores.

Not protected: that a band is empty, so that all grades of a class that is told are in the others; the mean of a class
of which a reader knows all grades but one; two times, before and after a correction; and students who have one course
by two arrangements in one term, who count in both.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from statistics import median

from archive_store.academics.documents import GradingScheme
from archive_store.analysis.rules import Cell, hidden_cells, margin, order_of

_TENTH = Decimal("0.1")


class GradeBand(StrEnum):
    """分数段, or the level of a course that is graded by levels; last the exams without a score."""

    FROM_90 = "FROM_90"  # 90 and more
    FROM_80 = "FROM_80"  # 80 to below 90
    FROM_70 = "FROM_70"
    FROM_60 = "FROM_60"
    BELOW_60 = "BELOW_60"
    LEVEL_A = "LEVEL_A"  # 优秀
    LEVEL_B = "LEVEL_B"  # 良好
    LEVEL_C = "LEVEL_C"  # 中等
    LEVEL_D = "LEVEL_D"  # 及格
    LEVEL_P = "LEVEL_P"  # 合格
    LEVEL_F = "LEVEL_F"  # 不及格, 不合格
    ABSENT = "ABSENT"  # 缺考
    DEFERRED = "DEFERRED"  # 缓考


FAILED = frozenset({GradeBand.BELOW_60, GradeBand.LEVEL_F})
WITHOUT_SCORE = frozenset({GradeBand.ABSENT, GradeBand.DEFERRED})
_LEAST = ((90, GradeBand.FROM_90), (80, GradeBand.FROM_80), (70, GradeBand.FROM_70), (60, GradeBand.FROM_60))
_ORDER = {band: place for place, band in enumerate(GradeBand)}


def band_of(scheme: GradingScheme, score: str) -> GradeBand:
    """The band of a score as it is stored."""
    if scheme is not GradingScheme.PERCENT:
        return GradeBand(f"LEVEL_{score}")
    return next((band for least, band in _LEAST if Decimal(score) >= least), GradeBand.BELOW_60)


@dataclass(frozen=True, slots=True)
class BandCount:
    """How many grades of a band; None where suppressed."""

    band: GradeBand
    count: int | None
    suppressed: bool


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is told of the grades of one place; `place` as it was given to `distributions`.

    `pass_rate` is of those who have a score, 0 to 1; mean and median of percent scores to one decimal.
    """

    place: Cell
    count: int | None
    suppressed: bool
    bands: Sequence[BandCount]
    pass_rate: float | None
    mean: float | None
    median: float | None


@dataclass(frozen=True, slots=True)
class CountedGrade:
    """One grade: where it stands by the dimensions of the table, its band, and its score if that is a number."""

    place: Cell
    band: GradeBand
    score: Decimal | None = None


def distributions(
    grades: Sequence[CountedGrade], smallest: int, *, within: Sequence[tuple[int, int]] = ()
) -> list[Distribution]:
    """By place, of one course in one term; `within` as `hidden_cells` takes it, of the places alone."""
    if not grades:
        return []
    width = len(grades[0].place)
    places, counts = tuple(range(width)), Counter((*grade.place, grade.band) for grade in grades)
    totals = margin(counts, places)
    hidden = hidden_cells(counts, smallest, within=within)
    hidden_places = hidden_cells(totals, smallest, within=within)
    scored = Counter(grade.place for grade in grades if grade.score is not None)
    hidden_values = hidden_cells(scored, smallest, within=within)
    scores: defaultdict[Cell, list[Decimal]] = defaultdict(list)
    by_place: defaultdict[Cell, dict[GradeBand, int]] = defaultdict(dict)
    for grade in grades:
        if grade.score is not None:
            scores[grade.place].append(grade.score)
        by_place[grade.place][grade.band] = counts[*grade.place, grade.band]
    told = []
    for place in sorted(totals, key=order_of):
        is_hidden = place in hidden_places
        bands = [
            BandCount(band, None if (is_gone := (*place, band) in hidden) else count, is_gone)
            for band, count in sorted(by_place[place].items(), key=lambda held: _ORDER[held[0]])
            # Of so few, a band that is there would be the grade of one of them.
            if totals[place] >= smallest
        ]
        held = scores[place]
        tells_values = not is_hidden and bool(held) and place not in hidden_values
        told.append(
            Distribution(
                place,
                None if is_hidden else totals[place],
                is_hidden,
                bands,
                None if is_hidden else _pass_rate(totals[place], bands),
                _tenth(sum(held, Decimal(0)) / len(held)) if tells_values else None,
                _tenth(median(held)) if tells_values else None,
            )
        )
    return told


def _pass_rate(total: int, bands: Sequence[BandCount]) -> float | None:
    """By what is told alone; None where a count that it needs is not."""
    needed: Mapping[GradeBand, int | None] = {
        told.band: told.count for told in bands if told.band in FAILED | WITHOUT_SCORE
    }
    known = [(band, count) for band, count in needed.items() if count is not None]
    if len(known) < len(needed):
        return None
    scored = total - sum(count for band, count in known if band in WITHOUT_SCORE)
    failed = sum(count for band, count in known if band in FAILED)
    return round((scored - failed) / scored, 4) if scored else None


def _tenth(value: Decimal) -> float:
    return float(Decimal(value).quantize(_TENTH, rounding=ROUND_HALF_UP))
