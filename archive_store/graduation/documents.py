"""The rules of the credential audit (学历审核) as stored, and the decisions that were taken (毕业审批)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pymongo import IndexModel

from archive_store.conduct.documents import SanctionKind
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.stages import SchoolStage

F0, F1, F2, F3, F4 = FieldClass
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
RULES_LIMIT = 100


class GraduationOutcome(StrEnum):
    """毕业结论."""

    GRADUATE = "GRADUATE"  # 毕业
    COMPLETE = "COMPLETE"  # 结业
    LEAVE_INCOMPLETE = "LEAVE_INCOMPLETE"  # 肄业


class GraduationRequirement(StrEnum):
    """What a rule of the audit asks."""

    IN_STUDY = "IN_STUDY"  # 在读
    STUDY_MONTHS = "STUDY_MONTHS"  # 学习年限
    DOCUMENTS = "DOCUMENTS"  # 档案材料
    CREDITS = "CREDITS"  # 学分
    COURSES_PASSED = "COURSES_PASSED"  # 课程及格
    GPA = "GPA"  # 平均学分绩点
    NO_SANCTION_IN_FORCE = "NO_SANCTION_IN_FORCE"  # 无生效中的处分
    ATTENDANCE = "ATTENDANCE"  # 出勤率

    @property
    def parameters(self) -> frozenset[str]:
        """The fields of a rule that ask it; of COURSES_PASSED, one or both."""
        return _PARAMETERS.get(self, frozenset())


_PARAMETERS = {
    GraduationRequirement.STUDY_MONTHS: frozenset({"least_months"}),
    GraduationRequirement.DOCUMENTS: frozenset({"document_types"}),
    GraduationRequirement.CREDITS: frozenset({"least_credits"}),
    GraduationRequirement.COURSES_PASSED: frozenset({"course_codes", "is_every_arranged"}),
    GraduationRequirement.GPA: frozenset({"least_gpa", "gpa_scale"}),
    GraduationRequirement.NO_SANCTION_IN_FORCE: frozenset({"sanction_kinds"}),
    GraduationRequirement.ATTENDANCE: frozenset({"least_percent"}),
}
PARAMETERS = frozenset().union(*_PARAMETERS.values())
# Taken of sensitive values (F3), so that the evidence is as sensitive.
OF_GRADES = frozenset(
    {GraduationRequirement.CREDITS, GraduationRequirement.COURSES_PASSED, GraduationRequirement.GPA}
)
# Taken of nothing but internal values (F1), so that a decision may keep which of these were not met.
OF_THE_RECORD = frozenset(
    {
        GraduationRequirement.IN_STUDY,
        GraduationRequirement.STUDY_MONTHS,
        GraduationRequirement.DOCUMENTS,
    }
)


class GraduationRule(BaseModel):
    """One rule: for which stages (none: all of them) and which outcomes, and what it asks.

    STUDY_MONTHS has `least_months` from entrance, in which suspensions do not count; DOCUMENTS `document_types`;
    CREDITS `least_credits` of passed courses, each once; COURSES_PASSED `course_codes`, or all that the class was to
    be taught; GPA `least_gpa` by the scale of that version; NO_SANCTION_IN_FORCE the kinds that count; ATTENDANCE
    `least_percent` of the days of all terms.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirement: GraduationRequirement
    stages: frozenset[SchoolStage] = frozenset()
    outcomes: frozenset[GraduationOutcome]
    least_months: Annotated[int, Field(ge=1, le=200)] | None = None
    document_types: Annotated[frozenset[ShortText], Field(max_length=20)] = frozenset()
    least_credits: Annotated[float, Field(ge=0.5, le=1_000, multiple_of=0.5)] | None = None
    course_codes: Annotated[frozenset[ShortText], Field(max_length=100)] = frozenset()
    is_every_arranged: bool = False
    least_gpa: Annotated[float, Field(gt=0, le=5, allow_inf_nan=False)] | None = None
    gpa_scale: int | None = None
    sanction_kinds: frozenset[SanctionKind] = frozenset()
    least_percent: Annotated[int, Field(ge=1, le=100)] | None = None
    article: Annotated[str, StringConstraints(min_length=1, max_length=200)]


def rules_for(rules: Iterable[GraduationRule], stage: SchoolStage | None) -> Sequence[GraduationRule]:
    """Where the stage is not known, only what holds for all of them."""
    return [rule for rule in rules if not rule.stages or stage in rule.stages]


class GraduationRules(Record):
    """A version of the rules of the credential audit. The newest one in effect decides."""

    subject_type: ClassVar[str] = "GraduationRules"

    version: Annotated[int, F0]
    effective_from: Annotated[date, F0]
    rules: Annotated[tuple[GraduationRule, ...], F0]

    class Settings:
        name = "graduation_rules"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012

    def of(self, stage: SchoolStage | None) -> Sequence[GraduationRule]:
        return rules_for(self.rules, stage)


class GraduationItem(BaseModel):
    """One student of a decision: the outcome, and what was not met when it was decided.

    Of `unmet`, what is taken of grades, sanctions or attendance is not kept, since this is read as internal.
    """

    student_id: Annotated[PydanticObjectId, F1]
    outcome: Annotated[GraduationOutcome, F1]
    unmet: Annotated[list[GraduationRequirement], F1] = Field(default_factory=list)


class GraduationBatch(Record):
    """毕业批次 as decided: on whom, with what outcome, and by which version of the rules."""

    subject_type: ClassVar[str] = "GraduationBatch"

    label: Annotated[str, F0]
    graduates_on: Annotated[date, F0]
    rules_version: Annotated[int, F0]
    change_request_id: Annotated[PydanticObjectId | None, F0] = None
    decided_at: Annotated[datetime, F0]
    items: list[GraduationItem]

    class Settings:
        name = "graduation_batches"
        indexes = [IndexModel([("decided_at", -1), ("_id", -1)]), IndexModel("items.student_id")]  # noqa: RUF012


_STAGE_MONTHS = {
    SchoolStage.PRIMARY: 70,
    SchoolStage.JUNIOR: 34,
    SchoolStage.SENIOR: 34,
    SchoolStage.VOCATIONAL: 34,
    SchoolStage.UNDERGRAD: 34,
}
_FINISHED = frozenset({GraduationOutcome.GRADUATE, GraduationOutcome.COMPLETE})
_LEAST_MONTHS = 22
# A school year ends before the month in which it began is over, so that six years are 70 months.
DEFAULT_GRADUATION_RULES: tuple[GraduationRule, ...] = (
    GraduationRule(
        requirement=GraduationRequirement.IN_STUDY,
        outcomes=frozenset(GraduationOutcome),
        article="学校学籍管理制度 三(一): 毕业管理",
    ),
    # Of whatever stage, and where the class was not set up.
    GraduationRule(
        requirement=GraduationRequirement.STUDY_MONTHS,
        outcomes=_FINISHED,
        least_months=_LEAST_MONTHS,
        article="学制年限, as this school sets it",
    ),
    *(
        GraduationRule(
            requirement=GraduationRequirement.STUDY_MONTHS,
            stages=frozenset({stage}),
            outcomes=_FINISHED,
            least_months=months,
            article="学制年限, as this school sets it",
        )
        for stage, months in _STAGE_MONTHS.items()
    ),
)


def default_rules() -> GraduationRules:
    return GraduationRules(version=0, effective_from=date(1970, 1, 1), rules=DEFAULT_GRADUATION_RULES)
