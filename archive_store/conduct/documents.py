"""Awards (奖励), sanctions (处分), appeals (申诉) and the versions of their rules, as stored.

That there is a sanction is personal (F2), and so is each of its dates; why it was imposed is sensitive (F3).
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.stages import SchoolStage

F0, F1, F2, F3, F4 = FieldClass


class AwardLevel(StrEnum):
    """Whose award it is (奖励级别)."""

    CLASS = "CLASS"  # 班级
    SCHOOL = "SCHOOL"  # 校级
    COUNTY = "COUNTY"  # 县(区)级
    CITY = "CITY"  # 市级
    PROVINCE = "PROVINCE"  # 省级
    NATION = "NATION"  # 国家级


class AwardStatus(StrEnum):
    RECORDED = "RECORDED"  # 有效
    REVOKED = "REVOKED"  # 已撤销


class SanctionKind(StrEnum):
    """处分种类, the lightest first. Order 41 of the Ministry of Education (教育部令第41号), art. 51."""

    WARNING = "WARNING"  # 警告
    SERIOUS_WARNING = "SERIOUS_WARNING"  # 严重警告
    DEMERIT = "DEMERIT"  # 记过
    PROBATION = "PROBATION"  # 留校察看
    EXPULSION = "EXPULSION"  # 开除学籍


class SanctionStatus(StrEnum):
    """The end of its period alone does not end a sanction: it is removed on application."""

    IN_FORCE = "IN_FORCE"  # 生效中
    REMOVED = "REMOVED"  # 已解除
    REVOKED = "REVOKED"  # 已撤销, by an appeal


class AppealStatus(StrEnum):
    FILED = "FILED"  # 已受理: a committee is to be named
    UNDER_REVIEW = "UNDER_REVIEW"  # 复查中
    DECIDED = "DECIDED"  # 已作出复查决定
    PROVINCIAL = "PROVINCIAL"  # 已向省级教育行政部门申诉
    ANSWERED = "ANSWERED"  # 省级已答复


class AppealOutcome(StrEnum):
    UPHELD = "UPHELD"  # 维持
    CHANGED = "CHANGED"  # 变更
    REVOKED = "REVOKED"  # 撤销


class FiledAs(StrEnum):
    """As what somebody filed an appeal."""

    SELF = "SELF"  # 本人
    GUARDIAN = "GUARDIAN"  # 监护人
    INFORMATION_GROUP = "INFORMATION_GROUP"  # 信息管理组: it came on paper


Days = Annotated[int, Field(ge=1, le=366)]
Months = Annotated[int, Field(ge=1, le=60)]
Source = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class ConductRules(BaseModel):
    """The content of one version. Days are calendar days; which stages bar an expulsion is data as well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    period_months_least: Months
    period_months_most: Months
    appeal_days: Days  # from receipt (送达) of the sanction
    decision_days: Days  # from the filing of the appeal
    extension_days: Days  # once
    provincial_days: Days  # from the committee's decision
    reminder_days: Annotated[int, Field(ge=0, le=60)]  # before the committee's last day; 0 for none
    committee_least: Annotated[int, Field(ge=1, le=20)]
    no_expulsion_stages: frozenset[SchoolStage]


DEFAULT_CONDUCT_RULES = ConductRules(
    source="教育部令第41号《普通高等学校学生管理规定》第五十一条以下: 处分期限6至12个月; 申诉10日, 复查15日, "
    "可延长15日, 省级申诉15日; 义务教育阶段不得开除 (义务教育法第二十七条)",
    period_months_least=6,
    period_months_most=12,
    appeal_days=10,
    decision_days=15,
    extension_days=15,
    provincial_days=15,
    reminder_days=3,
    committee_least=3,
    no_expulsion_stages=frozenset({SchoolStage.PRIMARY, SchoolStage.JUNIOR}),
)


class ConductPolicy(Record):
    """A version of the rules of awards and sanctions (奖惩规则). The newest one in effect decides."""

    subject_type: ClassVar[str] = "ConductPolicy"

    version: Annotated[int, F0]
    effective_from: Annotated[date, F0]
    rules: Annotated[ConductRules, F0]

    class Settings:
        name = "conduct_policies"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012


def default_policy() -> ConductPolicy:
    return ConductPolicy(version=0, effective_from=date(1970, 1, 1), rules=DEFAULT_CONDUCT_RULES)


