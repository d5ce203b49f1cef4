"""A small structure over the demo students: two classes of one cohort, and a third that is empty."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bson import ObjectId

from archive_store.approvals.operations import Asking, Outcome, payload_of, perform
from archive_store.foundation.clock import school_day
from archive_store.organisation.assignments import ClassAssign
from archive_store.organisation.classes import ClassChange, ClassClose, ClassOpen
from archive_store.organisation.homerooms import HomeroomAssign, HomeroomEnd
from archive_store.organisation.majors import DepartmentOpen, MajorClose, MajorOpen
from archive_store.organisation.operations import (
    CampusOpen,
    CohortChange,
    CohortOpen,
    SchoolSetUp,
)
from tests.school import School

FIRST, SECOND, THIRD = "2023级1班", "2023级2班", "2023级3班"
GRADES = (
    {"label": "七年级", "valid_from": "2023-09-01"},
    {"label": "八年级", "valid_from": "2024-09-01"},
    {"label": "九年级", "valid_from": "2025-09-01"},
)
MAJORS = {"080901": ("计算机科学与技术", "01"), "080902": ("软件工程", "01"), "050101": ("汉语言文学", "02")}
PAYLOADS: dict[str, Any] = {
    "campus.open": CampusOpen,
    "class.assign": ClassAssign,
    "class.change": ClassChange,
    "class.close": ClassClose,
    "class.open": ClassOpen,
    "cohort.change": CohortChange,
    "cohort.open": CohortOpen,
    "department.open": DepartmentOpen,
    "homeroom.assign": HomeroomAssign,
    "homeroom.end": HomeroomEnd,
    "major.close": MajorClose,
    "major.open": MajorOpen,
    "school.set_up": SchoolSetUp,
}


async def ask(
    school: School, name: str, values: dict[str, Any], subject: str = "information", **asking: Any
) -> Outcome:
    payload = payload_of(PAYLOADS[name], values)
    told = Asking(**{"reason": "按学年安排", **asking})
    return await perform(school.store, await school.viewer(subject), name, payload, asking=told)


async def done(
    school: School,
    name: str,
    values: dict[str, Any],
    subject: str = "information",
    signers: tuple[str, ...] = ("director",),
) -> ObjectId:
    """Ask, and have it signed by these where that is needed; the request's key or what it led to."""
    outcome = await ask(school, name, values, subject)
    if outcome.change_request_id is None:
        return outcome.result  # type: ignore[no-any-return]
    for signer in signers:
        await school.approve(signer, outcome.change_request_id)
    return outcome.change_request_id


async def build(school: School, capacity: int = 45) -> dict[str, ObjectId]:
    """The keys of cohort, campus and classes."""
    keys = {name: ObjectId() for name in ("school", "campus", "cohort", FIRST, SECOND, THIRD)}
    set_up = {"name": "示范中学", "code": "3111000123", "division": "110105"}
    await done(school, "school.set_up", {"school_id": keys["school"], **set_up})
    await done(school, "campus.open", {"campus_id": keys["campus"], "name": "东校区"})
    cohort = {"name": "2023级", "stage": "JUNIOR", "enrolled_year": 2023, "grades": GRADES}
    await done(school, "cohort.open", {"cohort_id": keys["cohort"], **cohort})
    for name in (FIRST, SECOND, THIRD):
        await open_class(school, keys, name, capacity=capacity)
    return keys


async def open_class(school: School, keys: dict[str, ObjectId], name: str, **more: Any) -> ObjectId:
    keys[name] = ObjectId()
    values = {"cohort_id": keys["cohort"], "campus_id": keys["campus"], "opened_on": "2023-09-01", **more}
    return await done(school, "class.open", {"class_id": keys[name], "name": name, "capacity": 45, **values})


async def open_majors(school: School) -> dict[str, ObjectId]:
    """Two departments; two majors of the first and one of the second, for undergraduates; their keys by code."""
    keys = {code: ObjectId() for code in ("01", "02", *MAJORS)}
    for code, name in (("01", "计算机学院"), ("02", "文学院")):
        told = {"department_id": keys[code], "code": code, "name": name}
        await done(school, "department.open", told)
    for code, (name, department) in MAJORS.items():
        told = {"major_id": keys[code], "code": code, "name": name, "department_id": keys[department]}
        told |= {"stage": "UNDERGRAD", "duration_months": 48, "opened_on": "2020-09-01"}
        await done(school, "major.open", told)
    return keys


def moves(*asked: tuple[Any, ...]) -> dict[str, Any]:
    """Payload of `class.assign` from (student, class, seat)."""
    return {
        "assignment_id": ObjectId(),
        "moves": tuple(
            {"student_id": student, "class_name": name, "seat_number": seat} for student, name, seat in asked
        ),
    }


def day(school: School, days: int = 0) -> str:
    return (school_day(school.store.clock.now()) + timedelta(days=days)).isoformat()
