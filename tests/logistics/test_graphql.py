"""Beds over GraphQL: assigned, left, and shown to whoever reads where a student sleeps."""

from __future__ import annotations

from datetime import timedelta

from archive_store.students.documents import Gender
from schema.nodes import global_id
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
