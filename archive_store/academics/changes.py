"""`course.change`, `course_arrangement.change` and `course_arrangement.close` (policy §一(一), §四(二) 调整课程安排).

Nothing that was taught, graded or read before changes by them: a course is called and counted otherwise from a term on
that has not begun, and another teacher reads grades from their day on, from which the earlier one reads none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.documents import Course, CourseArrangement, CourseTerms, GradeRecord, Term
from archive_store.academics.operations import require_teacher
from archive_store.academics.rules import POLICY
from archive_store.academics.steps import ASKERS, Line
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found, loaded
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.texts import starts_formula
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork


class CourseChange(Payload):
    """Payload of `course.change`: another name or other credits, in terms from this one on."""

    course_id: PydanticObjectId
    from_term_id: PydanticObjectId
    name: Line | None = None
    credits: Annotated[float, Field(ge=0, le=50, multiple_of=0.5)] | None = None


class CourseArrangementChange(Payload):
    """Payload of `course_arrangement.change`: who teaches it from a day on (in China)."""

    arrangement_id: PydanticObjectId
    teacher_id: PydanticObjectId
    teacher_from: date


class CourseArrangementClose(Payload):
    """Payload of `course_arrangement.close`: it is cancelled (取消)."""

    arrangement_id: PydanticObjectId


async def _changed_course(
    store: Store, payload: CourseChange, session: AsyncClientSession | None = None
) -> dict[str, Any]:
    """The new values. WRONG_STATE from a term on that has begun, or before another change that waits for its term."""
    held = await found(store, Course, payload.course_id, "course_id", session)
    term = await found(store, Term, payload.from_term_id, "from_term_id", session)
    if term.first_day <= school_day(store.clock.now()):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="from_term_id", rule=POLICY, state="TERM_BEGUN")
    if held.earlier and held.earlier[-1].before > term.first_day:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="from_term_id", rule=POLICY, state="CHANGED_LATER")
    name = held.name if payload.name is None else payload.name
    points = held.credits if payload.credits is None else payload.credits
    if (name, points) == (held.name, held.credits):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="name", rule=POLICY)
    earlier = list(held.earlier)
    # A change that waits for the same term is taken over: what held before that term stays.
    if not earlier or earlier[-1].before != term.first_day:
        earlier.append(CourseTerms(name=held.name, credits=held.credits, before=term.first_day))
    return {"name": name, "credits": points, "earlier": earlier}


async def _check_course(store: Store, viewer: Viewer, payload: CourseChange) -> None:
    if payload.name is not None and starts_formula(payload.name):
        raise RegistrarError(ErrorCode.FORMULA, field="name")
    await _changed_course(store, payload)


async def _change_course(unit: UnitOfWork, payload: CourseChange) -> ObjectId:
    held = await loaded(unit, Course, payload.course_id, "course_id")
    values = await _changed_course(unit.store, payload, unit.session)
    return await _change_told(unit, held, values, "course:change")


async def _current_course(
    store: Store, session: AsyncClientSession | None, payload: CourseChange
) -> Mapping[str, Any]:
    held = await found(store, Course, payload.course_id, "course_id", session)
    return {"name": held.name, "credits": held.credits}


async def _arrangement(
    store: Store, key: ObjectId, session: AsyncClientSession | None = None
) -> CourseArrangement:
    """WRONG_STATE of one that was cancelled."""
    held = await found(store, CourseArrangement, key, "arrangement_id", session)
    if held.cancelled_on is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="arrangement_id", rule=POLICY, state="CANCELLED")
    return held


async def _changed_teacher(
    store: Store, payload: CourseArrangementChange, session: AsyncClientSession | None = None
) -> dict[str, Any]:
    """The new values. INVALID_DATE of a day after the term; the day comes no earlier than the approval."""
    held = await _arrangement(store, payload.arrangement_id, session)
    term = await found(store, Term, held.term_id, "arrangement_id", session)
    today = school_day(store.clock.now())
    day = max(payload.teacher_from, today)
    if day > term.last_day:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="teacher_from", rule=POLICY)
    # Who was to teach it from a day to come never has.
    is_planned = held.teacher_from is not None and held.teacher_from > today
    before = held.earlier_teacher_id if is_planned else held.teacher_id
    return {"teacher_id": payload.teacher_id, "teacher_from": day, "earlier_teacher_id": before}


async def _check_teacher(store: Store, viewer: Viewer, payload: CourseArrangementChange) -> None:
    if payload.teacher_from < school_day(store.clock.now()):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="teacher_from", rule=POLICY)
    await _changed_teacher(store, payload)
    held = await _arrangement(store, payload.arrangement_id)
    if held.teacher_id == payload.teacher_id:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="teacher_id", rule=POLICY)
    await require_teacher(store, payload.teacher_id, payload.teacher_from)


async def _change_teacher(unit: UnitOfWork, payload: CourseArrangementChange) -> ObjectId:
    held = await loaded(unit, CourseArrangement, payload.arrangement_id, "arrangement_id")
    values = await _changed_teacher(unit.store, payload, unit.session)
    await require_teacher(unit.store, payload.teacher_id, values["teacher_from"], unit.session)
    return await _change_told(unit, held, values, "course_arrangement:change")


async def _current_teacher(
    store: Store, session: AsyncClientSession | None, payload: CourseArrangementChange
) -> Mapping[str, Any]:
    held = (
        await found(store, CourseArrangement, payload.arrangement_id, "arrangement_id", session)
    ).to_bson()
    return {name: held[name] for name in ("teacher_id", "teacher_from")}


async def _require_ungraded(
    store: Store, key: ObjectId, session: AsyncClientSession | None = None
) -> CourseArrangement:
    """WRONG_STATE once a grade was entered: a transcript names it."""
    held = await _arrangement(store, key, session)
    grades = store.database.collection(GradeRecord)
    if await grades.find_one({"arrangement_id": key}, {"_id": 1}, session=session) is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="arrangement_id", rule=POLICY, state="GRADED")
    return held


async def _check_close(store: Store, viewer: Viewer, payload: CourseArrangementClose) -> None:
    await _require_ungraded(store, payload.arrangement_id)


async def _close(unit: UnitOfWork, payload: CourseArrangementClose) -> ObjectId:
    await unit.serialise(f"grades:{payload.arrangement_id}")
    await _require_ungraded(unit.store, payload.arrangement_id, unit.session)
    held = await loaded(unit, CourseArrangement, payload.arrangement_id, "arrangement_id")
    values = {"cancelled_on": school_day(unit.at)}
    return await _change_told(unit, held, values, "course_arrangement:close")


async def _current_end(
    store: Store, session: AsyncClientSession | None, payload: CourseArrangementClose
) -> Mapping[str, Any]:
    held = await found(store, CourseArrangement, payload.arrangement_id, "arrangement_id", session)
    return {"cancelled_on": bson_value(held.cancelled_on)}


async def _change_told(unit: UnitOfWork, record: Record, values: Mapping[str, Any], kind: str) -> ObjectId:
    before = record.to_bson()
    await unit.change(record, values)
    changes = [
        FieldChange(name, before[name], after)
        for name, value in values.items()
        # `earlier` repeats what the others tell.
        if name != "earlier" and (after := bson_value(value)) != before[name]
    ]
    unit.audit(Subject(record.subject_type, record.key), kind, changes)
    return record.key


def _changing(
    name: str,
    record_type: type[Record],
    payload: type[AnyPayload],
    key: str,
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
    current: Callable[[Store, AsyncClientSession | None, AnyPayload], Awaitable[Mapping[str, Any]]],
    fields: frozenset[str],
) -> Operation[AnyPayload]:
    return Operation(
        name=name,
        record_type=record_type,
        payload=payload,
        requesters=ASKERS,
        subject=lambda asked: Subject(record_type.subject_type, getattr(asked, key)),
        requested_values=lambda asked: {
            field: bson_value(getattr(asked, field))
            for field in sorted(fields & asked.model_fields_set)
            if getattr(asked, field) is not None
        },
        fields=lambda asked: fields,
        current=current,
        changes=fields,
        check=check,
        apply=apply,
    )


COURSE_CHANGE = _changing(
    "course.change",
    Course,
    CourseChange,
    "course_id",
    _check_course,
    _change_course,
    _current_course,
    frozenset({"name", "credits"}),
)
COURSE_ARRANGEMENT_CHANGE = _changing(
    "course_arrangement.change",
    CourseArrangement,
    CourseArrangementChange,
    "arrangement_id",
    _check_teacher,
    _change_teacher,
    _current_teacher,
    frozenset({"teacher_id", "teacher_from"}),
)
COURSE_ARRANGEMENT_CLOSE = _changing(
    "course_arrangement.close",
    CourseArrangement,
    CourseArrangementClose,
    "arrangement_id",
    _check_close,
    _close,
    _current_end,
    frozenset({"cancelled_on"}),
)
