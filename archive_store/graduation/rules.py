"""The credential audit (学历审核), pure: each rule, met or not, with the evidence that it was held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from archive_store.foundation.stages import SchoolStage
from archive_store.graduation.documents import (
    GraduationOutcome,
    GraduationRequirement,
    GraduationRule,
)
from archive_store.students.documents import StatusPeriod, StudentStatus
from archive_store.students.status_periods import in_force

_NOT_COUNTED = frozenset(
    {
        *(StudentStatus.SUSPENDED, StudentStatus.STATUS_RETAINED, StudentStatus.STUDY_HALTED),
        *(StudentStatus.DROPPED_OUT, StudentStatus.TRANSFERRED_OUT),
    }
)
_MONTH_DAYS = 30.44


@dataclass(frozen=True, slots=True)
class AuditedRecord:
    """What is known of a record; `documents` are the types of its filed papers."""

    status: StudentStatus
    periods: Sequence[StatusPeriod]
    enrolled_month: str
    stage: SchoolStage | None
    documents: frozenset[str]


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One rule, met or not; `evidence` says of what the answer was taken: a status, months, document types."""

    requirement: GraduationRequirement
    is_met: bool
    evidence: str
    article: str
    outcomes: frozenset[GraduationOutcome]


def audited(record: AuditedRecord, rules: Sequence[GraduationRule], day: date) -> list[AuditFinding]:
    """Every rule of the record's stage in its order, held against the record for graduation on the day."""
    return [_held(record, rule, day) for rule in rules]


def _held(record: AuditedRecord, rule: GraduationRule, day: date) -> AuditFinding:
    match rule.requirement:
        case GraduationRequirement.IN_STUDY:
            is_met, evidence = record.status is StudentStatus.ENROLLED, record.status.value
        case GraduationRequirement.STUDY_MONTHS:
            months = study_months(record, day)
            is_met, evidence = months >= (rule.least_months or 0), str(months)
        case GraduationRequirement.DOCUMENTS:
            missing = rule.document_types - record.documents
            told = missing or rule.document_types
            is_met, evidence = not missing, "、".join(sorted(told))
    return AuditFinding(rule.requirement, is_met, evidence, rule.article, rule.outcomes)


def study_months(record: AuditedRecord, day: date) -> int:
    """Whole months from the month of entrance to the day, without those in which studies rested."""
    entered = date.fromisoformat(f"{record.enrolled_month}-01")
    rested = 0
    for period in in_force(record.periods):
        if period.status in _NOT_COUNTED and period.effective_from < day:
            ended = min(period.effective_to or day, day)
            rested += (ended - period.effective_from).days + 1
    months = (day.year - entered.year) * 12 + day.month - entered.month
    return max(0, months - round(rested / _MONTH_DAYS))


def unmet_for(findings: Sequence[AuditFinding], outcome: GraduationOutcome) -> list[GraduationRequirement]:
    return [held.requirement for held in findings if outcome in held.outcomes and not held.is_met]


def best_outcome(findings: Sequence[AuditFinding]) -> GraduationOutcome | None:
    """The first of 毕业, 结业, 肄业 whose rules are all met."""
    return next((outcome for outcome in GraduationOutcome if not unmet_for(findings, outcome)), None)
