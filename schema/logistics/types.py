"""Where a student sleeps (住宿安排) and eats (用餐), and the rooms."""

from __future__ import annotations

from functools import partial
from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from archive_store.access.policy import Withheld
from archive_store.foundation.records import Record
from archive_store.logistics import documents as stored
from archive_store.logistics.occupancy import RoomView
from archive_store.logistics.queries import StayView
from schema.context import Request
from schema.directives import directives_of
from schema.enum_names import name_enum
from schema.enums import Gender
from schema.nodes import global_id, key_of_source
from schema.scalars import Day


def _leaf(part: str, record_type: type[Record], path: str, description: str) -> Any:
    """A leaf of the stay or the room that a view holds."""

    def resolve(root: Any) -> Any:
        return getattr(getattr(root, part), path)

    return strawberry.field(
        resolver=resolve, description=description, directives=directives_of(record_type, path)
    )


_of_stay, _of_room = partial(_leaf, "stay", stored.BedStay), partial(_leaf, "room", stored.DormitoryRoom)


def _id(root: Any) -> strawberry.ID:
    return strawberry.ID(global_id("BedStay", root.stay.key))


def _student_id(root: Any) -> strawberry.ID:
    return strawberry.ID(global_id("Student", root.stay.student_id))


def _building(root: Any) -> str:
    return str(root.room.building)


def _room_number(root: Any) -> str:
    return str(root.room.number)


@strawberry.type(description="住宿安排: a bed from a day to a day.")
class BedStay:
    bed: int = _of_stay("bed", "床位, from 1.")
    from_day: Day = _of_stay("from_day", "The first day.")
    to_day: Day | None = _of_stay("to_day", "The last day, inclusive; null while the stay is open.")

    id: strawberry.ID = strawberry.field(resolver=_id, description="For `bedLeave`.")
    student_id: strawberry.ID = strawberry.field(
        resolver=_student_id,
        description="学籍 of who sleeps there.",
        directives=directives_of(stored.BedStay, "student_id"),
    )
    building: str = strawberry.field(resolver=_building, description="宿舍楼.")
    room_number: str = strawberry.field(resolver=_room_number, description="房间号.")

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, StayView)


async def resolve_dormitory(root: strawberry.Parent[Any], info: Request) -> list[BedStay] | None:
    """Stays by day; null, and said to be withheld, where the viewer reads none."""
    held = await info.context.loaders.logistics.stays.load(key_of_source(root))
    if isinstance(held, Withheld):
        info.context.withhold({"Student.dormitory": held})
        return None
    return held  # type: ignore[return-value]


def _room_id(root: Any) -> strawberry.ID:
    return strawberry.ID(global_id("DormitoryRoom", root.id))


@strawberry.type(description="宿舍房间, and how many of its beds are taken today.")
class DormitoryRoom:
    building: str = _of_room("building", "宿舍楼.")
    number: str = _of_room("number", "房间号.")
    beds: int = _of_room("beds", "床位数.")
    gender: Gender = _of_room("gender", "For whom.")
    closed_on: Day | None = _of_room("closed_on", "From that day on nobody sleeps in it.")
    taken: int = strawberry.field(description="Beds that are taken today.")
    free: int = strawberry.field(description="Beds that are free today.")
    id: strawberry.ID = strawberry.field(resolver=_room_id, description="For `bedAssign`.")

    @strawberry.field(description="住宿安排 of today by bed: those that the viewer reads.")
    async def stays(self, info: Request) -> list[BedStay]:
        return await info.context.loaders.logistics.in_rooms.load(self.id)  # type: ignore[return-value, arg-type]

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, RoomView)


@strawberry.type(description="宿舍楼 today: rooms that are not closed, and their beds.")
class BuildingOccupancy:
    building: str
    rooms: int
    beds: int
    taken: int


name_enum(stored.Meal, "餐次.", {"BREAKFAST": "早餐", "LUNCH": "午餐", "DINNER": "晚餐"}, name="Meal")


def _of_meals(path: str, description: str) -> Any:
    return strawberry.field(description=description, directives=directives_of(stored.MealEnrolment, path))


@strawberry.type(description="用餐: the meals that a student takes from a day to a day.")
class MealEnrolment:
    meals: list[stored.Meal] = _of_meals("meals", "餐次.")
    from_day: Day = _of_meals("from_day", "The first day.")
    to_day: Day | None = _of_meals("to_day", "The last day, inclusive; null while it is open.")

    @strawberry.field(description="For `mealsEnd`.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(global_id("MealEnrolment", self.key))  # type: ignore[attr-defined]

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.MealEnrolment)


async def resolve_meals(root: strawberry.Parent[Any], info: Request) -> list[MealEnrolment] | None:
    """Enrolments by day; null, and said to be withheld, where the viewer reads none."""
    held = await info.context.loaders.logistics.meals.load(key_of_source(root))
    if isinstance(held, Withheld):
        info.context.withhold({"Student.meals": held})
        return None
    return held  # type: ignore[return-value]
