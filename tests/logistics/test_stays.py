"""Beds over their operations: who assigns, what is refused, who reads a stay and its history."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.approvals.operations import payload_of, perform
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.logistics.documents import BedStay
from archive_store.logistics.histories import BED_STAY_HISTORY
from archive_store.logistics.jobs import tell_beds_held
from archive_store.logistics.meals import MealsEnd, MealsEnrol, meals_of_students
from archive_store.logistics.operations import BedAnnul, BedAssign, BedLeave, BedMove
from archive_store.logistics.queries import stays_of_students
from archive_store.logistics.rooms import DormitoryRoomClose, DormitoryRoomOpen
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import Gender, Student
from tests.conduct.cases import family
from tests.school import School
from tests.status_changes.changes import done as change_done

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
    await refused(school, assign(school, one, room, from_day=early), ErrorCode.INVALID_DATE, "from_day")
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


async def test_nobody_learns_of_the_past_and_a_stay_holds_on_days_in_study_alone(school: School) -> None:
    one, _, room = await two_of_a_room(school)
    day = today(school)
    for back, code in ((32, ErrorCode.INVALID_DATE), (31, None)):
        asked = assign(
            school, one, room, from_day=day - timedelta(days=back), to_day=day - timedelta(days=20)
        )
        if code is None:
            await asked
        else:
            await refused(school, asked, code, "from_day")
    # Out of study since ten days: a stay over them is refused, and so is one from them on.
    await change_done(school, ChangeKind.SUSPEND, day - timedelta(days=10))
    for since in (15, 5, 0):
        asked = assign(school, one, room, from_day=day - timedelta(days=since))
        await refused(school, asked, ErrorCode.WRONG_STATE, "from_day")
    ended = day - timedelta(days=12)
    await assign(school, one, room, from_day=day - timedelta(days=15), to_day=ended)


async def test_a_move_is_one_act(school: School) -> None:
    one, two, room = await two_of_a_room(school)
    day = today(school)
    stay = await assign(school, one, room, from_day=day - timedelta(days=5))
    await assign(school, two, room, bed=2)
    told = {"leaves_id": stay, "student_id": one.key, "room_id": room, "from_day": day}
    viewer = await school.viewer(OFFICE)

    async def move(bed: int, room_id: ObjectId) -> ObjectId:
        key = ObjectId()
        payload = payload_of(BedMove, {**told, "stay_id": key, "bed": bed, "room_id": room_id})
        await perform(school.store, viewer, "bed.move", payload)
        return key

    await refused(school, move(2, room), ErrorCode.DUPLICATE, "bed")
    other = await open_room(school, Gender.MALE, "103")
    moved = await move(1, other)
    (held,) = await stays_of_students(school.store, viewer, [one.key])
    assert isinstance(held, list)
    spans = [(view.stay.key, view.stay.from_day, view.stay.to_day) for view in held]
    assert spans == [
        (stay, day - timedelta(days=5), day - timedelta(days=1)),
        (moved, day, None),
    ]
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_an_annulled_stay_never_was(school: School) -> None:
    one, two, room = await two_of_a_room(school)
    stay = await assign(school, one, room)
    payload = payload_of(BedAnnul, {"stay_id": stay, "student_id": one.key})
    viewer = await school.viewer(OFFICE)
    await perform(school.store, viewer, "bed.annul", payload, reason="登记错误")
    assert await stays_of_students(school.store, viewer, [one.key]) == [[]]
    await assign(school, two, room)
    await refused(school, leave(school, one, stay, today(school)), ErrorCode.NOT_FOUND, "id")


async def close(school: School, room: ObjectId, on: date) -> None:
    payload = payload_of(DormitoryRoomClose, {"room_id": room, "closed_on": on})
    await perform(school.store, await school.viewer(OFFICE), "dormitory_room.close", payload)


async def test_a_room_closes_when_nobody_has_a_bed_in_it(school: School) -> None:
    one, _, room = await two_of_a_room(school)
    day = today(school)
    stay = await assign(school, one, room)
    await refused(school, close(school, room, day + timedelta(days=3)), ErrorCode.WRONG_STATE, "closed_on")
    await leave(school, one, stay, day + timedelta(days=2))
    await refused(school, close(school, room, day - timedelta(days=1)), ErrorCode.INVALID_DATE, "closed_on")
    await close(school, room, day + timedelta(days=3))
    await refused(school, close(school, room, day + timedelta(days=3)), ErrorCode.WRONG_STATE, "room_id")
    await refused(
        school,
        assign(school, one, room, bed=2, from_day=day + timedelta(days=3)),
        ErrorCode.WRONG_STATE,
        "room_id",
    )


async def test_stays_of_a_merged_record_are_the_students(school: School) -> None:
    one, two, room = await two_of_a_room(school)
    await assign(school, two, room)
    students = school.store.database.collection(Student)
    await students.update_one({"_id": two.key}, {"$set": {"merged_into": one.key}})
    await refused(school, assign(school, one, room, bed=2), ErrorCode.DUPLICATE, "student_id")


async def test_a_bed_held_by_who_is_not_in_study_is_told_once(school: School) -> None:
    one, two, room = await two_of_a_room(school)
    await assign(school, one, room, from_day=today(school) - timedelta(days=5))
    await assign(school, two, room, bed=2)
    await change_done(school, ChangeKind.SUSPEND, today(school))
    hour = school.store.clock.now().replace(minute=0)
    assert await tell_beds_held(school.store, hour.replace(minute=30)) == 0
    assert await tell_beds_held(school.store, hour) == 1
    assert await tell_beds_held(school.store, hour) == 0
    rows = (await school.documents())["notifications"]
    assert sum(row["kind"] == "bed_stay:held_out_of_study" for row in rows) == 1


async def test_meals_are_enrolled_once_a_day_and_read_as_beds_are(school: School) -> None:
    one, two, _ = await two_of_a_room(school)
    day = today(school)

    async def enrol(subject: str = OFFICE, **more: Any) -> ObjectId:
        key = ObjectId()
        told = {"enrolment_id": key, "student_id": one.key, "meals": {"LUNCH", "BREAKFAST"}, "from_day": day}
        payload = payload_of(MealsEnrol, told | more)
        await perform(school.store, await school.viewer(subject), "meals.enrol", payload)
        return key

    first = await enrol()
    await refused(school, enrol(from_day=day + timedelta(days=9)), ErrorCode.DUPLICATE, "student_id")
    await refused(school, enrol("director"), ErrorCode.FORBIDDEN, None)
    ended = payload_of(
        MealsEnd, {"enrolment_id": first, "student_id": one.key, "to_day": day + timedelta(days=8)}
    )
    await perform(school.store, await school.viewer(OFFICE), "meals.end", ended)
    await enrol(from_day=day + timedelta(days=9), meals={"DINNER"})
    for subject in (OFFICE, "director", "information", "principal"):
        held, none = await meals_of_students(school.store, await school.viewer(subject), [one.key, two.key])
        assert isinstance(held, list) and none == []
        assert [sorted(each.meals) for each in held] == [["BREAKFAST", "LUNCH"], ["DINNER"]]
    for subject in ("academic-affairs", "admissions", "analysis"):
        (kept,) = await meals_of_students(school.store, await school.viewer(subject), [one.key])
        assert kept is Withheld.NOT_PERMITTED
    kinds = {row["kind"] for row in (await school.documents())["notifications"]}
    assert {"meals:enrolled", "meals:ended"} <= kinds


async def test_the_family_and_the_homeroom_teacher_read_where_a_child_sleeps(school: School) -> None:
    one, two, room = await two_of_a_room(school)
    student = await family(school)
    assert student == one.key
    await assign(school, one, room)
    await assign(school, two, room, bed=2)
    for subject in ("pupil", "parent"):
        own, other = await stays_of_students(school.store, await school.viewer(subject), [one.key, two.key])
        assert isinstance(own, list) and len(own) == 1, subject
        assert other is Withheld.NOT_PERMITTED
    told = {row["recipient_person"] for row in (await school.documents())["notifications"]}
    assert (await school.viewer("parent")).person_id in told
