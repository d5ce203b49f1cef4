"""Opening dormitory rooms, assigning beds and leaving them."""

from __future__ import annotations

from datetime import date

import strawberry
from bson import ObjectId

from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.lookups import found
from archive_store.logistics import documents as stored
from archive_store.logistics.operations import BED_LEAVE, BedAssign, BedLeave, DormitoryRoomOpen
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


@strawberry.type(description="Result of `dormitoryRoomOpen`.")
class DormitoryRoomOpenPayload:
    id: strawberry.ID | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `bedAssign`.")
class BedAssignPayload:
    id: strawberry.ID | None = strawberry.field(default=None, description="Of the stay.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `bedLeave`.")
class BedLeavePayload:
    id: strawberry.ID | None = strawberry.field(default=None, description="Of the stay.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(DormitoryRoomOpenPayload)
async def resolve_room_open(info: Request, input: DormitoryRoomOpenInput) -> DormitoryRoomOpenPayload:  # noqa: A002
    key, context = ObjectId(), info.context
    told = {name: value for name, value in vars(input).items() if name != "reason"}
    payload = payload_of(DormitoryRoomOpen, {"room_id": key, **told})
    await perform(context.store, context.viewer, "dormitory_room.open", payload, reason=input.reason)
    return DormitoryRoomOpenPayload(id=strawberry.ID(global_id("DormitoryRoom", key)))


@typed_errors(BedAssignPayload)
async def resolve_bed_assign(info: Request, input: BedAssignInput) -> BedAssignPayload:  # noqa: A002
    key, context = ObjectId(), info.context
    told = {
        "stay_id": key,
        "student_id": key_of(input.student_id, "Student", field="studentId"),
        "room_id": key_of(input.room_id, "DormitoryRoom", field="roomId"),
        "bed": input.bed,
        "from_day": input.from_day,
        "to_day": input.to_day,
    }
    payload = payload_of(BedAssign, told)
    await perform(context.store, context.viewer, "bed.assign", payload, reason=input.reason)
    return BedAssignPayload(id=strawberry.ID(global_id("BedStay", key)))


@typed_errors(BedLeavePayload)
async def resolve_bed_leave(info: Request, input: BedLeaveInput) -> BedLeavePayload:  # noqa: A002
    key, context = key_of(input.id, "BedStay", field="id"), info.context
    BED_LEAVE.require_asker(context.viewer)
    held = await found(context.store, stored.BedStay, key, "id")
    day: date = input.to_day
    payload = payload_of(BedLeave, {"stay_id": key, "student_id": held.student_id, "to_day": day})
    await perform(context.store, context.viewer, "bed.leave", payload, reason=input.reason)
    return BedLeavePayload(id=strawberry.ID(global_id("BedStay", key)))


@strawberry.type
class LogisticsMutations:
    dormitory_room_open: DormitoryRoomOpenPayload = strawberry.field(
        resolver=resolve_room_open, description="Open a dormitory room (宿舍房间)."
    )
    bed_assign: BedAssignPayload = strawberry.field(
        resolver=resolve_bed_assign, description="Assign a bed from a day on (住宿安排)."
    )
    bed_leave: BedLeavePayload = strawberry.field(
        resolver=resolve_bed_leave, description="Say on which day a stay ends (退宿)."
    )
