"""Emergency actions (应急处置, policy §四(一)) as stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, Field
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class EmergencyStatus(StrEnum):
    EXECUTED = "EXECUTED"  # 已执行
    REPORTED = "REPORTED"  # 已报备: both posts have acknowledged it
    RATIFIED = "RATIFIED"  # 已追认
    REVERSED = "REVERSED"  # 已撤销: a compensating change restored what was


UNRATIFIED_STATUSES = frozenset({EmergencyStatus.EXECUTED, EmergencyStatus.REPORTED})


class Receipt(BaseModel):
    """签收: that a post was reached, by its holder or in their seat by a delegate."""

    post: Annotated[Post, F0]
    acknowledged_by: Annotated[PydanticObjectId, F0]
    acknowledged_by_name: Annotated[str, F0]
    for_person_id: Annotated[PydanticObjectId | None, F0] = None
    for_person_name: Annotated[str | None, F0] = None
    acknowledged_at: Annotated[datetime, F0]


class Ruling(BaseModel):
    """The ratification (追认) or the reversal (撤销)."""

    post: Annotated[Post, F0]
    decided_by: Annotated[PydanticObjectId, F0]
    decided_by_name: Annotated[str, F0]
    for_person_id: Annotated[PydanticObjectId | None, F0] = None
    for_person_name: Annotated[str | None, F0] = None
    decided_at: Annotated[datetime, F0]
    comment: Annotated[str | None, F3] = None


class EmergencyAction(Record):
    """An operation that was executed before anybody signed.

    `sealed` holds `{payload, before, reason}`: the input, the values that it replaced, and why; `digest` is a keyed
    digest of it, so that nothing else is restored than what was.
    """

    subject_type: ClassVar[str] = "EmergencyAction"

    operation: Annotated[str, F0]
    target_type: Annotated[str, F0]
    target_id: Annotated[PydanticObjectId, F0]
    fields: Annotated[list[str], F0]
    sealed: Annotated[dict[str, Any], F3]
    digest: Annotated[str, F1]
    policy_version: Annotated[int, F0]
    executed_by: Annotated[PydanticObjectId, F0]
    executed_by_name: Annotated[str, F0]
    executed_at: Annotated[datetime, F0]
    due_at: Annotated[datetime, F0]
    status: Annotated[EmergencyStatus, F0] = EmergencyStatus.EXECUTED
    receipts: list[Receipt] = Field(default_factory=list)
    escalated_at: Annotated[datetime | None, F0] = None
    ruling: Ruling | None = None

    class Settings:
        name = "emergency_actions"
        indexes = [  # noqa: RUF012
            IndexModel([("status", 1), ("_id", -1)]),
            IndexModel([("status", 1), ("due_at", 1)]),
            IndexModel([("executed_by", 1), ("_id", -1)]),
        ]
