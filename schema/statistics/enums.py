"""The enums of the statistics."""

from __future__ import annotations

import strawberry

from archive_store.statistics.flows import StudentFlow
from archive_store.statistics.grade_rules import GradeBand
from archive_store.statistics.grades import GradesBy
from archive_store.statistics.periods import PeriodUnit
from archive_store.statistics.wording import BANDS, FLOWS
from schema.enum_names import name_enum

name_enum(
    PeriodUnit,
    "How long a period is, in whole months.",
    {
        "MONTH": "月, spelt 2025-09",
        "TERM": "学期, spelt 2025-1: September to January, and 2025-2: February to August",
        "SCHOOL_YEAR": "学年, September to August, spelt 2025",
    },
    name="StatisticsPeriod",
)
name_enum(StudentFlow, "学籍流动.", {flow.name: words.zh for flow, words in FLOWS.items()})
name_enum(GradeBand, "分数段.", {band.name: words.zh for band, words in BANDS.items()})
strawberry.enum(GradesBy, description="What grade distributions are of, within term and course.")

__all__ = ["GradeBand", "GradesBy", "PeriodUnit", "StudentFlow"]
