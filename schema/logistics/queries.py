"""`dormitoryRooms` and `dormitoryOccupancy`."""

from __future__ import annotations

import strawberry

from archive_store.logistics.occupancy import list_rooms, occupancy
from schema.context import Request
from schema.logistics.types import BuildingOccupancy, DormitoryRoom
from schema.nodes import Connection, connection


async def resolve_rooms(
    info: Request, first: int = 20, after: str | None = None, building: str | None = None
) -> Connection[DormitoryRoom]:
    page, cursors = await list_rooms(
        info.context.store, info.context.viewer, building=building, first=first, after=after
    )
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_occupancy(info: Request) -> list[BuildingOccupancy]:
    found = await occupancy(info.context.store, info.context.viewer)
    return [
        BuildingOccupancy(building=held.building, rooms=held.rooms, beds=held.beds, taken=held.taken)
        for held in found
    ]


@strawberry.type
class LogisticsQueries:
    """Read of logistics."""

    dormitory_rooms: Connection[DormitoryRoom] = strawberry.field(
        resolver=resolve_rooms,
        description="宿舍房间 by number, to logistics, the department and the principals.",
    )
    dormitory_occupancy: list[BuildingOccupancy] = strawberry.field(
        resolver=resolve_occupancy,
        description="住宿情况 of each building today, to logistics, the department and the principals.",
    )
