"""Batched loads, named by key: one query a batch, results in key order."""

from __future__ import annotations

from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.approvals.documents import ChangeRequest
from archive_store.approvals.queries import change_requests_by_id
from archive_store.scans.queries import ScanView, scans_by_student
from schema.context import Context


class Loaders:
    """The loaders of one request. They do not cache, so that a mutation's payload shows what it changed."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load_change_requests(ids: list[ObjectId]) -> list[ChangeRequest | None]:
            return await change_requests_by_id(store, viewer, ids)

        async def load_scans(ids: list[ObjectId]) -> list[list[ScanView] | None]:
            return await scans_by_student(store, viewer, ids)

        self.change_requests: DataLoader[ObjectId, ChangeRequest | None] = DataLoader(
            load_fn=load_change_requests, cache=False
        )
        self.scans_by_student: DataLoader[ObjectId, list[ScanView] | None] = DataLoader(
            load_fn=load_scans, cache=False
        )
