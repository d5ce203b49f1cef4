"""Batched loads of bed stays."""

from __future__ import annotations

from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.access.policy import Withheld
from archive_store.logistics.queries import StayView, stays_of_students
from schema.context import Context


class LogisticsLoaders:
    """Loaders of one request."""

    def __init__(self, context: Context) -> None:
        async def load_stays(ids: list[ObjectId]) -> list[list[StayView] | Withheld]:
            return await stays_of_students(context.store, context.viewer, ids)

        self.stays: DataLoader[ObjectId, list[StayView] | Withheld] = DataLoader(
            load_fn=load_stays, cache=False
        )
