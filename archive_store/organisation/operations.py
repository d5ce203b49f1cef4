"""Setting up and changing the structure: `school.set_up`, `campus.open`, `cohort.open`, `cohort.change`, `class.open`,
`class.change` and `class.close`. Assignments are in `assignments.py`, homeroom periods in `homerooms.py`.

Opening adds a name that nothing is tied to yet, so it applies at once; what changes a name, a grade or a capacity that
records may rest on is signed by the department head.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.foundation.texts import starts_formula
from archive_store.foundation.unit_of_work import AnyRecord, FieldChange, Subject, UnitOfWork
from archive_store.organisation.documents import Campus, Cohort, GradePeriod, School, SchoolClass
from archive_store.organisation.names import class_lock, is_named_anywhere, is_used_after
from archive_store.organisation.rules import check_grades

# Policy §二(一): the information group keeps the records; the director and deputies may ask as well.
ASKERS = frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})
GRADES_LIMIT = 20
CAPACITY_LIMIT = 500

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
LongLine = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Capacity = Annotated[int, Field(ge=1, le=CAPACITY_LIMIT)]
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


class ClassOpen(Payload):
    """Payload of `class.open`."""

    class_id: PydanticObjectId
    name: Line
    cohort_id: PydanticObjectId
    campus_id: PydanticObjectId | None = None
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


async def found(
    store: Store, record_type: type[AnyRecord], key: ObjectId | None, field: str, session: Any = None
) -> AnyRecord:
    """The record; NOT_FOUND on `field` without one."""
    row = await store.database.collection(record_type).find_one({"_id": key}, session=session)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
    record: AnyRecord = record_type.model_validate(row)
    return record


async def _loaded(unit: UnitOfWork, record_type: type[AnyRecord], key: ObjectId, field: str) -> AnyRecord:
    record = await unit.load(record_type, key)
    if record is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
    return record


def _check_texts(payload: Payload) -> None:
    """Names go out in rosters as spreadsheets."""
    told = {**payload.model_dump(include={"name", "address"}, exclude_unset=True)}
    labels = {
        f"grades.{place}.label": held.label for place, held in enumerate(getattr(payload, "grades", ()))
    }
    for field, text in (told | labels).items():
        if text is not None and starts_formula(text):
            raise RegistrarError(ErrorCode.FORMULA, field=field)


async def _unique(store: Store, record_type: type[Record], query: Mapping[str, Any], field: str) -> None:
    if await store.database.collection(record_type).find_one(dict(query), {"_id": 1}) is not None:
        raise RegistrarError(ErrorCode.DUPLICATE, field=field, others=record_type.subject_type)


async def _insert(unit: UnitOfWork, record: Record, kind: str) -> ObjectId:
    await unit.insert(record)
    row = record.to_bson()
    told = [name for name in row if name not in {"_id", "revision", "created_at", "updated_at", "place"}]
    changes = [FieldChange(name, None, row[name]) for name in told if row[name] is not None]
    unit.audit(Subject(record.subject_type, record.key), kind, changes)
    return record.key


async def _change(unit: UnitOfWork, record: Record, values: Mapping[str, Any], kind: str) -> ObjectId:
    before = record.to_bson()
    await unit.change(record, values)
    changes = [FieldChange(name, before[name], bson_value(value)) for name, value in values.items()]
    unit.audit(Subject(record.subject_type, record.key), kind, changes, touched=frozenset(values))
    return record.key


# school.set_up


async def _check_school(store: Store, viewer: Viewer, payload: SchoolSetUp) -> None:
    _check_texts(payload)
    row = await store.database.collection(School).find_one({})
    asked = payload.model_dump(exclude={"school_id"})
    if row is not None and all(row[name] == value for name, value in asked.items()):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="name")


async def _set_up(unit: UnitOfWork, payload: SchoolSetUp) -> ObjectId:
    values = payload.model_dump(exclude={"school_id"})
    row = await unit.store.database.collection(School).find_one({}, {"_id": 1}, session=unit.session)
    if row is None:
        return await _insert(unit, School(id=payload.school_id, **values), "school:set_up")
    return await _change(unit, await _loaded(unit, School, row["_id"], "name"), values, "school:set_up")


async def _current_school(
    store: Store, session: AsyncClientSession | None, payload: SchoolSetUp
) -> Mapping[str, Any]:
    row = await store.database.collection(School).find_one({}, session=session) or {}
    return {name: row.get(name) for name in ("name", "code", "division")}


# campus.open, cohort.open, cohort.change


async def _check_campus(store: Store, viewer: Viewer, payload: CampusOpen) -> None:
    _check_texts(payload)
    await _unique(store, Campus, {"name": payload.name}, "name")


async def _open_campus(unit: UnitOfWork, payload: CampusOpen) -> ObjectId:
    campus = Campus(id=payload.campus_id, **payload.model_dump(exclude={"campus_id"}))
    return await _insert(unit, campus, "campus:open")


def _cohort(payload: CohortOpen) -> Cohort:
    return Cohort(id=payload.cohort_id, **payload.model_dump(exclude={"cohort_id"}))


async def _check_cohort(store: Store, viewer: Viewer, payload: CohortOpen) -> None:
    _check_texts(payload)
    check_grades(_cohort(payload))
    await _unique(store, Cohort, {"name": payload.name}, "name")
    same = {"stage": payload.stage.value, "enrolled_year": payload.enrolled_year}
    await _unique(store, Cohort, same, "enrolled_year")


async def _open_cohort(unit: UnitOfWork, payload: CohortOpen) -> ObjectId:
    return await _insert(unit, _cohort(payload), "cohort:open")


async def _check_cohort_change(store: Store, viewer: Viewer, payload: CohortChange) -> None:
    _check_texts(payload)
    cohort = await found(store, Cohort, payload.cohort_id, "cohort_id")
    if list(payload.grades) == cohort.grades:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="grades")
    check_grades(cohort.model_copy(update={"grades": list(payload.grades)}))


async def _change_cohort(unit: UnitOfWork, payload: CohortChange) -> ObjectId:
    cohort = await _loaded(unit, Cohort, payload.cohort_id, "cohort_id")
    return await _change(unit, cohort, {"grades": list(payload.grades)}, "cohort:change")


async def _current_cohort(
    store: Store, session: AsyncClientSession | None, payload: CohortChange
) -> Mapping[str, Any]:
    cohort = await found(store, Cohort, payload.cohort_id, "cohort_id", session)
    return {"grades": bson_value(cohort.grades)}


# class.open, class.change, class.close


async def _check_class(store: Store, viewer: Viewer, payload: ClassOpen) -> None:
    _check_texts(payload)
    await found(store, Cohort, payload.cohort_id, "cohort_id")
    if payload.campus_id is not None:
        await found(store, Campus, payload.campus_id, "campus_id")
    await _unique(store, SchoolClass, {"name": payload.name}, "name")


async def _open_class(unit: UnitOfWork, payload: ClassOpen) -> ObjectId:
    await class_lock(unit, payload.name)
    school_class = SchoolClass(id=payload.class_id, **payload.model_dump(exclude={"class_id"}))
    return await _insert(unit, school_class, "class:open")


async def _check_class_change(store: Store, viewer: Viewer, payload: ClassChange) -> None:
    _check_texts(payload)
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
        await _unique(store, SchoolClass, {"name": payload.name}, "name")
        await _require_unnamed(store, held.name)


def _asked(payload: ClassChange) -> dict[str, Any]:
    return payload.model_dump(exclude={"class_id"}, exclude_unset=True)


async def _require_unnamed(store: Store, name: str, session: AsyncClientSession | None = None) -> None:
    """WRONG_STATE while a student's record or a role grant, past ones included, has the class by its name."""
    if await is_named_anywhere(store, name, session):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="name", state="IN_USE")


