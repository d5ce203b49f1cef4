"""What a score may be, whether it passes, grade points (绩点), the grade point average and ranks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from bson import ObjectId

from archive_store.academics.documents import (
    GradeKind,
    GradePointRules,
    GradeStatus,
    GradingScheme,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError

POLICY = "policy §三(一)"
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9])?", re.ASCII)
_LEVELS = {GradingScheme.FIVE_LEVEL: "ABCDF", GradingScheme.PASS_FAIL: "PF"}
_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class GpaScale:
    """绩点标准: one version of it. `bands` are the least percentages, from the highest on, and their points.

    A makeup (补考) gives `makeup_most` points at most, since it shows that the course is passed and no more. Courses
    that are passed or failed (两级制) have no points.
    """

    version: int
    bands: Sequence[tuple[Decimal, Decimal]]
    levels: Mapping[str, Decimal]
    makeup_most: Decimal

    def points(
        self, scheme: GradingScheme, kind: GradeKind, status: GradeStatus, score: str | None
    ) -> Decimal | None:
        """The points of one grade; None where it does not count, 0 of an exam that was missed (缺考)."""
        if scheme is GradingScheme.PASS_FAIL or status is GradeStatus.DEFERRED:
            return None
        if status is GradeStatus.ABSENT or score is None:
            return Decimal(0)
        if scheme is GradingScheme.FIVE_LEVEL:
            points = self.levels[score]
        else:
            percent = Decimal(score)
            points = next((held for least, held in self.bands if percent >= least), Decimal(0))
        return min(points, self.makeup_most) if kind is GradeKind.MAKEUP else points


def scale_from(version: int, rules: GradePointRules) -> GpaScale:
    """A stored version of the scale, to count with."""
    return GpaScale(
        version=version,
        bands=tuple((Decimal(band.least), Decimal(band.points)) for band in rules.bands),
        levels={level: Decimal(points) for level, points in rules.levels.items()},
        makeup_most=Decimal(rules.makeup_most),
    )


def check_scale(rules: GradePointRules) -> None:
    """OUT_OF_RANGE of a band that is not below the one before it in both, or is over 100; REQUIRED of a level."""
    for place, (band, after) in enumerate(pairwise(rules.bands), start=1):
        if Decimal(after.least) >= Decimal(band.least):
            raise RegistrarError(
                ErrorCode.OUT_OF_RANGE, field=f"rules.bands.{place}.least", least=0, most=band.least
            )
        if Decimal(after.points) > Decimal(band.points):
            raise RegistrarError(
                ErrorCode.OUT_OF_RANGE, field=f"rules.bands.{place}.points", least=0, most=band.points
            )
    if Decimal(rules.bands[0].least) > 100:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="rules.bands.0.least", least=0, most=100)
    if missing := sorted(set(_LEVELS[GradingScheme.FIVE_LEVEL]) - rules.levels.keys()):
        raise RegistrarError(ErrorCode.REQUIRED, field=f"rules.levels.{missing[0]}")


def checked_score(scheme: GradingScheme, status: GradeStatus, score: str | None) -> str | None:
    """The score as it is stored: 85 for 085 and 85.0.

    REQUIRED without one; INVALID_ARGUMENT with one where the exam was missed or put off; OUT_OF_RANGE, and
    UNKNOWN_CODE of a level, where the scheme does not have it. All on `score`.
    """
    if status in (GradeStatus.ABSENT, GradeStatus.DEFERRED):
        if score is not None:
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field="score",
                rule=POLICY,
                detail_zh="缺考、缓考没有分数",
                detail_en="an exam that was missed or put off has no score",
            )
        return None
    if score is None or not score.strip():
        raise RegistrarError(ErrorCode.REQUIRED, field="score", rule=POLICY)
    score = score.strip().upper()
    if scheme is not GradingScheme.PERCENT:
        if len(score) != 1 or score not in _LEVELS[scheme]:
            raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="score", rule=POLICY)
        return score
    if not _PERCENT.fullmatch(score) or Decimal(score) > 100:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="score", rule=POLICY, least=0, most=100)
    whole, _, tenth = score.partition(".")
    return f"{int(whole)}.{tenth}" if tenth not in ("", "0") else str(int(whole))


def passes(scheme: GradingScheme, status: GradeStatus, score: str | None) -> bool:
    """及格: from 60 of 100 on, and every level but F."""
    if score is None or status in (GradeStatus.ABSENT, GradeStatus.DEFERRED):
        return False
    return Decimal(score) >= 60 if scheme is GradingScheme.PERCENT else score != "F"


@dataclass(frozen=True, slots=True)
class Counted:
    """One grade as an average counts it; `credits` and `scheme` are its course's."""

    course_id: ObjectId
    credits: Decimal
    scheme: GradingScheme
    kind: GradeKind
    status: GradeStatus
    score: str | None


@dataclass(frozen=True, slots=True)
class Gpa:
    """平均学分绩点, two decimals, of so many credits, by a version of the scale."""

    value: Decimal
    credits: Decimal
    scale: int


def gpa_of(grades: Sequence[Counted], scale: GpaScale) -> Gpa | None:
    """Σ(credits × points) ÷ Σ credits, half up to two decimals; None where no course counts.

    Of a course that was taken several times, the most points count, and its credits once: of equal ones, the most.
    """
    best: dict[ObjectId, tuple[Decimal, Decimal]] = {}  # points and credits
    for grade in grades:
        points = scale.points(grade.scheme, grade.kind, grade.status, grade.score)
        if points is not None:
            told = points, grade.credits
            best[grade.course_id] = max(told, best.get(grade.course_id, told))
    credits_held = sum((held for _, held in best.values()), Decimal(0))
    if not credits_held:
        return None
    weighted = sum((held * points for points, held in best.values()), Decimal(0))
    value = (weighted / credits_held).quantize(_HUNDREDTH, rounding=ROUND_HALF_UP)
    return Gpa(value, credits_held, scale.version)


def passed_courses(grades: Iterable[Counted]) -> dict[ObjectId, Decimal]:
    """The courses that some grade passes, each once, with the most credits that it was passed with (已修学分)."""
    passed: dict[ObjectId, Decimal] = {}
    for grade in grades:
        if passes(grade.scheme, grade.status, grade.score):
            passed[grade.course_id] = max(grade.credits, passed.get(grade.course_id, grade.credits))
    return passed


def rank_of(own: Decimal, all_values: Sequence[Decimal]) -> int:
    """名次: 1 and the number of those who have more; equal ones share a rank."""
    return 1 + sum(value > own for value in all_values)
