"""Setting up and changing the structure: `school.set_up`, `campus.open`, `cohort.open` and `cohort.change`.

Classes are in `classes.py`, assignments in `assignments.py`, homeroom periods in `homerooms.py`. Opening adds a name
that nothing is tied to yet, so it applies at once; what changes a name, a grade or a capacity that records may rest on
is signed by the department head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Payload
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found, loaded, require_unique
from archive_store.foundation.records import bson_value
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.organisation.documents import Campus, Cohort, GradePeriod, School
from archive_store.organisation.rules import check_grades
from archive_store.organisation.steps import (
    Line,
    LongLine,
    check_texts,
    insert_told,
    structure_operation,
)

GRADES_LIMIT = 20
Grades = Annotated[tuple[GradePeriod, ...], Field(min_length=1, max_length=GRADES_LIMIT)]


class SchoolSetUp(Payload):
    """Payload of `school.set_up`: the whole of it. 学校标识码 has 10 digits, a division (GB/T 2260) 6."""

    school_id: PydanticObjectId
    name: LongLine
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{10}$")]
    division: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class CampusOpen(Payload):
    """Payload of `campus.open`."""

    campus_id: PydanticObjectId
    name: Line
    address: LongLine | None = None


class CohortOpen(Payload):
    """Payload of `cohort.open`; `grades` in order of their days, as many as are known."""

    cohort_id: PydanticObjectId
    name: Line
    stage: SchoolStage
    enrolled_year: Annotated[int, Field(ge=1900, le=2200)]
    grades: Grades


class CohortChange(Payload):
    """Payload of `cohort.change`: the whole new list of grades."""

    cohort_id: PydanticObjectId
    grades: Grades


async def _check_school(store: Store, viewer: Viewer, payload: SchoolSetUp) -> None:
    check_texts(payload)
    row = await store.database.collection(School).find_one({})
    asked = payload.model_dump(exclude={"school_id"})
    if row is not None and all(row[name] == value for name, value in asked.items()):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="name")


async def _set_up(unit: UnitOfWork, payload: SchoolSetUp) -> ObjectId:
    values = payload.model_dump(exclude={"school_id"})
    row = await unit.store.database.collection(School).find_one({}, {"_id": 1}, session=unit.session)
    if row is None:
        return await insert_told(unit, School(id=payload.school_id, **values), "school:set_up")
    school = await loaded(unit, School, row["_id"], "name")
    await unit.change_told(school, values, "school:set_up")
    return school.key


async def _current_school(
    store: Store, session: AsyncClientSession | None, payload: SchoolSetUp
) -> Mapping[str, Any]:
    row = await store.database.collection(School).find_one({}, session=session) or {}
    return {name: row.get(name) for name in ("name", "code", "division")}


async def _check_campus(store: Store, viewer: Viewer, payload: CampusOpen) -> None:
    check_texts(payload)
    await require_unique(store, Campus, {"name": payload.name}, "name")


async def _open_campus(unit: UnitOfWork, payload: CampusOpen) -> ObjectId:
    campus = Campus(id=payload.campus_id, **payload.model_dump(exclude={"campus_id"}))
    return await insert_told(unit, campus, "campus:open")


def _cohort(payload: CohortOpen) -> Cohort:
    return Cohort(id=payload.cohort_id, **payload.model_dump(exclude={"cohort_id"}))


async def _check_cohort(store: Store, viewer: Viewer, payload: CohortOpen) -> None:
    check_texts(payload)
    check_grades(_cohort(payload))
    await require_unique(store, Cohort, {"name": payload.name}, "name")
    same = {"stage": payload.stage.value, "enrolled_year": payload.enrolled_year}
    await require_unique(store, Cohort, same, "enrolled_year")


async def _open_cohort(unit: UnitOfWork, payload: CohortOpen) -> ObjectId:
    return await insert_told(unit, _cohort(payload), "cohort:open")


async def _check_cohort_change(store: Store, viewer: Viewer, payload: CohortChange) -> None:
    check_texts(payload)
    cohort = await found(store, Cohort, payload.cohort_id, "cohort_id")
    if list(payload.grades) == cohort.grades:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="grades")
    check_grades(cohort.model_copy(update={"grades": list(payload.grades)}))


async def _change_cohort(unit: UnitOfWork, payload: CohortChange) -> ObjectId:
    cohort = await loaded(unit, Cohort, payload.cohort_id, "cohort_id")
    await unit.change_told(cohort, {"grades": list(payload.grades)}, "cohort:change")
    return cohort.key


async def _current_cohort(
    store: Store, session: AsyncClientSession | None, payload: CohortChange
) -> Mapping[str, Any]:
    cohort = await found(store, Cohort, payload.cohort_id, "cohort_id", session)
    return {"grades": bson_value(cohort.grades)}


SCHOOL_SET_UP = structure_operation(
    "school.set_up", School, SchoolSetUp, "school_id", _check_school, _set_up, current=_current_school
)
CAMPUS_OPEN = structure_operation("campus.open", Campus, CampusOpen, "campus_id", _check_campus, _open_campus)
COHORT_OPEN = structure_operation("cohort.open", Cohort, CohortOpen, "cohort_id", _check_cohort, _open_cohort)
COHORT_CHANGE = structure_operation(
    "cohort.change",
    Cohort,
    CohortChange,
    "cohort_id",
    _check_cohort_change,
    _change_cohort,
    current=_current_cohort,
)
