"""`dormitory_room.open`, `bed.assign` and `bed.leave`, by logistics at once (policy §一(一), 住宿信息)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found, require_unique
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.texts import starts_formula
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.logistics.documents import BedStay, DormitoryRoom
from archive_store.logistics.queries import STAY, intervals, stay_decisions
from archive_store.logistics.rules import Clash, Interval, clash
from archive_store.students.documents import Gender, Student, StudentStatus
from archive_store.students.queries import facts_by_id
from archive_store.students.status_periods import status_on

POLICY = "policy §一(一)"
ASKERS = frozenset({Post.LOGISTICS})
_SERIAL = "beds"
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_BOOKKEEPING = frozenset({"_id", "revision", "created_at", "updated_at"})


class DormitoryRoomOpen(Payload):
    """Payload of `dormitory_room.open`."""

    room_id: PydanticObjectId
    building: _Line
    number: _Line
    beds: Annotated[int, Field(ge=1, le=50)]
    gender: Gender


class BedAssign(Payload):
    """Payload of `bed.assign`; both days inclusive, an open stay has no last one."""

    stay_id: PydanticObjectId
    student_id: PydanticObjectId
    room_id: PydanticObjectId
    bed: Annotated[int, Field(ge=1, le=50)]
    from_day: date
    to_day: date | None = None


class BedLeave(Payload):
    """Payload of `bed.leave`: the last day of the stay, earlier than the one that it has."""

    stay_id: PydanticObjectId
    student_id: PydanticObjectId
    to_day: date


def _told_whole(record: Record) -> list[FieldChange]:
    row = record.to_bson()
    return [FieldChange(name, None, row[name]) for name in row if name not in _BOOKKEEPING]


async def _check_room(store: Store, viewer: Viewer, payload: DormitoryRoomOpen) -> None:
    for field in ("building", "number"):
        if starts_formula(getattr(payload, field)):
            raise RegistrarError(ErrorCode.FORMULA, field=field)
    if payload.gender not in (Gender.MALE, Gender.FEMALE):
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="gender", rule=POLICY)
    await require_unique(
        store, DormitoryRoom, {"building": payload.building, "number": payload.number}, "number"
    )


async def _open_room(unit: UnitOfWork, payload: DormitoryRoomOpen) -> ObjectId:
    room = DormitoryRoom(id=payload.room_id, **payload.model_dump(exclude={"room_id"}))
    await unit.insert(room)
    unit.audit(Subject(room.subject_type, room.key), "dormitory_room:open", _told_whole(room))
    return room.key


async def _judge(store: Store, payload: BedAssign, session: AsyncClientSession | None = None) -> None:
    """What the record says beyond the open fields is not told: a room is for the student or is not."""
    if payload.to_day is not None and payload.to_day < payload.from_day:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="to_day")
    room = await found(store, DormitoryRoom, payload.room_id, "room_id", session)
    if payload.bed > room.beds:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="bed", rule=POLICY, least=1, most=room.beds)
    student = await store.database.collection(Student).find_one(
        {"_id": payload.student_id}, {"gender": 1, "status_periods": 1}, session=session
    )
    if student is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id", rule=POLICY)
    if status_on(student["status_periods"], payload.from_day) != StudentStatus.ENROLLED:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="from_day", rule=POLICY, state="NOT_IN_STUDY")
    if student["gender"] != room.gender:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="room_id", rule=POLICY, state="NOT_FOR_STUDENT")
    query: Row = {
        "$or": [{"student_id": payload.student_id}, {"room_id": payload.room_id, "bed": payload.bed}]
    }
    wanted = Interval(payload.student_id, payload.room_id, payload.bed, payload.from_day, payload.to_day)
    taken = clash(wanted, await intervals(store, query, session))
    if taken is not None:
        field = "bed" if taken is Clash.BED else "student_id"
        raise RegistrarError(ErrorCode.DUPLICATE, field=field, rule=POLICY, others=BedStay.subject_type)


async def _check_assign(store: Store, viewer: Viewer, payload: BedAssign) -> None:
    if payload.student_id not in await facts_by_id(store, viewer, [payload.student_id]):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id", rule=POLICY)
    await _judge(store, payload)


async def _tell_family(unit: UnitOfWork, stay: BedStay, kind: str) -> None:
    row = await unit.store.database.collection(Student).find_one(
        {"_id": stay.student_id}, {"person_id": 1, "guardians.person_id": 1}, session=unit.session
    )
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
    guardians = {held.get("person_id") for held in row.get("guardians", ())} - {None}
    for person in sorted({row["person_id"], *guardians}):
        unit.notify(person, kind, Subject(stay.subject_type, stay.key))


async def _assign(unit: UnitOfWork, payload: BedAssign) -> ObjectId:
    await unit.serialise(_SERIAL)
    await _judge(unit.store, payload, unit.session)
    stay = BedStay(id=payload.stay_id, **payload.model_dump(exclude={"stay_id"}))
    await unit.insert(stay)
    unit.audit(Subject(stay.subject_type, stay.key), "bed_stay:assign", _told_whole(stay))
    await _tell_family(unit, stay, "bed_stay:assigned")
    return stay.key


async def _check_leave(store: Store, viewer: Viewer, payload: BedLeave) -> None:
    held = await found(store, BedStay, payload.stay_id, "id")
    decision = (await stay_decisions(store, viewer, [held.key])).get(held.key)
    if held.student_id != payload.student_id or decision is None or not decision.readable >= STAY:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    _require_shorter(held, payload.to_day)


def _require_shorter(held: BedStay, day: date) -> None:
    if day < held.from_day or (held.to_day is not None and day >= held.to_day):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="to_day")


async def _leave(unit: UnitOfWork, payload: BedLeave) -> ObjectId:
    await unit.serialise(_SERIAL)
    stay = await unit.load(BedStay, payload.stay_id)
    if stay is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    _require_shorter(stay, payload.to_day)
    before = bson_value(stay.to_day)
    await unit.change(stay, {"to_day": payload.to_day})
    change = FieldChange("to_day", before, bson_value(payload.to_day))
    unit.audit(Subject(stay.subject_type, stay.key), "bed_stay:leave", [change])
    await _tell_family(unit, stay, "bed_stay:left")
    return stay.key


def _values(payload: Payload, *keys: str) -> dict[str, Any]:
    return {name: bson_value(getattr(payload, name)) for name in payload.model_fields_set - set(keys)}


DORMITORY_ROOM_OPEN = Operation(
    name="dormitory_room.open",
    record_type=DormitoryRoom,
    payload=DormitoryRoomOpen,
    requesters=ASKERS,
    subject=lambda payload: Subject(DormitoryRoom.subject_type, payload.room_id),
    requested_values=lambda payload: _values(payload, "room_id"),
    fields=lambda payload: frozenset(_values(payload, "room_id")),
    check=_check_room,
    apply=_open_room,
    applies_at_once=True,
)
BED_ASSIGN = Operation(
    name="bed.assign",
    record_type=BedStay,
    payload=BedAssign,
    requesters=ASKERS,
    subject=lambda payload: Subject(BedStay.subject_type, payload.stay_id),
    requested_values=lambda payload: _values(payload, "stay_id"),
    fields=lambda payload: frozenset(_values(payload, "stay_id")),
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check_assign,
    apply=_assign,
    applies_at_once=True,
)
BED_LEAVE = Operation(
    name="bed.leave",
    record_type=BedStay,
    payload=BedLeave,
    requesters=ASKERS,
    subject=lambda payload: Subject(BedStay.subject_type, payload.stay_id),
    requested_values=lambda payload: _values(payload, "stay_id", "student_id"),
    fields=lambda payload: frozenset({"to_day"}),
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check_leave,
    apply=_leave,
    applies_at_once=True,
)
