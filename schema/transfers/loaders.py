"""File transfers of students: one query a batch."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.access.policy import Withheld
from archive_store.transfers.documents import FileTransfer as StoredTransfer
from archive_store.transfers.queries import transfers_of
from schema.context import Context, Request
from schema.nodes import key_of_source
from schema.transfers.types import FileTransfer, shown_transfer


class TransferLoaders:
    """One for each request."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load(ids: list[ObjectId]) -> list[list[StoredTransfer] | None]:
            return await transfers_of(store, viewer, ids)

        self.of_students: DataLoader[ObjectId, list[StoredTransfer] | None] = DataLoader(
            load_fn=load, cache=False
        )


async def resolve_file_transfers(root: strawberry.Parent[Any], info: Request) -> list[FileTransfer] | None:
    found = await info.context.loaders.transfers.of_students.load(key_of_source(root))
    if found is None:
        info.context.withhold({"Student.fileTransfers": Withheld.NOT_PERMITTED})
        return None
    return [shown_transfer(transfer) for transfer in found]
