"""Dormitory rooms (宿舍) and bed stays (住宿安排) as stored. Where a child sleeps is personal (F2)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.students.documents import Gender

F0, F1, F2, F3, F4 = FieldClass


class DormitoryRoom(Record):
    """宿舍房间: beds are numbered from 1 to `beds`; `gender` says for whom."""

    subject_type: ClassVar[str] = "DormitoryRoom"

    building: Annotated[str, F0]
    number: Annotated[str, F0]
    beds: Annotated[int, F0]
    gender: Annotated[Gender, F0]

    class Settings:
        name = "dormitory_rooms"
        indexes = [IndexModel([("building", 1), ("number", 1)], unique=True)]  # noqa: RUF012


class BedStay(Record):
    """住宿安排: a student in a bed from a day to a day, both inclusive; `to_day` is None while it is open."""

    subject_type: ClassVar[str] = "BedStay"

    student_id: Annotated[PydanticObjectId, F2]
    room_id: Annotated[PydanticObjectId, F2]
    bed: Annotated[int, F2]
    from_day: Annotated[date, F2]
    to_day: Annotated[date | None, F2] = None

    class Settings:
        name = "bed_stays"
        indexes = [  # noqa: RUF012
            IndexModel([("student_id", 1), ("from_day", 1)]),
            IndexModel([("room_id", 1), ("bed", 1), ("from_day", 1)]),
        ]
