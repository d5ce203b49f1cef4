"""Beds over GraphQL: assigned, left, and shown to whoever reads where a student sleeps."""

from __future__ import annotations

from datetime import timedelta

from archive_store.students.documents import Gender
from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from tests.logistics.test_stays import OFFICE, open_room, today, two_of_a_room
from tests.organisation.test_graphql import mutate, run
from tests.school import School

SHOWN = "query ($id: ID!) { student(id: $id) { dormitory { id building roomNumber bed fromDay toDay } } }"


async def test_a_bed_is_assigned_shown_and_left(school: School) -> None:
    one, two, _ = await two_of_a_room(school)
    key, day = global_id("Student", one.key), today(school)
    room = global_id("DormitoryRoom", await open_room(school, Gender.MALE, "202"))
    asked = {"roomId": room, "bed": 1, "fromDay": day.isoformat()}
    told = await mutate(school, OFFICE, "bedAssign", "id", studentId=key, **asked)
    assert told["errors"] == []
    taken = await mutate(school, OFFICE, "bedAssign", "id", studentId=global_id("Student", two.key), **asked)
    assert (taken["id"], [error["code"] for error in taken["errors"]]) == (None, ["duplicate"])
    last = (day + timedelta(days=2)).isoformat()
    forbidden = await mutate(school, "director", "bedLeave", "id", id=told["id"], toDay=last)
    assert [error["code"] for error in forbidden["errors"]] == ["forbidden"]
    assert (await mutate(school, OFFICE, "bedLeave", "id", id=told["id"], toDay=last))["errors"] == []
    stay = {"id": told["id"], "building": "1号楼", "roomNumber": "202", "bed": 1}
    for subject in (OFFICE, "director", "information"):
        data, _ = await run(school, subject, SHOWN, id=key)
        assert data["student"]["dormitory"] == [{**stay, "fromDay": day.isoformat(), "toDay": last}], subject
    for subject in ("academic-affairs", "admissions"):
        data, _ = await run(school, subject, SHOWN, id=key)
        assert data["student"]["dormitory"] is None, subject


async def test_rooms_are_listed_with_their_beds_and_who_sleeps_there(school: School) -> None:
    one, two, room = await two_of_a_room(school)
    await open_room(school, Gender.FEMALE, "102")
    day = today(school).isoformat()
    for student, bed in ((one, 1), (two, 2)):
        key = global_id("Student", student.key)
        asked = {"studentId": key, "roomId": global_id("DormitoryRoom", room), "bed": bed, "fromDay": day}
        assert (await mutate(school, OFFICE, "bedAssign", "id", **asked))["errors"] == []
    query = """{ dormitoryOccupancy { building rooms beds taken }
        dormitoryRooms(first: 1) { edges { cursor node { id number gender beds taken free closedOn
            stays { id studentId bed } } } pageInfo { hasNextPage endCursor } } }"""
    for subject in (OFFICE, "director"):
        data, _ = await run(school, subject, query)
        assert data["dormitoryOccupancy"] == [{"building": "1号楼", "rooms": 2, "beds": 4, "taken": 2}]
        (edge,) = data["dormitoryRooms"]["edges"]
        assert data["dormitoryRooms"]["pageInfo"]["hasNextPage"]
        held = edge["node"]
        assert (held["number"], held["taken"], held["free"], held["closedOn"]) == ("101", 2, 0, None)
        slept = [stay["studentId"] for stay in held["stays"]]
        assert slept == [global_id("Student", one.key), global_id("Student", two.key)]
    after = data["dormitoryRooms"]["pageInfo"]["endCursor"]
    data, _ = await run(school, OFFICE, query.replace("first: 1", f'first: 5, after: "{after}"'))
    assert [edge["node"]["number"] for edge in data["dormitoryRooms"]["edges"]] == ["102"]
    first = data["dormitoryRooms"]["edges"][0]["node"]["id"]
    closed = await mutate(school, OFFICE, "dormitoryRoomClose", "id", id=first, closedOn=day)
    assert closed["errors"] == []
    data, _ = await run(school, OFFICE, query)
    assert data["dormitoryOccupancy"] == [{"building": "1号楼", "rooms": 1, "beds": 2, "taken": 2}]


async def test_rooms_are_not_for_everybody(school: School) -> None:
    for subject in ("teacher", "admissions", "analysis", "academic-affairs"):
        for field in ("dormitoryOccupancy { beds }", "dormitoryRooms { edges { cursor } }"):
            context = Context(school.store, await school.viewer(subject))
            result = await build_schema().execute(f"{{ {field} }}", context_value=context)
            assert result.errors is not None, subject
            assert result.errors[0].extensions["code"] == "forbidden"  # type: ignore[index]


async def test_meals_moves_and_mistakes_by_mutations(school: School) -> None:
    one, _, room = await two_of_a_room(school)
    key, day = global_id("Student", one.key), today(school)
    meals = {"meals": ["LUNCH"], "fromDay": day.isoformat()}
    enrolled = await mutate(school, OFFICE, "mealsEnrol", "id", studentId=key, **meals)
    assert enrolled["errors"] == []
    last = (day + timedelta(days=7)).isoformat()
    assert (await mutate(school, OFFICE, "mealsEnd", "id", id=enrolled["id"], toDay=last))["errors"] == []
    shown = "query ($id: ID!) { student(id: $id) { meals { id meals fromDay toDay } dormitory { bed } } }"
    data, _ = await run(school, "director", shown, id=key)
    assert data["student"]["meals"] == [
        {"id": enrolled["id"], "meals": ["LUNCH"], "fromDay": day.isoformat(), "toDay": last}
    ]
    data, extensions = await run(school, "admissions", shown, id=key)
    assert data["student"]["meals"] is None
    assert "Student.meals" in {line["field"] for line in extensions["redactions"]}
    bed = {"roomId": global_id("DormitoryRoom", room), "bed": 1, "fromDay": day.isoformat()}
    stay = await mutate(school, OFFICE, "bedAssign", "id", studentId=key, **bed)
    later = {**bed, "bed": 2, "fromDay": (day + timedelta(days=1)).isoformat()}
    moved = await mutate(school, OFFICE, "bedMove", "id", id=stay["id"], **later)
    assert moved["errors"] == []
    annulled = await mutate(school, OFFICE, "bedAnnul", "id", id=moved["id"], reason="登记错误")
    assert annulled["errors"] == []
    data, _ = await run(school, "director", shown, id=key)
    assert [held["bed"] for held in data["student"]["dormitory"]] == [1]
