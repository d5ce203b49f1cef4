"""The rules of status changes (学籍异动规则) as stored: packs of them, versioned, each rule with its article."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pymongo import IndexModel

from archive_store.approvals.documents import Tier
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.stages import SchoolStage
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StudentStatus

F0 = FieldClass.F0
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
RULES_LIMIT = 200


class RulePack(StrEnum):
    """法规包: whose rule it is. A school's own rules add to the others and take nothing away."""

    K12_2025 = "K12_2025"  # 教基〔2025〕1号
    ORDER_41 = "ORDER_41"  # 教育部令第41号
    SCHOOL = "SCHOOL"  # 学校规定


class Prohibition(StrEnum):
    """禁止情形 that the record itself can tell."""

    UNDER_SANCTION = "UNDER_SANCTION"  # 处分期内
    FIRST_TERM = "FIRST_TERM"  # 入学未满一学期


class ChangeRule(BaseModel):
    """One rule: for which change and stages (none: all of them), and what it asks.

    `is_forbidden` is a change that there is not in these stages. `from_statuses` narrows from where it goes.
    `longest_months` counts all suspensions together, so that one that is asked for has its last day.
    `party_working_days` is what each party of a transfer has.
    `tier` is the lowest that may decide. `article` says where it stands, `source` how well that is known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pack: RulePack
    change: ChangeKind
    stages: frozenset[SchoolStage] = frozenset()
    is_forbidden: bool = False
    from_statuses: frozenset[StudentStatus] = frozenset()
    prohibitions: frozenset[Prohibition] = frozenset()
    materials: Annotated[frozenset[ShortText], Field(max_length=20)] = frozenset()
    longest_months: Annotated[int, Field(ge=1, le=120)] | None = None
    party_working_days: Annotated[int, Field(ge=1, le=260)] | None = None
    tier: Tier | None = None
    article: ShortText
    source: ShortText

    def holds_for(self, change: ChangeKind, stage: SchoolStage | None) -> bool:
        """Where the stage is not known, only what holds for all of them does."""
        return self.change is change and (not self.stages or stage in self.stages)


def rules_for(
    rules: Iterable[ChangeRule], change: ChangeKind, stage: SchoolStage | None
) -> Sequence[ChangeRule]:
    return [rule for rule in rules if rule.holds_for(change, stage)]


class StatusRules(Record):
    """A version of the rules of status changes. The newest one in effect decides."""

    subject_type: ClassVar[str] = "StatusRules"

    version: Annotated[int, F0]
    effective_from: Annotated[date, F0]
    rules: Annotated[tuple[ChangeRule, ...], F0]

    class Settings:
        name = "status_rules"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012

    def of(self, change: ChangeKind, stage: SchoolStage | None) -> Sequence[ChangeRule]:
        return rules_for(self.rules, change, stage)
