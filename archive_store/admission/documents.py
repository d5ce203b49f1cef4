"""Admission cases (入学办理) and the rules of admission as stored, policy §三(一)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pymongo import IndexModel

from archive_store.admission.applicants import Applicant
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.working_days import Period
from archive_store.students.applicants import ADMISSION_CASES

F0, F1, F2, F3, F4 = FieldClass


class SchoolStage(StrEnum):
    """学段."""

    PRIMARY = "PRIMARY"  # 小学
    JUNIOR = "JUNIOR"  # 初中
    SENIOR = "SENIOR"  # 普通高中
    VOCATIONAL = "VOCATIONAL"  # 中等职业
    UNDERGRAD = "UNDERGRAD"  # 本专科
    POSTGRAD = "POSTGRAD"  # 研究生
    SPECIAL = "SPECIAL"  # 特殊教育


class CaseStatus(StrEnum):
    """办理状态: 信息采集, 资格审核, 学籍录入, 信息确认, in this order."""

    COLLECTING = "COLLECTING"  # 信息采集
    IN_REVIEW = "IN_REVIEW"  # 资格审核: two seats sign
    REVIEW_FAILED = "REVIEW_FAILED"  # 审核未通过
    READY_FOR_ENTRY = "READY_FOR_ENTRY"  # 待录入
    ENTERED = "ENTERED"  # 已录入: the record is there
    AWAITING_CONFIRMATION = "AWAITING_CONFIRMATION"  # 待确认
    OBJECTED = "OBJECTED"  # 有异议: to be corrected by `due_at`
    CORRECTED = "CORRECTED"  # 已更正: to be confirmed again
    CONFIRMED = "CONFIRMED"  # 已确认


# A record exists from here on.
WITH_RECORD = frozenset(
    {
        CaseStatus.ENTERED,
        CaseStatus.AWAITING_CONFIRMATION,
        CaseStatus.OBJECTED,
        CaseStatus.CORRECTED,
        CaseStatus.CONFIRMED,
    }
)


class Channel(StrEnum):
    """来源: by which way information came."""

    ADMISSIONS_OFFICE = "ADMISSIONS_OFFICE"  # 招生办
    INFORMATION_GROUP = "INFORMATION_GROUP"  # 信息管理组
    ROSTER = "ROSTER"  # 花名册: a file
    FEED = "FEED"  # 数据接口: another system


class Supply(BaseModel):
    """What came at once, and from where: the newest that names a field tells where its value came from."""

    channel: Annotated[Channel, F1]
    origin: Annotated[str | None, F1] = None  # such as a file's name
    supplied_by: Annotated[PydanticObjectId | None, F1] = None
    supplied_by_name: Annotated[str, F1]
    at: Annotated[datetime, F1]
    fields: Annotated[list[str], F1]


class CaseEvidence(BaseModel):
    """材料: a filed scan that the case rests on, by its content."""

    document_type: Annotated[str, F1]
    scan_id: Annotated[PydanticObjectId, F1]
    sha256: Annotated[str, F2]
    added_by_name: Annotated[str, F1]
    added_at: Annotated[datetime, F1]


class Seat(StrEnum):
    """The two seats of the qualification review (资格审核), §三(一): both sign."""

    ACADEMIC_AFFAIRS = "ACADEMIC_AFFAIRS"  # 教务处
    DEPARTMENT = "DEPARTMENT"  # 学籍管理部门


class ReviewSignature(BaseModel):
    """审核意见. `digest` is what was signed; one of an earlier round is void."""

    seat: Annotated[Seat, F0]
    passed: Annotated[bool, F0]
    round: Annotated[int, F0]
    signed_by: Annotated[PydanticObjectId, F0]
    signed_by_name: Annotated[str, F0]
    signed_at: Annotated[datetime, F0]
    digest: Annotated[str, F1]
    comment: Annotated[str | None, F3] = None


class Capacity(StrEnum):
    """As what somebody confirms or objects."""

    SELF = "SELF"  # 本人
    GUARDIAN = "GUARDIAN"  # 监护人
    AT_SCHOOL = "AT_SCHOOL"  # 到校: said in person, written down by a member of staff


class Objection(BaseModel):
    """异议 to one field, of which a case has one open at a time.

    `proposed` is what it should say; the answer is `is_corrected`, or why it stands.
    """

    field: Annotated[str, F0]
    statement: Annotated[str, F3]
    proposed: Annotated[Any, F3] = None
    raised_by: Annotated[PydanticObjectId, F0]
    raised_by_name: Annotated[str, F0]
    capacity: Annotated[Capacity, F0]
    raised_at: Annotated[datetime, F0]
    due_at: Annotated[datetime, F0]
    is_corrected: Annotated[bool | None, F0] = None
    answer: Annotated[str | None, F3] = None
    answered_by_name: Annotated[str | None, F0] = None
    answered_at: Annotated[datetime | None, F0] = None

    @property
    def is_open(self) -> bool:
        return self.answered_at is None


class AdmissionCase(Record):
    """One candidate's way to a confirmed record.

    `student_id` is reserved for the record from the beginning, so that papers can be filed before there is one.
    `reference` is the source's own key; what comes again under it changes the case and makes no second one. `lookups`
    are blind indexes of the candidate's numbers while the case is under way. `due_at` is when the open objections must
    be answered. `fields_to_confirm` are those that the record said something in when it was entered.
    """

    subject_type: ClassVar[str] = "AdmissionCase"

    student_id: Annotated[PydanticObjectId, F0]
    reference: Annotated[str | None, F1] = None
    import_id: Annotated[PydanticObjectId | None, F1] = None
    stage: Annotated[SchoolStage, F0]
    cohort: Annotated[int, F0]  # 级: the year of entrance
    batch: Annotated[str | None, F1] = None  # 批次
    status: Annotated[CaseStatus, F0] = CaseStatus.COLLECTING
    applicant: Applicant
    lookups: Annotated[list[str], F1] = Field(default_factory=list)
    supplies: list[Supply] = Field(default_factory=list)
    evidence: list[CaseEvidence] = Field(default_factory=list)
    round: Annotated[int, F0] = 1
    submitted_by: Annotated[PydanticObjectId | None, F0] = None
    submitted_by_name: Annotated[str | None, F0] = None
    submitted_at: Annotated[datetime | None, F0] = None
    signatures: list[ReviewSignature] = Field(default_factory=list)
    entered_by_name: Annotated[str | None, F0] = None
    entered_at: Annotated[datetime | None, F0] = None
    fields_to_confirm: Annotated[list[str], F1] = Field(default_factory=list)
    confirmed_fields: Annotated[list[str], F1] = Field(default_factory=list)
    objections: list[Objection] = Field(default_factory=list)
    due_at: Annotated[datetime | None, F0] = None
    overdue_told_at: Annotated[datetime | None, F0] = None
    confirmed_at: Annotated[datetime | None, F0] = None
    confirmed_by_name: Annotated[str | None, F0] = None
    confirmed_as: Annotated[Capacity | None, F0] = None

    class Settings:
        name = ADMISSION_CASES
        indexes = [  # noqa: RUF012
            IndexModel("student_id", unique=True),
            IndexModel([("cohort", 1), ("status", 1), ("_id", 1)]),
            IndexModel([("status", 1), ("_id", 1)]),
            IndexModel([("status", 1), ("due_at", 1)]),
            IndexModel("import_id", sparse=True),
            IndexModel("reference", unique=True, partialFilterExpression={"reference": {"$type": "string"}}),
            IndexModel("lookups", unique=True, partialFilterExpression={"lookups.0": {"$exists": True}}),
        ]

    @property
    def current_signatures(self) -> list[ReviewSignature]:
        """Those that count: of this round."""
        return [signature for signature in self.signatures if signature.round == self.round]

    @property
    def open_objections(self) -> list[Objection]:
        return [objection for objection in self.objections if objection.is_open]


_DocumentType = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class StageEvidence(BaseModel):
    """必备材料: the papers that a case of this stage must hold before it is reviewed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: SchoolStage
    document_types: Annotated[frozenset[_DocumentType], Field(max_length=50)]


