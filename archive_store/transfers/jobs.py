"""What the clock does with transfers: an overdue receipt (逾期未回执) is told once."""

from __future__ import annotations

from datetime import datetime

from archive_store.audit.clock_work import change_each
from archive_store.foundation.clock import school_day
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.transfers.documents import FileTransfer, TransferStatus
from archive_store.transfers.operations import write_transfer


async def tell_overdue_receipts(store: Store, now: datetime) -> int:
    """Tell the archive group and the head of each transfer whose receipt is late; how many."""
    late = {
        "status": TransferStatus.SENT.value,
        "due_on": {"$lt": school_day(now).isoformat()},
        "overdue_told_at": None,
    }

    async def tell(unit: UnitOfWork, transfer: FileTransfer) -> None:
        await write_transfer(unit, transfer, "overdue", {"overdue_told_at": unit.at})
        for post in (Post.ARCHIVE_GROUP, Post.DIRECTOR):
            unit.notify(post, "file_transfer:overdue", Subject(FileTransfer.subject_type, transfer.key))

    return await change_each(store, "file_transfer.overdue", FileTransfer, late, tell)
