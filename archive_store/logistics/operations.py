"""`bed.assign`, `bed.move`, `bed.leave` and `bed.annul`, by logistics at once (policy §一(一), 住宿信息)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.logistics.documents import BedStay, DormitoryRoom
from archive_store.logistics.queries import STAY, decisions_on, intervals
from archive_store.logistics.rooms import BEDS_SERIAL
from archive_store.logistics.rules import Clash, Interval, clash
from archive_store.logistics.steps import (
    POLICY,
    check_days,
    logistics_operation,
    of_student,
    require_in_sight,
    require_in_study,
    student_row,
    told_whole,
)
from archive_store.students.family import tell_family
from archive_store.students.merged import owners_of_merged


class BedAssign(Payload):
    """Payload of `bed.assign`; both days inclusive, an open stay has no last one."""

    stay_id: PydanticObjectId
    student_id: PydanticObjectId
    room_id: PydanticObjectId
    bed: Annotated[int, Field(ge=1, le=50)]
    from_day: date
    to_day: date | None = None


class BedMove(BedAssign):
    """Payload of `bed.move`: the stay `leaves_id` ends on the day before the new one begins."""

    leaves_id: PydanticObjectId


class BedLeave(Payload):
    """Payload of `bed.leave`: the last day of the stay, earlier than the one that it has."""

    stay_id: PydanticObjectId
    student_id: PydanticObjectId
    to_day: date


class BedAnnul(Payload):
    """Payload of `bed.annul`: a stay that was assigned by mistake; why is the reason."""

    stay_id: PydanticObjectId
    student_id: PydanticObjectId


async def _judge(
    store: Store,
    payload: BedAssign,
    session: AsyncClientSession | None = None,
    *,
    leaves: ObjectId | None = None,
) -> None:
    """What the record says beyond the open fields is not told: a room is for the student or is not."""
    check_days(store, payload.from_day, payload.to_day)
    room = await found(store, DormitoryRoom, payload.room_id, "room_id", session)
    if payload.bed > room.beds:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="bed", rule=POLICY, least=1, most=room.beds)
    if room.closed_on is not None and (payload.to_day is None or payload.to_day >= room.closed_on):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="room_id", rule=POLICY, state="CLOSED")
    student = await student_row(store, payload.student_id, session)
    require_in_study(student, payload.from_day, payload.to_day, school_day(store.clock.now()))
    if student["gender"] != room.gender:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="room_id", rule=POLICY, state="NOT_FOR_STUDENT")
    # Stays of a record that was merged into the student's are theirs.
    own = sorted(await owners_of_merged(store, session, [payload.student_id]))
    query: Row = {"$or": [{"student_id": {"$in": own}}, {"room_id": payload.room_id, "bed": payload.bed}]}
    if leaves is not None:
        query["_id"] = {"$ne": leaves}
    wanted = Interval(own[-1], payload.room_id, payload.bed, payload.from_day, payload.to_day)
    held = await intervals(store, query, session, as_one=frozenset(own))
    if (taken := clash(wanted, held)) is not None:
        field = "bed" if taken is Clash.BED else "student_id"
        raise RegistrarError(ErrorCode.DUPLICATE, field=field, rule=POLICY, others=BedStay.subject_type)


async def _check_assign(store: Store, viewer: Viewer, payload: BedAssign) -> None:
    await require_in_sight(store, viewer, payload.student_id)
    await _judge(store, payload)


async def _insert(unit: UnitOfWork, payload: BedAssign) -> ObjectId:
    values = payload.model_dump(exclude={"stay_id", "leaves_id"})
    stay = BedStay(id=payload.stay_id, **values)
    await unit.insert(stay)
    unit.audit(Subject(stay.subject_type, stay.key), "bed_stay:assign", told_whole(stay))
    await tell_family(unit, stay, stay.student_id, "bed_stay:assigned")
    return stay.key


async def _assign(unit: UnitOfWork, payload: BedAssign) -> ObjectId:
    await unit.serialise(BEDS_SERIAL)
    await _judge(unit.store, payload, unit.session)
    return await _insert(unit, payload)


async def _known(store: Store, viewer: Viewer, stay_id: ObjectId, student_id: ObjectId) -> BedStay:
    """A stay in sight that was not annulled; NOT_FOUND otherwise."""
    held = await found(store, BedStay, stay_id, "id")
    decision = (await decisions_on(store, viewer, BedStay, [held.key])).get(held.key)
    is_read = decision is not None and decision.readable >= STAY
    if held.student_id != student_id or not is_read or held.annulled_on is not None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    return held


async def _loaded(unit: UnitOfWork, stay_id: ObjectId) -> BedStay:
    await unit.serialise(BEDS_SERIAL)
    stay = await unit.load(BedStay, stay_id)
    if stay is None or stay.annulled_on is not None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    return stay


def _require_shorter(held: BedStay, day: date, field: str) -> None:
    if day < held.from_day or (held.to_day is not None and day >= held.to_day):
        raise RegistrarError(ErrorCode.INVALID_DATE, field=field, rule=POLICY)


async def _check_leave(store: Store, viewer: Viewer, payload: BedLeave) -> None:
    held = await _known(store, viewer, payload.stay_id, payload.student_id)
    _require_shorter(held, payload.to_day, "to_day")


async def _leave(unit: UnitOfWork, payload: BedLeave) -> ObjectId:
    stay = await _loaded(unit, payload.stay_id)
    _require_shorter(stay, payload.to_day, "to_day")
    return await _end(unit, stay, payload.to_day)


async def _end(unit: UnitOfWork, stay: BedStay, day: date) -> ObjectId:
    await unit.change_told(stay, {"to_day": day}, "bed_stay:leave")
    await tell_family(unit, stay, stay.student_id, "bed_stay:left")
    return stay.key


async def _check_move(store: Store, viewer: Viewer, payload: BedMove) -> None:
    held = await _known(store, viewer, payload.leaves_id, payload.student_id)
    check_days(store, payload.from_day, payload.to_day)
    _require_shorter(held, payload.from_day - timedelta(days=1), "from_day")
    await _judge(store, payload, leaves=payload.leaves_id)


async def _move(unit: UnitOfWork, payload: BedMove) -> ObjectId:
    held = await _loaded(unit, payload.leaves_id)
    last = payload.from_day - timedelta(days=1)
    _require_shorter(held, last, "from_day")
    await _judge(unit.store, payload, unit.session, leaves=payload.leaves_id)
    await _end(unit, held, last)
    return await _insert(unit, payload)


async def _check_annul(store: Store, viewer: Viewer, payload: BedAnnul) -> None:
    await _known(store, viewer, payload.stay_id, payload.student_id)


async def _annul(unit: UnitOfWork, payload: BedAnnul) -> ObjectId:
    stay = await _loaded(unit, payload.stay_id)
    await unit.change_told(stay, {"annulled_on": school_day(unit.at)}, "bed_stay:annul")
    await tell_family(unit, stay, stay.student_id, "bed_stay:annulled")
    return stay.key


BED_ASSIGN = logistics_operation(
    "bed.assign", BedStay, BedAssign, "stay_id", _check_assign, _assign, concerns=of_student
)
BED_MOVE = logistics_operation(
    "bed.move", BedStay, BedMove, "stay_id", _check_move, _move, concerns=of_student
)
BED_LEAVE = logistics_operation(
    "bed.leave", BedStay, BedLeave, "stay_id", _check_leave, _leave, concerns=of_student
)
BED_ANNUL = logistics_operation(
    "bed.annul", BedStay, BedAnnul, "stay_id", _check_annul, _annul, concerns=of_student
)
