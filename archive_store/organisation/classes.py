"""Classes (班级): `class.open`, `class.change` and `class.close`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Payload
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found, loaded, require_unique
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.organisation.documents import Campus, Cohort, SchoolClass
from archive_store.organisation.majors import open_majors
from archive_store.organisation.names import class_lock, is_named_anywhere, is_used_after
from archive_store.organisation.steps import (
    Line,
    check_texts,
    insert_told,
    structure_operation,
)

CAPACITY_LIMIT = 500
Capacity = Annotated[int, Field(ge=1, le=CAPACITY_LIMIT)]


class ClassOpen(Payload):
    """Payload of `class.open`."""

    class_id: PydanticObjectId
    name: Line
    cohort_id: PydanticObjectId
    campus_id: PydanticObjectId | None = None
    major_code: Line | None = None
    capacity: Capacity
    opened_on: date


class ClassChange(Payload):
    """Payload of `class.change`: only what is set changes; None clears the campus."""

    class_id: PydanticObjectId
    name: Line | None = None
    campus_id: PydanticObjectId | None = None
    capacity: Capacity | None = None


class ClassClose(Payload):
    """Payload of `class.close`; `closed_on` is its last day."""

    class_id: PydanticObjectId
    closed_on: date


async def _check_class(store: Store, viewer: Viewer, payload: ClassOpen) -> None:
    check_texts(payload)
    await found(store, Cohort, payload.cohort_id, "cohort_id")
    if payload.campus_id is not None:
        await found(store, Campus, payload.campus_id, "campus_id")
    if payload.major_code is not None:
        await _require_major(store, payload.major_code, payload.cohort_id, payload.opened_on)
    await require_unique(store, SchoolClass, {"name": payload.name}, "name")


async def _require_major(store: Store, code: str, cohort_id: ObjectId, day: date) -> None:
    """UNKNOWN_CODE of a major that is not open on the day, or is of another stage than the cohort."""
    cohort = await found(store, Cohort, cohort_id, "cohort_id")
    majors = (await open_majors(store, {code}, day)).get(code, ())
    if not any(major.code == code and major.stage is cohort.stage for major in majors):
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="major_code")


async def _open_class(unit: UnitOfWork, payload: ClassOpen) -> ObjectId:
    await class_lock(unit, payload.name)
    school_class = SchoolClass(id=payload.class_id, **payload.model_dump(exclude={"class_id"}))
    return await insert_told(unit, school_class, "class:open")


async def _check_class_change(store: Store, viewer: Viewer, payload: ClassChange) -> None:
    check_texts(payload)
    held = await found(store, SchoolClass, payload.class_id, "class_id")
    asked = _asked(payload)
    if all(getattr(held, name) == value for name, value in asked.items()):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field=next(iter(asked), "class_id"))
    for name in ("name", "capacity"):
        if name in asked and asked[name] is None:
            raise RegistrarError(ErrorCode.REQUIRED, field=name)
    if asked.get("campus_id") is not None:
        await found(store, Campus, payload.campus_id, "campus_id")
    if payload.name is not None and payload.name != held.name:
        await require_unique(store, SchoolClass, {"name": payload.name}, "name")
        await _require_unnamed(store, held.name)


def _asked(payload: ClassChange) -> dict[str, Any]:
    return payload.model_dump(exclude={"class_id"}, exclude_unset=True)


async def _require_unnamed(store: Store, name: str, session: AsyncClientSession | None = None) -> None:
    """WRONG_STATE while a student's record or a role grant, past ones included, has the class by its name."""
    if await is_named_anywhere(store, name, session):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="name", state="IN_USE")


async def _change_class(unit: UnitOfWork, payload: ClassChange) -> ObjectId:
    held, asked = await loaded(unit, SchoolClass, payload.class_id, "class_id"), _asked(payload)
    if "name" in asked and asked["name"] != held.name:
        await class_lock(unit, held.name)
        await _require_unnamed(unit.store, held.name, unit.session)
    await unit.change_told(held, asked, "class:change")
    return held.key


async def _current_class(
    store: Store, session: AsyncClientSession | None, payload: ClassChange
) -> Mapping[str, Any]:
    held = (await found(store, SchoolClass, payload.class_id, "class_id", session)).to_bson()
    return {name: held[name] for name in _asked(payload)}


async def _check_close(store: Store, viewer: Viewer, payload: ClassClose) -> None:
    held = await found(store, SchoolClass, payload.class_id, "class_id")
    await _require_closable(store, held, payload.closed_on)


async def _require_closable(
    store: Store, held: SchoolClass, day: date, session: AsyncClientSession | None = None
) -> None:
    if held.closed_on is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="class_id", state="CLOSED")
    if day < held.opened_on:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="closed_on")
    if await is_used_after(store, held.name, day, session):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="class_id", state="IN_USE")


async def _close_class(unit: UnitOfWork, payload: ClassClose) -> ObjectId:
    held = await loaded(unit, SchoolClass, payload.class_id, "class_id")
    await class_lock(unit, held.name)
    await _require_closable(unit.store, held, payload.closed_on, unit.session)
    await unit.change_told(held, {"closed_on": payload.closed_on}, "class:close")
    return held.key


async def _current_end(
    store: Store, session: AsyncClientSession | None, payload: ClassClose
) -> Mapping[str, Any]:
    held = await found(store, SchoolClass, payload.class_id, "class_id", session)
    return {"closed_on": bson_value(held.closed_on)}


CLASS_OPEN = structure_operation("class.open", SchoolClass, ClassOpen, "class_id", _check_class, _open_class)
CLASS_CHANGE = structure_operation(
    "class.change",
    SchoolClass,
    ClassChange,
    "class_id",
    _check_class_change,
    _change_class,
    current=_current_class,
)
CLASS_CLOSE = structure_operation(
    "class.close", SchoolClass, ClassClose, "class_id", _check_close, _close_class, current=_current_end
)
