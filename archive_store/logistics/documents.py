"""Dormitory rooms (宿舍), bed stays (住宿安排) and meal enrolments (用餐) as stored.

Where a child sleeps and eats is personal (F2).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.students.documents import Gender

F0, F1, F2, F3, F4 = FieldClass


class DormitoryRoom(Record):
    """宿舍房间: beds are numbered from 1 to `beds`; `gender` says for whom. From `closed_on` on nobody sleeps in it."""

    subject_type: ClassVar[str] = "DormitoryRoom"

    building: Annotated[str, F0]
    number: Annotated[str, F0]
    beds: Annotated[int, F0]
    gender: Annotated[Gender, F0]
    closed_on: Annotated[date | None, F0] = None

    class Settings:
        name = "dormitory_rooms"
        indexes = [  # noqa: RUF012
            IndexModel([("building", 1), ("number", 1)], unique=True),
            IndexModel([("number", 1), ("_id", 1)]),
        ]


class BedStay(Record):
    """住宿安排: a student in a bed from a day to a day, both inclusive; `to_day` is None while it is open.

    One that was annulled (作废) never was. `told_held_on` is the day on which logistics was told that the bed is
    held by somebody who is not in study.
    """

    subject_type: ClassVar[str] = "BedStay"

    student_id: Annotated[PydanticObjectId, F2]
    room_id: Annotated[PydanticObjectId, F2]
    bed: Annotated[int, F2]
    from_day: Annotated[date, F2]
    to_day: Annotated[date | None, F2] = None
    annulled_on: Annotated[date | None, F2] = None
    told_held_on: Annotated[date | None, F2] = None

    class Settings:
        name = "bed_stays"
        indexes = [  # noqa: RUF012
            IndexModel([("student_id", 1), ("from_day", 1)]),
            IndexModel([("room_id", 1), ("bed", 1), ("from_day", 1)]),
        ]


class Meal(StrEnum):
    """餐次."""

    BREAKFAST = "BREAKFAST"  # 早餐
    LUNCH = "LUNCH"  # 午餐
    DINNER = "DINNER"  # 晚餐


class MealEnrolment(Record):
    """用餐: the meals that a student takes from a day to a day, both inclusive; `to_day` is None while it is open."""

    subject_type: ClassVar[str] = "MealEnrolment"

    student_id: Annotated[PydanticObjectId, F2]
    meals: Annotated[list[Meal], F2]
    from_day: Annotated[date, F2]
    to_day: Annotated[date | None, F2] = None

    class Settings:
        name = "meal_enrolments"
        indexes = [IndexModel([("student_id", 1), ("from_day", 1)])]  # noqa: RUF012