async def _change_class(unit: UnitOfWork, payload: ClassChange) -> ObjectId:
    held, asked = await _loaded(unit, SchoolClass, payload.class_id, "class_id"), _asked(payload)
    if "name" in asked and asked["name"] != held.name:
        await class_lock(unit, held.name)
        await _require_unnamed(unit.store, held.name, unit.session)
    return await _change(unit, held, asked, "class:change")


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
    held = await _loaded(unit, SchoolClass, payload.class_id, "class_id")
    await class_lock(unit, held.name)
    await _require_closable(unit.store, held, payload.closed_on, unit.session)
    return await _change(unit, held, {"closed_on": payload.closed_on}, "class:close")


async def _current_end(
    store: Store, session: AsyncClientSession | None, payload: ClassClose
) -> Mapping[str, Any]:
    held = await found(store, SchoolClass, payload.class_id, "class_id", session)
    return {"closed_on": bson_value(held.closed_on)}


def _operation(
    name: str,
    record_type: type[Record],
    payload: type[AnyPayload],
    key: str,
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
    **more: Any,
) -> Operation[AnyPayload]:
    return Operation(
        name=name,
        record_type=record_type,
        payload=payload,
        requesters=ASKERS,
        subject=lambda asked: Subject(record_type.subject_type, getattr(asked, key)),
        requested_values=lambda asked: {
            field: bson_value(getattr(asked, field)) for field in asked.model_fields_set - {key}
        },
        fields=lambda asked: frozenset(asked.model_fields_set - {key}),
        check=check,
        apply=apply,
        **more,
    )


SCHOOL_SET_UP = _operation(
    "school.set_up", School, SchoolSetUp, "school_id", _check_school, _set_up, current=_current_school
)
CAMPUS_OPEN = _operation("campus.open", Campus, CampusOpen, "campus_id", _check_campus, _open_campus)
COHORT_OPEN = _operation("cohort.open", Cohort, CohortOpen, "cohort_id", _check_cohort, _open_cohort)
COHORT_CHANGE = _operation(
    "cohort.change",
    Cohort,
    CohortChange,
    "cohort_id",
    _check_cohort_change,
    _change_cohort,
    current=_current_cohort,
)
CLASS_OPEN = _operation("class.open", SchoolClass, ClassOpen, "class_id", _check_class, _open_class)
CLASS_CHANGE = _operation(
    "class.change",
    SchoolClass,
    ClassChange,
    "class_id",
    _check_class_change,
    _change_class,
    current=_current_class,
)
CLASS_CLOSE = _operation(
    "class.close", SchoolClass, ClassClose, "class_id", _check_close, _close_class, current=_current_end
)