class Award(Record):
    """奖励 of one student."""

    subject_type: ClassVar[str] = "Award"

    student_id: Annotated[PydanticObjectId, F1]
    title: Annotated[str, F1]
    level: Annotated[AwardLevel, F1]
    awarded_by: Annotated[str, F1]
    awarded_on: Annotated[date, F1]
    document_number: Annotated[str | None, F1] = None
    reason: Annotated[str | None, F2] = None
    status: Annotated[AwardStatus, F1] = AwardStatus.RECORDED
    recorded_at: Annotated[datetime, F1]
    revoked_on: Annotated[date | None, F1] = None

    class Settings:
        name = "awards"
        indexes = [IndexModel([("student_id", 1), ("_id", -1)])]  # noqa: RUF012


class Sanction(Record):
    """处分 of one student. `served_on` is its receipt, from which the appeal clock runs until `appeal_until` inclusive.

    It is not removed before `ends_on`; an expulsion has neither `months` nor that day. `involved_ids` are who asked
    for it and who signed: none of them sits on the committee of an appeal.
    """

    subject_type: ClassVar[str] = "Sanction"

    student_id: Annotated[PydanticObjectId, F2]  # or a request for one would tell of whom there is one
    kind: Annotated[SanctionKind, F2]
    reason: Annotated[str, F3]
    document_number: Annotated[str, F2]
    decided_on: Annotated[date, F2]
    months: Annotated[int | None, F2] = None
    ends_on: Annotated[date | None, F2] = None
    status: Annotated[SanctionStatus, F2] = SanctionStatus.IN_FORCE
    imposed_at: Annotated[datetime, F2]
    involved_ids: Annotated[list[PydanticObjectId], F2]
    policy_version: Annotated[int, F2]
    served_on: Annotated[date | None, F2] = None
    appeal_until: Annotated[date | None, F2] = None
    removed_on: Annotated[date | None, F2] = None
    revoked_on: Annotated[date | None, F2] = None

    class Settings:
        name = "sanctions"
        indexes = [  # noqa: RUF012
            IndexModel([("student_id", 1), ("_id", -1)]),
            IndexModel([("student_id", 1), ("status", 1)]),
        ]


class CommitteeMember(BaseModel):
    """Of the committee (申诉处理委员会) of one appeal; the first named is its chair (主任委员)."""

    person_id: Annotated[PydanticObjectId, F2]
    name: Annotated[str, F2]


class Appeal(Record):
    """申诉 against one sanction; there is one, and after it the appeal to the province.

    `decide_by` and `provincial_until` are inclusive. `extended_on` is when `decide_by` was put off.
    """

    subject_type: ClassVar[str] = "Appeal"

    sanction_id: Annotated[PydanticObjectId, F2]
    student_id: Annotated[PydanticObjectId, F2]
    status: Annotated[AppealStatus, F2] = AppealStatus.FILED
    grounds: Annotated[str, F3]
    filed_on: Annotated[date, F2]
    filed_by: Annotated[PydanticObjectId, F2]
    filed_by_name: Annotated[str, F2]
    filed_as: Annotated[FiledAs, F2]
    policy_version: Annotated[int, F2]
    decide_by: Annotated[date, F2]
    committee: list[CommitteeMember] = Field(default_factory=list)
    extended_on: Annotated[date | None, F2] = None
    extension_reason: Annotated[str | None, F3] = None
    outcome: Annotated[AppealOutcome | None, F2] = None
    decision_reason: Annotated[str | None, F3] = None
    decided_on: Annotated[date | None, F2] = None
    decided_by_name: Annotated[str | None, F2] = None
    provincial_until: Annotated[date | None, F2] = None
    provincial_filed_on: Annotated[date | None, F2] = None
    provincial_number: Annotated[str | None, F2] = None
    provincial_outcome: Annotated[AppealOutcome | None, F2] = None
    provincial_answered_on: Annotated[date | None, F2] = None
    reminded_for: Annotated[date | None, F2] = None  # the last day that was reminded of
    told_overdue_for: Annotated[date | None, F2] = None  # the last day whose passing was told of

    class Settings:
        name = "appeals"
        indexes = [  # noqa: RUF012
            IndexModel("sanction_id", unique=True),
            IndexModel([("student_id", 1), ("_id", -1)]),
            IndexModel([("status", 1), ("_id", -1)]),
            IndexModel([("status", 1), ("decide_by", 1)]),
            IndexModel([("committee.person_id", 1), ("_id", -1)]),
        ]
