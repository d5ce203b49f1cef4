"""Objections (更正申请) as stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class ObjectionStatus(StrEnum):
    """处理状态."""

    OPEN = "OPEN"  # 待处理, until `due_at`
    CORRECTED = "CORRECTED"  # 已更正
    DECLINED = "DECLINED"  # 不予更正
    WITHDRAWN = "WITHDRAWN"  # 撤回


class ObjectionCapacity(StrEnum):
    """As what somebody objects."""

    SELF = "SELF"  # 本人
    GUARDIAN = "GUARDIAN"  # 监护人
    AT_SCHOOL = "AT_SCHOOL"  # 到校: said in person, written down by the information group


class RecordObjection(Record):
    """One objection to one field of a record; of a field there is one open at a time."""

    subject_type: ClassVar[str] = "RecordObjection"

    student_id: Annotated[PydanticObjectId, F1]
    field: Annotated[str, F1]
    statement: Annotated[str, F3]
    raised_by: Annotated[PydanticObjectId, F1]
    raised_by_name: Annotated[str, F1]
    capacity: Annotated[ObjectionCapacity, F1]
    raised_at: Annotated[datetime, F1]
    due_at: Annotated[datetime, F1]
    status: Annotated[ObjectionStatus, F1] = ObjectionStatus.OPEN
    answer: Annotated[str | None, F3] = None
    answered_by_name: Annotated[str | None, F1] = None
    answered_at: Annotated[datetime | None, F1] = None
    change_request_id: Annotated[PydanticObjectId | None, F1] = None  # which corrected it
    overdue_told_at: Annotated[datetime | None, F1] = None

    class Settings:
        name = "record_objections"
        indexes = [  # noqa: RUF012
            IndexModel([("student_id", 1), ("_id", -1)]),
            IndexModel(
                [("student_id", 1), ("field", 1)],
                name="one_open",
                unique=True,
                partialFilterExpression={"status": ObjectionStatus.OPEN.value},
            ),
            IndexModel([("status", 1), ("due_at", 1), ("_id", 1)]),
        ]
