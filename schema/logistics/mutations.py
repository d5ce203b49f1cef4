"""Opening dormitory rooms, assigning beds and leaving them."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId

from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.lookups import found
from archive_store.logistics import documents as stored
from archive_store.logistics.meals import MEALS_END, MealsEnd, MealsEnrol
from archive_store.logistics.operations import (
    BED_ANNUL,
    BED_LEAVE,
    BED_MOVE,
    BedAnnul,
    BedAssign,
    BedLeave,
    BedMove,
)
from archive_store.logistics.rooms import DormitoryRoomClose, DormitoryRoomOpen
from schema.context import Request
from schema.enums import Gender
from schema.errors import UserError, typed_errors
from schema.nodes import global_id, key_of
from schema.scalars import Day


@strawberry.input(description="Input of `dormitoryRoomOpen`.")
class DormitoryRoomOpenInput:
    building: str = strawberry.field(description="宿舍楼.")
    number: str = strawberry.field(description="房间号, unique in the building.")
    beds: int = strawberry.field(description="床位数, 1 to 50.")
    gender: Gender = strawberry.field(description="For whom: male or female.")
    reason: str | None = None


@strawberry.input(description="Input of `bedAssign`.")
class BedAssignInput:
    student_id: strawberry.ID
    room_id: strawberry.ID
    bed: int
    from_day: Day
    to_day: Day | None = strawberry.field(default=None, description="Inclusive; none of an open stay.")
    reason: str | None = None


@strawberry.input(description="Input of `bedLeave`.")
class BedLeaveInput:
    id: strawberry.ID
    to_day: Day = strawberry.field(description="The last day, inclusive.")
    reason: str | None = None


@strawberry.input(description="Input of `dormitoryRoomClose`.")
class DormitoryRoomCloseInput:
    id: strawberry.ID
    closed_on: Day = strawberry.field(description="From that day on nobody sleeps in it.")
    reason: str | None = None


@strawberry.input(description="Input of `bedMove`.")
class BedMoveInput:
    id: strawberry.ID = strawberry.field(description="The stay that ends on the day before.")
    room_id: strawberry.ID
    bed: int
    from_day: Day
    to_day: Day | None = None
    reason: str | None = None


@strawberry.input(description="Input of `bedAnnul`: a stay that was assigned by mistake.")
class BedAnnulInput:
    id: strawberry.ID
    reason: str


@strawberry.input(description="Input of `mealsEnrol`.")
class MealsEnrolInput:
    student_id: strawberry.ID
    meals: list[stored.Meal]
    from_day: Day
    to_day: Day | None = strawberry.field(default=None, description="Inclusive; none of an open one.")
    reason: str | None = None


@strawberry.input(description="Input of `mealsEnd`.")
class MealsEndInput:
    id: strawberry.ID
    to_day: Day = strawberry.field(description="The last day, inclusive.")
    reason: str | None = None


@strawberry.type(description="Result of what is done with rooms, beds and meals.")
class LogisticsPayload:
    id: strawberry.ID | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _done(
    info: Request, name: str, payload: Payload, shown: tuple[str, ObjectId], reason: str | None
) -> LogisticsPayload:
    await perform(info.context.store, info.context.viewer, name, payload, reason=reason)
    return LogisticsPayload(id=strawberry.ID(global_id(*shown)))


async def _student_of(
    info: Request,
    operation: Operation[Any],
    record_type: type[stored.BedStay | stored.MealEnrolment],
    key: ObjectId,
) -> ObjectId:
    """Whose record it is, for the payload; nothing is told of it to who may not ask."""
    operation.require_asker(info.context.viewer)
    return (await found(info.context.store, record_type, key, "id")).student_id


@typed_errors(LogisticsPayload)
async def resolve_room_open(info: Request, input: DormitoryRoomOpenInput) -> LogisticsPayload:  # noqa: A002
    key = ObjectId()
    told = {name: value for name, value in vars(input).items() if name != "reason"}
    payload = payload_of(DormitoryRoomOpen, {"room_id": key, **told})
    return await _done(info, "dormitory_room.open", payload, ("DormitoryRoom", key), input.reason)


@typed_errors(LogisticsPayload)
async def resolve_bed_assign(info: Request, input: BedAssignInput) -> LogisticsPayload:  # noqa: A002
    key = ObjectId()
    told = {
        "stay_id": key,
        "student_id": key_of(input.student_id, "Student", field="studentId"),
        "room_id": key_of(input.room_id, "DormitoryRoom", field="roomId"),
        "bed": input.bed,
        "from_day": input.from_day,
        "to_day": input.to_day,
    }
    payload = payload_of(BedAssign, told)
    return await _done(info, "bed.assign", payload, ("BedStay", key), input.reason)


@typed_errors(LogisticsPayload)
async def resolve_bed_leave(info: Request, input: BedLeaveInput) -> LogisticsPayload:  # noqa: A002
    key = key_of(input.id, "BedStay", field="id")
    student_id = await _student_of(info, BED_LEAVE, stored.BedStay, key)
    payload = payload_of(BedLeave, {"stay_id": key, "student_id": student_id, "to_day": input.to_day})
    return await _done(info, "bed.leave", payload, ("BedStay", key), input.reason)


@typed_errors(LogisticsPayload)
async def resolve_room_close(info: Request, input: DormitoryRoomCloseInput) -> LogisticsPayload:  # noqa: A002
    key = key_of(input.id, "DormitoryRoom", field="id")
    payload = payload_of(DormitoryRoomClose, {"room_id": key, "closed_on": input.closed_on})
    return await _done(info, "dormitory_room.close", payload, ("DormitoryRoom", key), input.reason)


@typed_errors(LogisticsPayload)
async def resolve_bed_move(info: Request, input: BedMoveInput) -> LogisticsPayload:  # noqa: A002
    leaves, key = key_of(input.id, "BedStay", field="id"), ObjectId()
    student_id = await _student_of(info, BED_MOVE, stored.BedStay, leaves)
    told = {
        "stay_id": key,
        "leaves_id": leaves,
        "student_id": student_id,
        "room_id": key_of(input.room_id, "DormitoryRoom", field="roomId"),
        "bed": input.bed,
        "from_day": input.from_day,
        "to_day": input.to_day,
    }
    return await _done(info, "bed.move", payload_of(BedMove, told), ("BedStay", key), input.reason)


@typed_errors(LogisticsPayload)
async def resolve_bed_annul(info: Request, input: BedAnnulInput) -> LogisticsPayload:  # noqa: A002
    key = key_of(input.id, "BedStay", field="id")
    student_id = await _student_of(info, BED_ANNUL, stored.BedStay, key)
    payload = payload_of(BedAnnul, {"stay_id": key, "student_id": student_id})
    return await _done(info, "bed.annul", payload, ("BedStay", key), input.reason)


@typed_errors(LogisticsPayload)
async def resolve_meals_enrol(info: Request, input: MealsEnrolInput) -> LogisticsPayload:  # noqa: A002
    key = ObjectId()
    told = {
        "enrolment_id": key,
        "student_id": key_of(input.student_id, "Student", field="studentId"),
        "meals": input.meals,
        "from_day": input.from_day,
        "to_day": input.to_day,
    }
    payload = payload_of(MealsEnrol, told)
    return await _done(info, "meals.enrol", payload, ("MealEnrolment", key), input.reason)


@typed_errors(LogisticsPayload)
async def resolve_meals_end(info: Request, input: MealsEndInput) -> LogisticsPayload:  # noqa: A002
    key = key_of(input.id, "MealEnrolment", field="id")
    student_id = await _student_of(info, MEALS_END, stored.MealEnrolment, key)
    told = {"enrolment_id": key, "student_id": student_id, "to_day": input.to_day}
    return await _done(info, "meals.end", payload_of(MealsEnd, told), ("MealEnrolment", key), input.reason)


@strawberry.type
class LogisticsMutations:
    dormitory_room_open: LogisticsPayload = strawberry.field(
        resolver=resolve_room_open, description="Open a dormitory room (宿舍房间)."
    )
    bed_assign: LogisticsPayload = strawberry.field(
        resolver=resolve_bed_assign, description="Assign a bed from a day on (住宿安排)."
    )
    bed_leave: LogisticsPayload = strawberry.field(
        resolver=resolve_bed_leave, description="Say on which day a stay ends (退宿)."
    )
    dormitory_room_close: LogisticsPayload = strawberry.field(
        resolver=resolve_room_close,
        description="Close a room (停用) that nobody has a bed in from that day on.",
    )
    bed_move: LogisticsPayload = strawberry.field(
        resolver=resolve_bed_move,
        description="Move to another bed (调宿): one stay ends, and another begins.",
    )
    bed_annul: LogisticsPayload = strawberry.field(
        resolver=resolve_bed_annul, description="Annul a stay that was assigned by mistake (作废)."
    )
    meals_enrol: LogisticsPayload = strawberry.field(
        resolver=resolve_meals_enrol, description="Enrol a student for meals from a day on (用餐登记)."
    )
    meals_end: LogisticsPayload = strawberry.field(
        resolver=resolve_meals_end, description="Say on which day an enrolment for meals ends."
    )
