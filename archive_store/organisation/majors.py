"""Departments and majors (院系、专业): `department.open`, `major.open` and `major.close`.

A major's code is what joins: `Student.major_code` is that code. One that closed takes no newcomers; who studies it
goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found, loaded, require_unique
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.organisation.documents import Department, Major
from archive_store.organisation.queries import sees_structure
from archive_store.organisation.steps import (
    Line,
    check_texts,
    insert_told,
    structure_operation,
)
from archive_store.students.documents import Student
from archive_store.students.scope import RELATIONSHIP_FACTS, student_scope

# Primary, junior and special schools teach no majors.
MAJOR_STAGES = frozenset(
    {SchoolStage.SENIOR, SchoolStage.VOCATIONAL, SchoolStage.UNDERGRAD, SchoolStage.POSTGRAD}
)
LONGEST_MONTHS = 120
Code = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,20}$")]


class DepartmentOpen(Payload):
    """Payload of `department.open`; the code is the school's own."""

    department_id: PydanticObjectId
    code: Code
    name: Line


class MajorOpen(Payload):
    """Payload of `major.open`; `duration_months` is the regular length of study (学制)."""

    major_id: PydanticObjectId
    code: Code
    name: Line
    department_id: PydanticObjectId
    stage: SchoolStage
    duration_months: Annotated[int, Field(ge=1, le=LONGEST_MONTHS)]
    opened_on: date


class MajorClose(Payload):
    """Payload of `major.close`; `closed_on` is the last day on which somebody may take it up."""

    major_id: PydanticObjectId
    closed_on: date


async def _check_department(store: Store, viewer: Viewer, payload: DepartmentOpen) -> None:
    check_texts(payload)
    for name in ("code", "name"):
        await require_unique(store, Department, {name: getattr(payload, name)}, name)


async def _open_department(unit: UnitOfWork, payload: DepartmentOpen) -> ObjectId:
    department = Department(id=payload.department_id, **payload.model_dump(exclude={"department_id"}))
    return await insert_told(unit, department, "department:open")


async def _check_major(store: Store, viewer: Viewer, payload: MajorOpen) -> None:
    check_texts(payload)
    await found(store, Department, payload.department_id, "department_id")
    if payload.stage not in MAJOR_STAGES:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="stage",
            detail_zh="该学段不设专业",
            detail_en="there are no majors in this stage",
        )
    await require_unique(store, Major, {"code": payload.code}, "code")
    await require_unique(store, Major, {"name": payload.name, "stage": payload.stage.value}, "name")


async def _open_major(unit: UnitOfWork, payload: MajorOpen) -> ObjectId:
    major = Major(id=payload.major_id, **payload.model_dump(exclude={"major_id"}))
    return await insert_told(unit, major, "major:open")


async def _check_close(store: Store, viewer: Viewer, payload: MajorClose) -> None:
    _require_closable(await found(store, Major, payload.major_id, "major_id"), payload.closed_on)


def _require_closable(major: Major, day: date) -> None:
    if major.closed_on is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="major_id", state="CLOSED")
    if day < major.opened_on:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="closed_on")


async def _close_major(unit: UnitOfWork, payload: MajorClose) -> ObjectId:
    major = await loaded(unit, Major, payload.major_id, "major_id")
    _require_closable(major, payload.closed_on)
    await unit.change_told(major, {"closed_on": payload.closed_on}, "major:close")
    return major.key


async def _current_end(
    store: Store, session: AsyncClientSession | None, payload: MajorClose
) -> Mapping[str, Any]:
    return {
        "closed_on": bson_value((await found(store, Major, payload.major_id, "major_id", session)).closed_on)
    }


MAJOR_RECORD_TYPES: tuple[type[Record], ...] = (Department, Major)
MAJOR_OPERATIONS: Mapping[str, Operation[Any]] = {
    "department.open": structure_operation(
        "department.open", Department, DepartmentOpen, "department_id", _check_department, _open_department
    ),
    "major.close": structure_operation(
        "major.close", Major, MajorClose, "major_id", _check_close, _close_major, current=_current_end
    ),
    "major.open": structure_operation("major.open", Major, MajorOpen, "major_id", _check_major, _open_major),
}


async def open_majors(
    store: Store, given: Collection[str], day: date, session: AsyncClientSession | None = None
) -> dict[str, list[Major]]:
    """By each text the majors whose code or name it is, of those open on the day; a code goes before a name."""
    told = sorted(set(given))
    query = {"$or": [{"code": {"$in": told}}, {"name": {"$in": told}}]}
    rows = await store.database.collection(Major).find(query, session=session).to_list()
    majors = [major for row in rows if is_open(major := Major.model_validate(row), day)]
    found: dict[str, list[Major]] = {}
    for text in told:
        by_code = [major for major in majors if major.code == text]
        if held := by_code or [major for major in majors if major.name == text]:
            found[text] = held
    return found


def is_open(major: Major, day: date) -> bool:
    return major.opened_on <= day and (major.closed_on is None or day <= major.closed_on)


async def all_departments(store: Store, viewer: Viewer) -> list[Department]:
    """By code; for whoever sees the structure, as cohorts are."""
    if not sees_structure(viewer):
        return []
    rows = store.database.collection(Department).find({}).sort("code", 1)
    return [Department.model_validate(row) async for row in rows]


async def all_majors(store: Store, viewer: Viewer) -> list[Major]:
    """By code, closed ones as well; for whoever sees the structure."""
    if not sees_structure(viewer):
        return []
    rows = store.database.collection(Major).find({}).sort("code", 1)
    return [Major.model_validate(row) async for row in rows]


async def majors_of_students(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[Major | None]:
    """The major that each student's record names; None where there is none, or the viewer may not read which."""
    scope = student_scope(viewer)
    query = {"$and": [{"_id": {"$in": list(ids)}}, scope.visible]}
    rows = store.database.collection(Student).find(
        query, dict.fromkeys((*RELATIONSHIP_FACTS, "major_code"), 1)
    )
    codes = {
        row["_id"]: row.get("major_code")
        async for row in rows
        if "major_code" in scope.decide(row).decision.readable
    }
    named = sorted({code for code in codes.values() if code is not None})
    found = store.database.collection(Major).find({"code": {"$in": named}})
    by_code = {row["code"]: Major.model_validate(row) async for row in found}
    return [by_code.get(codes.get(key, "")) for key in ids]


async def departments_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[Department | None]:
    held = {department.key: department for department in await all_departments(store, viewer)}
    return [held.get(key) for key in ids]


async def majors_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[Major | None]:
    held = {major.key: major for major in await all_majors(store, viewer)}
    return [held.get(key) for key in ids]
