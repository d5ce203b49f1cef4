"""Transfer cases (转学办理) and the rules of their routes, as stored."""

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
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
STEPS_LIMIT = 20
REMINDER_MOST = 60  # days before


class CaseDirection(StrEnum):
    """转学方向, as this school sees it."""

    IN = "IN"  # 转入
    OUT = "OUT"  # 转出


class CaseRoute(StrEnum):
    """办理流程: which parties there are, and in which order."""

    SAME_COUNTY = "SAME_COUNTY"  # 同县(区)
    CROSS_COUNTY = "CROSS_COUNTY"  # 跨县(区)
    CROSS_PROVINCE = "CROSS_PROVINCE"  # 跨省
    HIGHER_EDUCATION = "HIGHER_EDUCATION"  # 高等学校, 省内
    HIGHER_EDUCATION_CROSS_PROVINCE = "HIGHER_EDUCATION_CROSS_PROVINCE"  # 高等学校, 跨省


class Party(StrEnum):
    """办理方."""

    RECEIVING_SCHOOL = "RECEIVING_SCHOOL"  # 转入学校
    SENDING_SCHOOL = "SENDING_SCHOOL"  # 转出学校
    AUTHORITY = "AUTHORITY"  # 主管教育行政部门, the same for both
    RECEIVING_AUTHORITY = "RECEIVING_AUTHORITY"  # 转入地教育行政部门
    SENDING_AUTHORITY = "SENDING_AUTHORITY"  # 转出地教育行政部门
    MOE_PLATFORM = "MOE_PLATFORM"  # 全国学籍系统


class StepAct(StrEnum):
    """What a party does in its step."""

    CONSENT = "CONSENT"  # 核办: it agrees or refuses
    DECISION = "DECISION"  # 校长办公会研究决定
    TRANSFER = "TRANSFER"  # 转出: the sending school agrees, and its record says so
    PUBLICITY = "PUBLICITY"  # 公示
    FILING = "FILING"  # 备案


class StepOutcome(StrEnum):
    """办理结果."""

    AGREED = "AGREED"  # 同意, or done
    REFUSED = "REFUSED"  # 不同意


class CaseState(StrEnum):
    """办理状态."""

    IN_PROCESS = "IN_PROCESS"  # 办理中
    COMPLETED = "COMPLETED"  # 办结: every party agreed; the archive has still to go
    CLOSED = "CLOSED"  # 归档
    REFUSED = "REFUSED"  # 不予办理
    WITHDRAWN = "WITHDRAWN"  # 撤回


class TransferReason(StrEnum):
    """转学原因."""

    FAMILY_MOVED = "FAMILY_MOVED"  # 家庭住址迁移
    GUARDIAN_WORK = "GUARDIAN_WORK"  # 监护人工作调动
    MIGRANT_CHILD = "MIGRANT_CHILD"  # 随迁或返乡
    ILLNESS = "ILLNESS"  # 患病
    SPECIAL_DIFFICULTY = "SPECIAL_DIFFICULTY"  # 特殊困难
    OTHER = "OTHER"  # 其他


class RouteStep(BaseModel):
    """One step of a route: who does what, within so many working days or months of the step before, if any are set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    party: Party
    act: StepAct = StepAct.CONSENT
    working_days: Annotated[int, Field(ge=1, le=260)] | None = None
    months: Annotated[int, Field(ge=1, le=24)] | None = None


class TransferRoute(BaseModel):
    """The steps of a route, in their order; for which stages it is (none: all of them).

    `needs_case` forbids the change of status TRANSFER_OUT of these stages without a case. `article` says where the
    route stands, `source` how well that is known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    route: CaseRoute
    stages: frozenset[SchoolStage] = frozenset()
    steps: Annotated[tuple[RouteStep, ...], Field(min_length=1, max_length=STEPS_LIMIT)]
    reminder_days: Annotated[int, Field(ge=0, le=REMINDER_MOST)] = 3
    needs_case: bool = False
    article: ShortText
    source: ShortText


class TransferRules(Record):
    """A version of the routes of transfers. The newest one in effect decides; a case keeps what it began with."""

    subject_type: ClassVar[str] = "TransferRules"

    version: Annotated[int, F0]
    effective_from: Annotated[date, F0]
    rules: Annotated[tuple[TransferRoute, ...], F0]

    class Settings:
        name = "transfer_rules"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012

    def of(self, route: CaseRoute) -> TransferRoute | None:
        return next((held for held in self.rules if held.route is route), None)


class CaseStep(BaseModel):
    """A step of a case. `begun_on` and `due_on` are set when the step before is done, and stay (days in China).

    `change_request_id` is the request of our own school by which it is answered.
    """

    party: Annotated[Party, F1]
    act: Annotated[StepAct, F1]
    working_days: Annotated[int | None, F1] = None
    months: Annotated[int | None, F1] = None
    begun_on: Annotated[date | None, F1] = None
    due_on: Annotated[date | None, F1] = None
    done_on: Annotated[date | None, F1] = None
    outcome: Annotated[StepOutcome | None, F1] = None
    ground: Annotated[str | None, F3] = None
    noted_by_name: Annotated[str | None, F1] = None
    noted_at: Annotated[datetime | None, F1] = None
    change_request_id: Annotated[PydanticObjectId | None, F1] = None


class TransferCase(Record):
    """转学办理: one transfer of one student. One who comes without a record is told by name.

    `awaited` and `due_on` are those of the step that is awaited, repeated to find by.
    """

    subject_type: ClassVar[str] = "TransferCase"

    direction: Annotated[CaseDirection, F1]
    route: Annotated[CaseRoute, F1]
    student_id: Annotated[PydanticObjectId | None, F1] = None
    applicant_name: Annotated[str | None, F2] = None
    birth_date: Annotated[date | None, F2] = None
    other_school: Annotated[str, F1]
    other_school_code: Annotated[str | None, F1] = None
    applied_on: Annotated[date, F1]
    # Why one moves may tell of their health or of their home.
    reason_kind: Annotated[TransferReason, F3]
    reason_text: Annotated[str | None, F3] = None
    article: Annotated[str, F1]
    rules_version: Annotated[int, F1]
    reminder_days: Annotated[int, F1]
    steps: list[CaseStep]
    state: Annotated[CaseState, F1] = CaseState.IN_PROCESS
    awaited: Annotated[Party | None, F1] = None
    due_on: Annotated[date | None, F1] = None
    ended_on: Annotated[date | None, F1] = None
    file_due_on: Annotated[date | None, F1] = None
    file_transfer_id: Annotated[PydanticObjectId | None, F1] = None
    closed_on: Annotated[date | None, F1] = None
    # The due days of which was told: a day is told of once.
    reminded_for: Annotated[date | None, F1] = None
    told_late_for: Annotated[date | None, F1] = None
    told_file_late_for: Annotated[date | None, F1] = None

    class Settings:
        name = "transfer_cases"
        indexes = [  # noqa: RUF012
            IndexModel([("student_id", 1), ("_id", -1)]),
            # Of one student, one is in process.
            IndexModel(
                "student_id",
                name="one_in_process",
                unique=True,
                partialFilterExpression={
                    "state": CaseState.IN_PROCESS.value,
                    "student_id": {"$type": "objectId"},
                },
            ),
            IndexModel([("state", 1), ("due_on", 1), ("_id", 1)]),
            IndexModel("file_transfer_id", sparse=True),
        ]
