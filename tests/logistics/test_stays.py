"""Beds over their operations: who assigns, what is refused, who reads a stay and its history."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.logistics.documents import BedStay
from archive_store.logistics.operations import BedAssign, BedLeave, DormitoryRoomOpen
from archive_store.logistics.queries import BED_STAY_HISTORY, stays_of_students
from archive_store.students.documents import Gender, Student
from tests.school import School

OFFICE = "logistics"


def today(school: School) -> date:
    return school_day(school.store.clock.now())


async def open_room(school: School, gender: Gender, number: str = "101", subject: str = OFFICE) -> ObjectId:
    key = ObjectId()
    told = {"room_id": key, "building": "1号楼", "number": number, "beds": 2, "gender": gender}
    viewer = await school.viewer(subject)
    await perform(school.store, viewer, "dormitory_room.open", payload_of(DormitoryRoomOpen, told))
    return key


async def assign(
    school: School, student: Student, room: ObjectId, bed: int = 1, subject: str = OFFICE, **days: Any
) -> ObjectId:
    key = ObjectId()
    told = {"stay_id": key, "student_id": student.key, "room_id": room, "bed": bed}
    payload = payload_of(BedAssign, {**told, "from_day": today(school), **days})
    await perform(school.store, await school.viewer(subject), "bed.assign", payload)
    return key


async def leave(school: School, student: Student, stay: ObjectId, day: date, subject: str = OFFICE) -> None:
    payload = payload_of(BedLeave, {"stay_id": stay, "student_id": student.key, "to_day": day})
    await perform(school.store, await school.viewer(subject), "bed.leave", payload)


async def refused(school: School, asked: Any, code: ErrorCode, field: str | None) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await asked
    assert (caught.value.code, caught.value.field) == (code, field)
    assert await school.counts() == before


async def two_of_a_room(school: School) -> tuple[Student, Student, ObjectId]:
    one, two = await school.student(0), await school.student(1)
    gender = {"$set": {"gender": Gender.MALE}}
    await school.store.database.collection(Student).update_many({"_id": {"$in": [one.key, two.key]}}, gender)
    return one, two, await open_room(school, Gender.MALE)


async def test_a_bed_and_a_student_are_taken_once_and_free_after_the_last_day(school: School) -> None:
    one, two, room = await two_of_a_room(school)
    day = today(school)
    stay = await assign(school, one, room)
    await refused(school, assign(school, two, room), ErrorCode.DUPLICATE, "bed")
    await refused(school, assign(school, one, room, bed=2), ErrorCode.DUPLICATE, "student_id")
    await refused(school, assign(school, two, room, bed=3), ErrorCode.OUT_OF_RANGE, "bed")
    await leave(school, one, stay, day + timedelta(days=3))
    again = day + timedelta(days=3)
    await refused(school, assign(school, two, room, from_day=again), ErrorCode.DUPLICATE, "bed")
    await refused(school, leave(school, one, stay, again), ErrorCode.INVALID_DATE, "to_day")
    await refused(school, leave(school, two, stay, day), ErrorCode.NOT_FOUND, "id")
    await assign(school, two, room, from_day=again + timedelta(days=1))


async def test_of_two_at_once_one_has_the_bed(school: School) -> None:
    one, two, room = await two_of_a_room(school)
    told = await asyncio.gather(assign(school, one, room), assign(school, two, room), return_exceptions=True)
    assert sum(isinstance(each, ObjectId) for each in told) == 1
    assert await school.store.database.collection(BedStay).count_documents({}) == 1


async def test_the_room_is_for_the_student_who_is_in_study_on_that_day(school: School) -> None:
    one, _, room = await two_of_a_room(school)
    other = await open_room(school, Gender.FEMALE, "102")
    await refused(school, assign(school, one, other), ErrorCode.WRONG_STATE, "room_id")
    early = date(1990, 1, 1)
    await refused(school, assign(school, one, room, from_day=early), ErrorCode.WRONG_STATE, "from_day")
    earlier = today(school) - timedelta(days=1)
    await refused(school, assign(school, one, room, to_day=earlier), ErrorCode.INVALID_DATE, "to_day")


async def test_nobody_but_logistics_assigns(school: School) -> None:
    one, _, room = await two_of_a_room(school)
    stay = await assign(school, one, room)
    for subject in ("director", "information", "teacher", "principal", "academic-affairs", "analysis"):
        await refused(school, open_room(school, Gender.MALE, "9", subject), ErrorCode.FORBIDDEN, None)
        await refused(school, assign(school, one, room, subject=subject), ErrorCode.FORBIDDEN, None)
        await refused(school, leave(school, one, stay, today(school), subject), ErrorCode.FORBIDDEN, None)


async def test_who_reads_a_stay_and_its_history(school: School) -> None:
    one, two, room = await two_of_a_room(school)
    stay = await assign(school, one, room)
    readers = (OFFICE, "director", "information", "principal")
    for subject in (*readers, "academic-affairs", "admissions", "deputy-2", "analysis"):
        viewer = await school.viewer(subject)
        held, none = await stays_of_students(school.store, viewer, [one.key, two.key])
        rights = await BED_STAY_HISTORY.rights(school.store, viewer, [stay])
        if subject in readers:
            assert isinstance(held, list) and [each.stay.key for each in held] == [stay] and none == [], (
                subject
            )
            assert list(rights) == [stay], subject
        else:
            assert (held, none, rights) == (Withheld.NOT_PERMITTED, Withheld.NOT_PERMITTED, {}), subject


async def test_the_family_is_told_with_the_stay(school: School) -> None:
    one, _, room = await two_of_a_room(school)
    before = await school.counts()
    await assign(school, one, room)
    rows = (await school.documents())["notifications"]
    told = [row for row in rows if row["kind"] == "bed_stay:assigned"]
    assert {one.person_id} <= {row["recipient_person"] for row in told}
    after = await school.counts()
    assert after["bed_stays"] == before.get("bed_stays", 0) + 1
