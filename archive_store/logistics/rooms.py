"""`dormitory_room.open` and `.close` (宿舍房间)."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found, require_unique
from archive_store.foundation.store import Store
from archive_store.foundation.texts import starts_formula
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.logistics.documents import BedStay, DormitoryRoom
from archive_store.logistics.steps import POLICY, logistics_operation, told_whole
from archive_store.students.documents import Gender

BEDS_SERIAL = "beds"
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class DormitoryRoomOpen(Payload):
    """Payload of `dormitory_room.open`."""

    room_id: PydanticObjectId
    building: _Line
    number: _Line
    beds: Annotated[int, Field(ge=1, le=50)]
    gender: Gender


class DormitoryRoomClose(Payload):
    """Payload of `dormitory_room.close`: from that day on, today or later, nobody sleeps in it."""

    room_id: PydanticObjectId
    closed_on: date


async def _check_open(store: Store, viewer: Viewer, payload: DormitoryRoomOpen) -> None:
    for field in ("building", "number"):
        if starts_formula(getattr(payload, field)):
            raise RegistrarError(ErrorCode.FORMULA, field=field)
    if payload.gender not in (Gender.MALE, Gender.FEMALE):
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="gender", rule=POLICY)
    await require_unique(
        store, DormitoryRoom, {"building": payload.building, "number": payload.number}, "number"
    )


async def _open(unit: UnitOfWork, payload: DormitoryRoomOpen) -> ObjectId:
    room = DormitoryRoom(id=payload.room_id, **payload.model_dump(exclude={"room_id"}))
    await unit.insert(room)
    unit.audit(Subject(room.subject_type, room.key), "dormitory_room:open", told_whole(room))
    return room.key


async def _require_closable(
    store: Store, payload: DormitoryRoomClose, session: AsyncClientSession | None = None
) -> None:
    """WRONG_STATE of a closed room; DEPENDED_ON while somebody has a bed in it on that day or later."""
    room = await found(store, DormitoryRoom, payload.room_id, "room_id", session)
    if room.closed_on is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="room_id", rule=POLICY, state="CLOSED")
    if payload.closed_on < school_day(store.clock.now()):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="closed_on", rule=POLICY)
    beyond: Row = {
        "room_id": payload.room_id,
        "annulled_on": None,
        "$or": [{"to_day": None}, {"to_day": {"$gte": payload.closed_on.isoformat()}}],
    }
    if await store.database.collection(BedStay).find_one(beyond, {"_id": 1}, session=session) is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="closed_on", rule=POLICY, state="BEDS_TAKEN")


async def _check_close(store: Store, viewer: Viewer, payload: DormitoryRoomClose) -> None:
    await _require_closable(store, payload)


async def _close(unit: UnitOfWork, payload: DormitoryRoomClose) -> ObjectId:
    await unit.serialise(BEDS_SERIAL)
    await _require_closable(unit.store, payload, unit.session)
    room = await unit.load(DormitoryRoom, payload.room_id)
    assert room is not None  # noqa: S101 - it was found, and rooms are never removed
    await unit.change_told(room, {"closed_on": payload.closed_on}, "dormitory_room:close")
    return room.key


DORMITORY_ROOM_OPEN = logistics_operation(
    "dormitory_room.open", DormitoryRoom, DormitoryRoomOpen, "room_id", _check_open, _open
)
DORMITORY_ROOM_CLOSE = logistics_operation(
    "dormitory_room.close", DormitoryRoom, DormitoryRoomClose, "room_id", _check_close, _close
)