class AdmissionRules(BaseModel):
    """The content of one version. What is not named of a stage is not asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evidence: Annotated[tuple[StageEvidence, ...], Field(max_length=len(SchoolStage))]
    correction: Period

    def required_of(self, stage: SchoolStage) -> frozenset[str]:
        return frozenset().union(*(held.document_types for held in self.evidence if held.stage is stage))


# §三(一): 如身份证、户口本等. A child of six may have no identity card yet, and the register says the number.
DEFAULT_ADMISSION_RULES = AdmissionRules(
    evidence=(
        StageEvidence(stage=SchoolStage.PRIMARY, document_types=frozenset({"户口簿"})),
        *(
            StageEvidence(stage=stage, document_types=frozenset({"户口簿", "身份证"}))
            for stage in (SchoolStage.JUNIOR, SchoolStage.SENIOR, SchoolStage.VOCATIONAL)
        ),
        *(
            StageEvidence(stage=stage, document_types=frozenset({"身份证"}))
            for stage in (SchoolStage.UNDERGRAD, SchoolStage.POSTGRAD)
        ),
        StageEvidence(stage=SchoolStage.SPECIAL, document_types=frozenset({"户口簿"})),
    ),
    # 及时更正, as decided for this policy.
    correction=Period(working_days=3),
)


class AdmissionPolicy(Record):
    """A version of the rules of admission (入学办理规则). The newest one in effect decides."""

    subject_type: ClassVar[str] = "AdmissionPolicy"

    version: Annotated[int, F0]
    effective_from: Annotated[date, F0]
    rules: Annotated[AdmissionRules, F0]

    class Settings:
        name = "admission_policies"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012


def default_policy() -> AdmissionPolicy:
    return AdmissionPolicy(version=0, effective_from=date(1970, 1, 1), rules=DEFAULT_ADMISSION_RULES)
