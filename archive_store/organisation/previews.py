"""What an assignment of classes would lead to (编班预览), and one that is balanced, before anything is asked for.

For those who may ask for one, and who read of every student what it is told by.
"""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operations import payload_of
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.organisation.assignments import (
    CLASS_ASSIGN,
    JUDGED_BY,
    MOVES_LIMIT,
    ClassAssign,
    classes_by_name,
    judged,
    placed,
    require_readable,
)
from archive_store.organisation.proposals import Room, dealt
from archive_store.organisation.rules import Judgement, Move, is_closed
from archive_store.students.documents import Student

CLASSES_LIMIT = 100


def counts_gender(viewer: Viewer) -> bool:
    """Whether counts by gender may be shown: of students whose gender the viewer reads."""
    return "gender" in viewer.decide(Student).readable


async def preview(store: Store, viewer: Viewer, moves: Sequence[dict[str, object]]) -> Judgement:
    """The classes concerned before and after, and every fault; FORBIDDEN to who may not ask."""
    CLASS_ASSIGN.require_asker(viewer)
    require_readable(viewer, JUDGED_BY)
    payload = payload_of(ClassAssign, {"assignment_id": ObjectId(), "moves": tuple(moves)})
    judgement, _ = await judged(store, viewer, payload.asked)
    return judgement


async def propose(
    store: Store,
    viewer: Viewer,
    *,
    into: Sequence[str],
    student_ids: Sequence[ObjectId] | None = None,
    from_classes: Sequence[str] | None = None,
) -> tuple[list[Move], Judgement]:
    """A balanced assignment of the students named, or of all in the classes named; and what it would lead to.

    The same students and classes give the same one. NOT_FOUND of a class that is not there, WRONG_STATE of one that is
    closed, TOO_MANY for more students than places.
    """
    CLASS_ASSIGN.require_asker(viewer)
    require_readable(viewer, JUDGED_BY | {"gender", "auxiliary_number"})
    _check_length(into, "into", CLASSES_LIMIT)
    _check_length(student_ids or from_classes or (), "students", MOVES_LIMIT)
    names = list(dict.fromkeys(into))
    classes = await classes_by_name(store, set(names))
    today = school_day(store.clock.now())
    for place, name in enumerate(names):
        if name not in classes:
            raise RegistrarError(ErrorCode.NOT_FOUND, field=f"into.{place}")
        if is_closed(classes[name], today):
            raise RegistrarError(ErrorCode.WRONG_STATE, field=f"into.{place}", state="CLOSED")
    fields = dict.fromkeys(("class_name", "class_seat_number", "status", "gender", "auxiliary_number"), 1)
    students = store.database.collection(Student)
    chosen = (
        {"_id": {"$in": list(student_ids)}}
        if student_ids
        else {"class_name": {"$in": list(from_classes or ())}}
    )
    found = [placed(row) for row in await students.find(chosen, fields).limit(5 * MOVES_LIMIT).to_list()]
    if student_ids and len(found) != len(set(student_ids)):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="students")
    dealt_ones = [student for student in found if not student.has_left]
    _check_length(dealt_ones, "students", MOVES_LIMIT)
    moving = {student.id for student in dealt_ones}
    rooms = {name: Room(name, classes[name].capacity) for name in names}
    for row in await students.find({"class_name": {"$in": names}}, fields).to_list():
        stays = placed(row)
        if stays.id in moving or stays.has_left:
            continue
        rooms[stays.class_name].places = max(0, rooms[stays.class_name].places - 1)
        if stays.seat is not None:
            rooms[stays.class_name].taken_seats.add(stays.seat)
    moves = dealt(dealt_ones, list(rooms.values()))
    judgement, _ = await judged(store, viewer, moves)
    return moves, judgement


def _check_length(items: Sequence[object], field: str, limit: int) -> None:
    if not items:
        raise RegistrarError(ErrorCode.REQUIRED, field=field)
    if len(items) > limit:
        raise RegistrarError(ErrorCode.TOO_MANY, field=field, limit=limit)
