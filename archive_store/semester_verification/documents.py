"""Campaigns of semester verification (学期核验) and their items, one a student, as stored."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.students.documents import StudentStatus

F0, F1, F2, F3, F4 = FieldClass


class CampaignStatus(StrEnum):
    SCHEDULED = "SCHEDULED"  # 待开始: its first day has not come, or its students are being listed
    OPEN = "OPEN"  # 核验中
    CLOSED = "CLOSED"  # 已结束; its mismatches are still handled
    CANCELLED = "CANCELLED"  # 已取消


class ItemState(StrEnum):
    PENDING = "PENDING"  # 待核验
    VERIFIED = "VERIFIED"  # 已核验
    MISMATCH = "MISMATCH"  # 不符
    RESOLVED = "RESOLVED"  # 已处理


class Capacity(StrEnum):
    """As what somebody verified or reported."""

    SELF = "SELF"  # 本人
    GUARDIAN = "GUARDIAN"  # 监护人
    HOMEROOM_TEACHER = "HOMEROOM_TEACHER"  # 班主任
    INFORMATION_GROUP = "INFORMATION_GROUP"  # 信息管理组


class MismatchKind(StrEnum):
    """What art. 25 names (人籍不一致, 空挂学籍, 重复学籍), and single values that are wrong."""

    VALUES = "VALUES"  # 信息不符
    NOT_THE_PERSON = "NOT_THE_PERSON"  # 人籍不一致
    EMPTY_RECORD = "EMPTY_RECORD"  # 空挂学籍: a record without a student
    DUPLICATE_RECORD = "DUPLICATE_RECORD"  # 重复学籍


class MismatchOutcome(StrEnum):
    """What became of the last mismatch that was reported."""

    APPLIED = "APPLIED"  # 已变更: its change request was applied
    REJECTED = "REJECTED"  # 已驳回: its change request was rejected; the record is to be verified again
    WITHDRAWN = "WITHDRAWN"  # 已撤回: withdrawn, or superseded by another request
    SETTLED = "SETTLED"  # 已办结: handled in another way
    RETURNED = "RETURNED"  # 已退回: the record is to be verified again


class Found(BaseModel):
    """What was found to be right in place of the record's value, as text."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    field: Annotated[str, F1]
    value: Annotated[str, F3]


class VerificationCampaign(Record):
    """The verification of one semester: `term` 1 or 2 of the school year that begins in `school_year`.

    `semester` is set while it is not cancelled, so that there is one a semester. `closes_on` is inclusive. Without
    `grades`, all of them.
    """

    subject_type: ClassVar[str] = "VerificationCampaign"

    title: Annotated[str, F0]
    school_year: Annotated[int, F0]
    term: Annotated[int, F0]
    semester: Annotated[str | None, F0]
    opens_on: Annotated[date, F0]
    closes_on: Annotated[date, F0]
    statuses: Annotated[list[StudentStatus], F0]
    grades: Annotated[list[str], F0] = Field(default_factory=list)
    fields: Annotated[list[str], F0]
    status: Annotated[CampaignStatus, F0] = CampaignStatus.SCHEDULED
    opened_by: Annotated[PydanticObjectId, F0]
    opened_by_name: Annotated[str, F0]
    begun_at: Annotated[datetime | None, F0] = None
    reminded_for: Annotated[date | None, F0] = None  # the last day that was reminded of
    closed_at: Annotated[datetime | None, F0] = None
    closed_by_name: Annotated[str | None, F0] = None
    # What was left when it closed.
    left_pending: Annotated[int | None, F1] = None
    left_mismatches: Annotated[int | None, F1] = None

    class Settings:
        name = "verification_campaigns"
        indexes = [  # noqa: RUF012
            IndexModel(
                "semester",
                name="one_a_semester",
                unique=True,
                partialFilterExpression={"semester": {"$type": "string"}},
            ),
            IndexModel([("status", 1), ("_id", 1)]),
        ]


class VerificationItem(Record):
    """What was said of one student's record in one campaign; written with the first word.

    Its key is that of its row in the roll. `record_revision` is that of the student's record when it was verified,
    reported on or resolved, and `verified_fields` are those that whoever verified it may read. `request_id` is the
    change request that a mismatch became.
    """

    subject_type: ClassVar[str] = "VerificationItem"

    campaign_id: Annotated[PydanticObjectId, F0]
    student_id: Annotated[PydanticObjectId, F0]
    state: Annotated[ItemState, F0] = ItemState.PENDING
    verified_by: Annotated[PydanticObjectId | None, F1] = None
    verified_by_name: Annotated[str | None, F1] = None
    verified_as: Annotated[Capacity | None, F1] = None
    verified_at: Annotated[datetime | None, F1] = None
    verified_fields: Annotated[list[str], F1] = Field(default_factory=list)
    record_revision: Annotated[int | None, F1] = None
    kind: Annotated[MismatchKind | None, F1] = None
    found: list[Found] = Field(default_factory=list)
    note: Annotated[str | None, F3] = None
    reported_by: Annotated[PydanticObjectId | None, F1] = None
    reported_by_name: Annotated[str | None, F1] = None
    reported_as: Annotated[Capacity | None, F1] = None
    reported_at: Annotated[datetime | None, F1] = None
    request_id: Annotated[PydanticObjectId | None, F1] = None
    outcome: Annotated[MismatchOutcome | None, F1] = None
    answer: Annotated[str | None, F3] = None
    handled_by_name: Annotated[str | None, F1] = None
    handled_at: Annotated[datetime | None, F1] = None

    class Settings:
        name = "verification_items"
        indexes = [  # noqa: RUF012
            IndexModel([("campaign_id", 1), ("student_id", 1)], unique=True),
            IndexModel([("student_id", 1), ("_id", -1)]),
            IndexModel("request_id", partialFilterExpression={"state": "MISMATCH"}),
        ]


# 核验名册: whom a campaign is about, as `{campaign_id, student_id, class_name, grade, state, is_said}`. The
# clock keeps it to the students' records. It says nothing that these and the items do not say: `state` is the item's,
# repeated to count by, and `is_said` tells that there is one.
ROLL = "verification_roll"
ROLL_INDEXES = [
    IndexModel([("campaign_id", 1), ("student_id", 1)], unique=True),
    IndexModel([("campaign_id", 1), ("class_name", 1), ("state", 1), ("_id", 1)]),
    IndexModel([("campaign_id", 1), ("state", 1), ("_id", 1)]),
    IndexModel([("campaign_id", 1), ("_id", 1)]),
]
