"""`term.open`, `course.open` and `course_arrangement.open` (policy §一(一)): what grades are entered by."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.documents import Course, CourseArrangement, GradingScheme, Term
from archive_store.academics.steps import Line, insert_told, opening
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found, require_unique
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.terms import in_force_on
from archive_store.foundation.texts import starts_formula
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.people.documents import RoleGrant
from archive_store.students.documents import Student


class TermOpen(Payload):
    """Payload of `term.open`."""

    term_id: PydanticObjectId
    school_year: Annotated[int, Field(ge=1900, le=2200)]
    number: Annotated[int, Field(ge=1, le=2)]
    first_day: date
    last_day: date


class CourseOpen(Payload):
    """Payload of `course.open`."""

    course_id: PydanticObjectId
    code: Annotated[Line, Field(max_length=30)]
    name: Line
    credits: Annotated[float, Field(ge=0, le=50, multiple_of=0.5)]
    scheme: GradingScheme


class CourseArrangementOpen(Payload):
    """Payload of `course_arrangement.open`; the teacher is a person who holds the post on that day."""

    arrangement_id: PydanticObjectId
    course_id: PydanticObjectId
    term_id: PydanticObjectId
    class_name: Line
    teacher_id: PydanticObjectId


async def _check_term(store: Store, viewer: Viewer, payload: TermOpen) -> None:
    if payload.last_day <= payload.first_day:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="last_day")
    await require_unique(
        store, Term, {"school_year": payload.school_year, "number": payload.number}, "number"
    )
    overlaps = {
        "first_day": {"$lte": payload.last_day.isoformat()},
        "last_day": {"$gte": payload.first_day.isoformat()},
    }
    await require_unique(store, Term, overlaps, "first_day")


async def _open_term(unit: UnitOfWork, payload: TermOpen) -> ObjectId:
    await unit.serialise("terms")
    await _require_apart(unit, payload)
    term = Term(id=payload.term_id, **payload.model_dump(exclude={"term_id"}))
    return await insert_told(unit, term, "term:open")


async def _require_apart(unit: UnitOfWork, payload: TermOpen) -> None:
    """DUPLICATE where a term that was opened meanwhile has a day of it."""
    overlaps = {
        "first_day": {"$lte": payload.last_day.isoformat()},
        "last_day": {"$gte": payload.first_day.isoformat()},
    }
    collection = unit.store.database.collection(Term)
    if await collection.find_one(overlaps, {"_id": 1}, session=unit.session) is not None:
        raise RegistrarError(ErrorCode.DUPLICATE, field="first_day", others=Term.subject_type)


async def _check_course(store: Store, viewer: Viewer, payload: CourseOpen) -> None:
    for field in ("code", "name"):
        if starts_formula(getattr(payload, field)):
            raise RegistrarError(ErrorCode.FORMULA, field=field)
    await require_unique(store, Course, {"code": payload.code}, "code")


async def _open_course(unit: UnitOfWork, payload: CourseOpen) -> ObjectId:
    course = Course(id=payload.course_id, **payload.model_dump(exclude={"course_id"}))
    return await insert_told(unit, course, "course:open")


async def _check_arrangement(store: Store, viewer: Viewer, payload: CourseArrangementOpen) -> None:
    await found(store, Course, payload.course_id, "course_id")
    await found(store, Term, payload.term_id, "term_id")
    class_of = store.database.collection(Student)
    if await class_of.find_one({"class_name": payload.class_name}, {"_id": 1}) is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="class_name")
    await require_teacher(store, payload.teacher_id)
    same = payload.model_dump(include={"course_id", "term_id", "class_name"}) | {"cancelled_on": None}
    await require_unique(store, CourseArrangement, same, "course_id")


async def require_teacher(
    store: Store,
    person_id: ObjectId,
    day: date | None = None,
    session: AsyncClientSession | None = None,
) -> None:
    """NOT_FOUND on `teacher_id` unless the person holds the post of a teacher on the day, or today."""
    teaches = {
        "person_id": person_id,
        "post": Post.TEACHER.value,
        **in_force_on(day or school_day(store.clock.now())),
    }
    if await store.database.collection(RoleGrant).find_one(teaches, {"_id": 1}, session=session) is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="teacher_id")


async def _open_arrangement(unit: UnitOfWork, payload: CourseArrangementOpen) -> ObjectId:
    held = CourseArrangement(id=payload.arrangement_id, **payload.model_dump(exclude={"arrangement_id"}))
    return await insert_told(unit, held, "course_arrangement:open")


TERM_OPEN = opening("term.open", Term, TermOpen, "term_id", _check_term, _open_term)
COURSE_OPEN = opening("course.open", Course, CourseOpen, "course_id", _check_course, _open_course)
COURSE_ARRANGEMENT_OPEN = opening(
    "course_arrangement.open",
    CourseArrangement,
    CourseArrangementOpen,
    "arrangement_id",
    _check_arrangement,
    _open_arrangement,
)
