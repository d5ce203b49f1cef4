"""Batched loads of bed stays and meals."""

from __future__ import annotations

from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.access.policy import Withheld
from archive_store.foundation.clock import school_day
from archive_store.logistics.documents import MealEnrolment
from archive_store.logistics.meals import meals_of_students
from archive_store.logistics.queries import StayView, stays_in_rooms, stays_of_students
from schema.context import Context


class LogisticsLoaders:
    """Loaders of one request."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load_stays(ids: list[ObjectId]) -> list[list[StayView] | Withheld]:
            return await stays_of_students(store, viewer, ids)

        async def load_in_rooms(ids: list[ObjectId]) -> list[list[StayView]]:
            return await stays_in_rooms(store, viewer, ids, school_day(store.clock.now()).isoformat())

        async def load_meals(ids: list[ObjectId]) -> list[list[MealEnrolment] | Withheld]:
            return await meals_of_students(store, viewer, ids)

        self.stays: DataLoader[ObjectId, list[StayView] | Withheld] = DataLoader(
            load_fn=load_stays, cache=False
        )
        self.in_rooms: DataLoader[ObjectId, list[StayView]] = DataLoader(load_fn=load_in_rooms, cache=False)
        self.meals: DataLoader[ObjectId, list[MealEnrolment] | Withheld] = DataLoader(
            load_fn=load_meals, cache=False
        )
