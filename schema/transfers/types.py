"""File transfers (档案转移) as those see them who read the record."""

from __future__ import annotations

from datetime import datetime

import strawberry

from archive_store.transfers import documents as stored
from archive_store.transfers.documents import TransferMeans as FileTransferMeans
from archive_store.transfers.documents import TransferStatus as FileTransferStatus
from schema.enum_names import name_enum
from schema.nodes import global_id
from schema.scalars import Day

name_enum(
    FileTransferStatus,
    "转移状态.",
    {"SENT": "已转出, the receipt is awaited", "RECEIVED": "已回执", "RETURNED": "退回"},
    name="FileTransferStatus",
)
name_enum(
    FileTransferMeans,
    "转移方式.",
    {"CONFIDENTIAL_POST": "机要", "BY_HAND": "专人", "ONLINE": "在线"},
    name="FileTransferMeans",
)


__all__ = ["FileTransfer", "FileTransferMeans", "FileTransferStatus", "shown_transfer"]


@strawberry.type(
    description="档案转移: one sending of a student's archive; the school keeps its own copy for good."
)
class FileTransfer:
    id: strawberry.ID
    student_id: strawberry.ID
    destination: str = strawberry.field(description="转入单位")
    means: FileTransferMeans
    bag_digest: str = strawberry.field(description="SHA-256 that stands for every byte of the package.")
    sent_on: Day
    sent_by_name: str
    due_on: Day = strawberry.field(description="The day by which the receipt is due.")
    status: FileTransferStatus
    receiver: str | None = strawberry.field(description="签收人")
    receipt_number: str | None = strawberry.field(description="回执编号")
    ended_on: Day | None = strawberry.field(description="The day on which it was received, or came back.")
    ended_at: datetime | None
    return_reason: str | None = strawberry.field(description="退回原因")


def shown_transfer(transfer: stored.FileTransfer) -> FileTransfer:
    return FileTransfer(
        id=strawberry.ID(global_id("FileTransfer", transfer.key)),
        student_id=strawberry.ID(global_id("Student", transfer.student_id)),
        destination=transfer.destination,
        means=transfer.means,
        bag_digest=transfer.bag_digest,
        sent_on=transfer.sent_on,  # type: ignore[arg-type]
        sent_by_name=transfer.sent_by_name,
        due_on=transfer.due_on,  # type: ignore[arg-type]
        status=transfer.status,
        receiver=transfer.receiver,
        receipt_number=transfer.receipt_number,
        ended_on=transfer.ended_on,  # type: ignore[arg-type]
        ended_at=transfer.ended_at,
        return_reason=transfer.return_reason,
    )
