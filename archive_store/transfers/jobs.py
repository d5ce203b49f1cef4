"""What the clock does with transfers: an overdue receipt (逾期未回执) is told once."""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK, Subject, UnitOfWork
from archive_store.transfers.documents import FileTransfer, TransferStatus
from archive_store.transfers.operations import sent_transfer, write_transfer

_AT_ONCE = 200


async def tell_overdue_receipts(store: Store, now: datetime) -> int:
    """Tell the archive group and the head of each transfer whose receipt is late; how many."""
    late = {
        "status": TransferStatus.SENT.value,
        "due_on": {"$lt": school_day(now).isoformat()},
        "overdue_told_at": None,
    }
    rows = store.database.collection(FileTransfer).find(late, {"_id": 1}).sort("due_on", 1).limit(_AT_ONCE)
    told = 0
    for row in await rows.to_list():
        key: ObjectId = row["_id"]

        async def tell(unit: UnitOfWork, key: ObjectId = key) -> bool:
            transfer = await sent_transfer(unit, key)
            if transfer.overdue_told_at is not None:
                return False
            await write_transfer(unit, transfer, "overdue", {"overdue_told_at": unit.at})
            for post in (Post.ARCHIVE_GROUP, Post.DIRECTOR):
                unit.notify(post, "file_transfer:overdue", Subject(FileTransfer.subject_type, key))
            return True

        try:
            told += await governed_transaction(store, CLOCK, "file_transfer.overdue", tell)
        except RegistrarError:
            continue  # it came in between
    return told
