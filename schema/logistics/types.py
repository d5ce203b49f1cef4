"""Where a student sleeps (住宿安排)."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from archive_store.access.policy import Withheld
from archive_store.logistics import documents as stored
from archive_store.logistics.queries import StayView
from schema.context import Request
from schema.directives import directives_of
from schema.nodes import global_id, key_of_source
from schema.scalars import Day


def _leaf(path: str, description: str) -> Any:
    def resolve(root: Any) -> Any:
        return getattr(root.stay, path)

    return strawberry.field(
        resolver=resolve, description=description, directives=directives_of(stored.BedStay, path)
    )


def _id(root: Any) -> strawberry.ID:
    return strawberry.ID(global_id("BedStay", root.stay.key))


def _building(root: Any) -> str:
    return str(root.room.building)


def _room_number(root: Any) -> str:
    return str(root.room.number)


@strawberry.type(description="住宿安排: a bed from a day to a day.")
class BedStay:
    bed: int = _leaf("bed", "床位, from 1.")
    from_day: Day = _leaf("from_day", "The first day.")
    to_day: Day | None = _leaf("to_day", "The last day, inclusive; null while the stay is open.")

    id: strawberry.ID = strawberry.field(resolver=_id, description="For `bedLeave`.")
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
