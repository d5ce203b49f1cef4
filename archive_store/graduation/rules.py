"""The credential audit (学历审核), pure: each rule, met or not, with the evidence that it was held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_DOWN, Decimal

from bson import ObjectId

from archive_store.academics.results import Attended
from archive_store.academics.rules import Counted, GpaScale, gpa_of, passed_courses
from archive_store.conduct.documents import SanctionKind
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
_TENTH = Decimal("0.1")
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class AuditedRecord:
    """What is known of a record; `documents` are the types of its filed papers, `sanctions` the kinds in force.

    `courses` are those that the rules name, `arranged` those that the class was to be taught, by code, `scales` those
    of averages that they name, by version. What no rule asks for is empty. `attended` is None where no term was
    recorded.
    """

    status: StudentStatus
    periods: Sequence[StatusPeriod]
    enrolled_month: str
    stage: SchoolStage | None
    documents: frozenset[str]
    grades: Sequence[Counted] = ()
    courses: Mapping[str, ObjectId] = field(default_factory=dict)
    arranged: Mapping[str, ObjectId] = field(default_factory=dict)
    scales: Mapping[int | None, GpaScale] = field(default_factory=dict)
    sanctions: frozenset[SanctionKind] = frozenset()
    attended: Attended | None = None


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One rule, met or not; `evidence` says of what the answer was taken: a status, months, document types, numbers.

    Shown to a viewer, each is None where it would tell more than they read.
    """

    requirement: GraduationRequirement
    is_met: bool | None
    evidence: str | None
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
        case GraduationRequirement.CREDITS:
            earned = sum(passed_courses(record.grades).values(), Decimal(0))
            is_met, evidence = _at_least(earned, rule.least_credits)
        case GraduationRequirement.COURSES_PASSED:
            is_met, evidence = _courses(record, rule)
        case GraduationRequirement.GPA:
            average = gpa_of(record.grades, record.scales[rule.gpa_scale])
            is_met, evidence = _at_least(None if average is None else average.value, rule.least_gpa)
        case GraduationRequirement.NO_SANCTION_IN_FORCE:
            counted = record.sanctions & rule.sanction_kinds
            is_met, evidence = not counted, "、".join(sorted(counted)) or "0"
        case GraduationRequirement.ATTENDANCE:
            is_met, evidence = _at_least(_percent(record.attended), rule.least_percent)
    return AuditFinding(rule.requirement, is_met, evidence, rule.article, rule.outcomes)


def _at_least(held: Decimal | None, least: float | None) -> tuple[bool, str]:
    """Whether it is reached, and what of what; where nothing was recorded, nothing is."""
    asked = Decimal(str(least or 0))
    return held is not None and held >= asked, f"{_told(held)}/{_told(asked)}"


def _told(number: Decimal | None) -> str:
    return _NOTHING if number is None else f"{number.normalize():f}"


def _courses(record: AuditedRecord, rule: GraduationRule) -> tuple[bool, str]:
    """As of documents: those that lack, or that are there. Where none was arranged, nothing was passed."""
    passed = passed_courses(record.grades)
    wanted = {code: record.courses.get(code) for code in rule.course_codes}
    if rule.is_every_arranged:
        wanted |= record.arranged
    missing = [code for code, key in wanted.items() if key not in passed]
    return bool(wanted) and not missing, "、".join(sorted(missing or wanted)) or _NOTHING


def _percent(days: Attended | None) -> Decimal | None:
    """出勤率: the days present of those due, cut after one decimal, so that what is shown reaches what is met."""
    if days is None or not days.due:
        return None
    return (Decimal(days.present) * 100 / days.due).quantize(_TENTH, rounding=ROUND_DOWN)


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
    return [held.requirement for held in findings if outcome in held.outcomes and held.is_met is False]


def best_outcome(findings: Sequence[AuditFinding]) -> GraduationOutcome | None:
    """The first of 毕业, 结业, 肄业 whose rules are all met; None where there is none, or where that is kept back."""
    best = next((outcome for outcome in GraduationOutcome if not unmet_for(findings, outcome)), None)
    is_kept_back = any(held.is_met is None and best in held.outcomes for held in findings)
    return None if is_kept_back else best
