"""File transfers (档案转移) as stored."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class TransferStatus(StrEnum):
    """转移状态."""

    SENT = "SENT"  # 已转出: the receipt is awaited until `due_on`
    RECEIVED = "RECEIVED"  # 已回执
    RETURNED = "RETURNED"  # 退回


class TransferMeans(StrEnum):
    """转移方式."""

    CONFIDENTIAL_POST = "CONFIDENTIAL_POST"  # 机要
    BY_HAND = "BY_HAND"  # 专人
    ONLINE = "ONLINE"  # 在线


class FileTransfer(Record):
    """One sending of a student's archive. `bag_digest` stands for every byte of the package (docs/packages.md).

    The school keeps its own copy for good: what was sent stays filed here.
    """

    subject_type: ClassVar[str] = "FileTransfer"

    student_id: Annotated[PydanticObjectId, F1]
    destination: Annotated[str, F1]
    means: Annotated[TransferMeans, F1]
    bag_digest: Annotated[str, F1]
    sent_on: Annotated[date, F1]
    sent_by_name: Annotated[str, F1]
    due_on: Annotated[date, F1]
    status: Annotated[TransferStatus, F1] = TransferStatus.SENT
    receiver: Annotated[str | None, F1] = None
    receipt_number: Annotated[str | None, F1] = None
    ended_on: Annotated[date | None, F1] = None  # received, or come back
    ended_at: Annotated[datetime | None, F1] = None
    return_reason: Annotated[str | None, F1] = None
    overdue_told_at: Annotated[datetime | None, F1] = None

    class Settings:
        name = "file_transfers"
        indexes = [  # noqa: RUF012
            IndexModel([("student_id", 1), ("_id", -1)]),
            # Of one student, one is on its way.
            IndexModel(
                "student_id",
                name="one_on_its_way",
                unique=True,
                partialFilterExpression={"status": TransferStatus.SENT.value},
            ),
            IndexModel([("status", 1), ("due_on", 1), ("_id", 1)]),
        ]
