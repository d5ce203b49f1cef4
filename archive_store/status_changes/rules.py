"""Whether a status change may be, pure: every rule that was looked at, met or not, with its article."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from archive_store.approvals.documents import Tier
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.stages import SchoolStage
from archive_store.status_changes.documents import ChangeRule, Prohibition, RulePack
from archive_store.status_changes.kinds import KINDS
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StatusPeriod, StudentStatus
from archive_store.students.status_periods import in_force

RULE = "policy §三(一)"
EXPULSION_ARTICLE = "教育部令第41号 第五十一条: 开除学籍为处分"
_TERM_DAYS = 183
_MONTH_DAYS = 30.5


class Requirement(StrEnum):
    """What is asked of a change."""

    STATUS = "STATUS"  # 原状态
    STAGE = "STAGE"  # 学段
    DAY = "DAY"  # 日期
    CLASS = "CLASS"  # 班级
    UNDER_SANCTION = "UNDER_SANCTION"  # 处分
    FIRST_TERM = "FIRST_TERM"  # 入学未满一学期
    MATERIALS = "MATERIALS"  # 材料
    LENGTH = "LENGTH"  # 期限
    TIER = "TIER"  # 审批层级
    EXPULSION = "EXPULSION"  # 开除学籍处分


# What tells that there is a sanction, or that there is none.
OF_SANCTIONS = frozenset({Requirement.UNDER_SANCTION, Requirement.EXPULSION})


@dataclass(frozen=True, slots=True)
class Finding:
    """One requirement, met or not, and where it stands; `missing` are the document types that lack.

    `is_open_ended`: a length cannot be told, since no last day is planned.
    """

    requirement: Requirement
    is_met: bool
    article: str
    pack: RulePack | None = None
    missing: tuple[str, ...] = ()
    is_open_ended: bool = False


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What is known of the record, and of what is asked beside the kind of change.

    `stage` is None where the class is of no cohort that the school set up. `materials` are document types.
    """

    status: StudentStatus
    periods: Sequence[StatusPeriod]
    enrolled_month: str
    stage: SchoolStage | None
    is_under_sanction: bool
    materials: frozenset[str]
    chain: Sequence[Tier]
    has_expulsion: bool = False  # as a sanction in force


def findings(
    kind: ChangeKind, facts: RecordFacts, rules: Sequence[ChangeRule], *, day: date, until: date | None
) -> list[Finding]:
    """Each requirement of the kind, then of each rule in its order."""
    held = in_force(facts.periods)
    found = [Finding(Requirement.STATUS, facts.status in KINDS[kind].before, RULE)]
    begun = held[-1].effective_from if held else None
    if kind is ChangeKind.CORRECT:
        begun = held[0].effective_from if held else None
    found.append(Finding(Requirement.DAY, begun is None or day >= begun, RULE))
    if until is not None:
        found.append(Finding(Requirement.LENGTH, until >= day, RULE))
    for rule in rules:
        found += _of_rule(rule, facts, day=day, until=until)
    return found


def _of_rule(rule: ChangeRule, facts: RecordFacts, *, day: date, until: date | None) -> list[Finding]:
    def told(requirement: Requirement, *, is_met: bool, missing: Collection[str] = ()) -> Finding:
        return Finding(requirement, is_met, rule.article, rule.pack, tuple(sorted(missing)))

    if rule.is_forbidden:
        return [told(Requirement.STAGE, is_met=False)]
    found = []
    if rule.from_statuses:
        found.append(told(Requirement.STATUS, is_met=facts.status in rule.from_statuses))
    if Prohibition.UNDER_SANCTION in rule.prohibitions:
        found.append(told(Requirement.UNDER_SANCTION, is_met=not facts.is_under_sanction))
    if Prohibition.FIRST_TERM in rule.prohibitions:
        entered = date.fromisoformat(f"{facts.enrolled_month}-01")
        found.append(told(Requirement.FIRST_TERM, is_met=(day - entered).days >= _TERM_DAYS))
    if rule.materials:
        missing = rule.materials - facts.materials
        found.append(told(Requirement.MATERIALS, is_met=not missing, missing=missing))
    if rule.longest_months is not None:
        if until is None and rule.change is ChangeKind.SUSPEND:
            found.append(replace(told(Requirement.LENGTH, is_met=False), is_open_ended=True))
        else:
            months = _suspended_days(facts.periods, day, until) / _MONTH_DAYS
            found.append(told(Requirement.LENGTH, is_met=months <= rule.longest_months))
    if rule.tier is not None:
        order = list(Tier)
        decides = max((order.index(tier) for tier in facts.chain), default=-1)
        found.append(told(Requirement.TIER, is_met=decides >= order.index(rule.tier)))
    return found


def _suspended_days(periods: Sequence[StatusPeriod], day: date, until: date | None) -> int:
    """Days of all suspensions up to the day before, one that runs included, and of the one that is asked for."""
    days = 0 if until is None else (until - day).days + 1
    yesterday = day - timedelta(days=1)
    for period in in_force(periods):
        if period.status is StudentStatus.SUSPENDED:
            ended = yesterday if period.effective_to is None else period.effective_to
            days += max(0, (ended - period.effective_from).days + 1)
    return days


def refusal(found: Sequence[Finding], facts: RecordFacts) -> RegistrarError | None:
    """What asking for it is answered with: the first requirement that is not met; None where all are."""
    unmet = next((finding for finding in found if not finding.is_met), None)
    if unmet is None:
        return None
    match unmet.requirement:
        case Requirement.STATUS:
            return RegistrarError(
                ErrorCode.WRONG_STATE, field="status", rule=unmet.article, state=facts.status
            )
        case Requirement.DAY:
            return RegistrarError(ErrorCode.INVALID_DATE, field="effective_from", rule=unmet.article)
        case Requirement.LENGTH if unmet.is_open_ended:
            return RegistrarError(ErrorCode.REQUIRED, field="until", rule=unmet.article)
        case Requirement.LENGTH:
            return RegistrarError(ErrorCode.INVALID_DATE, field="until", rule=unmet.article)
        case Requirement.MATERIALS:
            return RegistrarError(
                ErrorCode.MATERIALS_MISSING,
                field="materials",
                rule=unmet.article,
                types="、".join(unmet.missing),
            )
        case _:
            return RegistrarError(ErrorCode.RULE_FORBIDS, rule=unmet.article, article=unmet.article)
