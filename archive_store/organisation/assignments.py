"""`class.assign` (编班/调班): up to 1,000 students into classes, as one request and one transaction.

Policy §四(一): a change of student information, signed by the department head. The whole list applies or none of it;
the grade follows the cohort on the day. Students who stay in their class can be named as well, such as to follow the
grade when a school year begins (升级).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision, refuse_field
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.texts import starts_formula
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.organisation.documents import ClassAssignment, Cohort, SchoolClass
from archive_store.organisation.names import class_lock
from archive_store.organisation.rules import Judgement, Move, Placed, grade_on, judge, seat_after
from archive_store.organisation.steps import ASKERS, Line
from archive_store.students.documents import Student, StudentStatus

MOVES_LIMIT = 1_000
_WRITTEN = ("class_name", "grade", "class_seat_number")
_FIELDS = frozenset({"class_name", "class_seat_number"})
# What a list of moves is judged by; whoever asks for one must read it of everybody.
JUDGED_BY = frozenset({"class_name", "class_seat_number", "major_code", "status"})

Seat = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20)]


class ClassMove(BaseModel):
    """One student's class; without a seat number, who stays in the class keeps theirs."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    student_id: PydanticObjectId
    class_name: Line
    seat_number: Seat | None = None


class ClassAssign(Payload):
    """Payload of `class.assign`."""

    assignment_id: PydanticObjectId
    moves: Annotated[tuple[ClassMove, ...], Field(min_length=1, max_length=MOVES_LIMIT)]

    @property
    def student_ids(self) -> frozenset[ObjectId]:
        return frozenset(move.student_id for move in self.moves)

    @property
    def asked(self) -> list[Move]:
        return [Move(move.student_id, move.class_name, move.seat_number) for move in self.moves]


def require_readable(viewer: Viewer, paths: frozenset[str]) -> None:
    """FORBIDDEN unless the viewer reads these of every student: what is judged by them tells of them."""
    readable = viewer.decide(Student).readable if viewer.reads_by_post else frozenset()
    if missing := sorted(paths - readable):
        raise refuse_field(missing[0])


async def judged(
    store: Store, viewer: Viewer | None, moves: Sequence[Move], unit: UnitOfWork | None = None
) -> tuple[Judgement, Mapping[ObjectId, Placed]]:
    """What the moves would lead to now, and the students by key; by gender where the viewer reads it of everyone.

    Within a unit of work: as it applies, on the day from which it holds.
    """
    session = unit.session if unit else None
    today = school_day(unit.at if unit else store.clock.now())
    day = (unit.effective_from if unit else None) or today
    counts_gender = viewer is not None and "gender" in viewer.decide(Student).readable
    students = await placed_students(store, moves, session, counts_gender=counts_gender)
    names = {move.class_name for move in moves} | {held.class_name for held in students.values()}
    classes = await classes_by_name(store, names, session)
    return judge(moves, students, classes, day, applies=unit is not None), students


async def placed_students(
    store: Store, moves: Sequence[Move], session: AsyncClientSession | None, *, counts_gender: bool = False
) -> dict[ObjectId, Placed]:
    """Those who move, and all in a class that is named or left."""
    fields = dict.fromkeys(JUDGED_BY, 1) | ({"gender": 1} if counts_gender else {})
    students = store.database.collection(Student)
    moved = await students.find(
        {"_id": {"$in": [move.student_id for move in moves]}}, fields, session=session
    ).to_list()
    names = sorted({move.class_name for move in moves} | {row["class_name"] for row in moved})
    others = await students.find({"class_name": {"$in": names}}, fields, session=session).to_list()
    return {row["_id"]: placed(row) for row in (*others, *moved)}


def placed(row: Row) -> Placed:
    return Placed(
        id=row["_id"],
        class_name=row["class_name"],
        seat=row.get("class_seat_number"),
        status=StudentStatus(row["status"]),
        gender=row.get("gender"),
        number=row.get("auxiliary_number"),
        major=row.get("major_code"),
    )


async def classes_by_name(
    store: Store, names: set[str], session: AsyncClientSession | None = None
) -> dict[str, SchoolClass]:
    rows = store.database.collection(SchoolClass).find({"name": {"$in": sorted(names)}}, session=session)
    return {row["name"]: SchoolClass.model_validate(row) async for row in rows}


async def _check(store: Store, viewer: Viewer, payload: ClassAssign) -> None:
    require_readable(viewer, JUDGED_BY)
    for place, move in enumerate(payload.moves):
        if move.seat_number is not None and starts_formula(move.seat_number):
            raise RegistrarError(ErrorCode.FORMULA, field=f"moves.{place}.seat_number")
    judgement, _ = await judged(store, viewer, payload.asked)
    if judgement.faults:
        raise judgement.faults[0]


def _requested(payload: ClassAssign) -> Mapping[str, Any]:
    """By student: what is told of a request is told field by field."""
    return {
        "class_name": {str(move.student_id): move.class_name for move in payload.moves},
        "class_seat_number": {str(move.student_id): move.seat_number for move in payload.moves},
    }


async def _current(
    store: Store, session: AsyncClientSession | None, payload: ClassAssign
) -> Mapping[str, Any]:
    rows = store.database.collection(Student).find(
        {"_id": {"$in": sorted(payload.student_ids)}}, dict.fromkeys(_FIELDS, 1), session=session
    )
    held = {str(row["_id"]): row for row in await rows.sort("_id", 1).to_list()}
    return {field: {key: row.get(field) for key, row in held.items()} for field in sorted(_FIELDS)}


async def _decisions(
    store: Store, viewer: Viewer, targets: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    """By posts alone: what ties a viewer to some of the students opens nothing of the others."""
    return dict.fromkeys(targets, viewer.decide(Student)) if viewer.reads_by_post else {}


async def _apply(unit: UnitOfWork, payload: ClassAssign) -> ObjectId:
    names = {move.class_name for move in payload.moves}
    await class_lock(unit, *names)
    judgement, students = await judged(unit.store, None, payload.asked, unit)
    if judgement.faults:
        raise judgement.faults[0]
    day = unit.effective_from or school_day(unit.at)
    grades = await _grades(unit, names, day)
    rows = await _rows(unit, payload.student_ids)
    written = []
    for move in payload.asked:
        before = rows[move.student_id]
        seat = seat_after(move, students[move.student_id])
        after = dict(zip(_WRITTEN, (move.class_name, grades[move.class_name], seat), strict=True))
        if values := {name: value for name, value in after.items() if before[name] != value}:
            written.append((_student(before), values))
            _tell(unit, before, values)
    await unit.change_many(written)
    await unit.insert(
        ClassAssignment(
            id=payload.assignment_id,
            students=len(payload.moves),
            class_names=sorted(names),
            effective_from=day,
            applied_at=unit.at,
        )
    )
    told = [
        FieldChange("students", None, len(payload.moves)),
        FieldChange("class_names", None, sorted(names)),
    ]
    unit.audit(Subject(ClassAssignment.subject_type, payload.assignment_id), "class:assign", told)
    return payload.assignment_id


async def _grades(unit: UnitOfWork, names: set[str], day: Any) -> dict[str, str]:
    classes = await classes_by_name(unit.store, names, unit.session)
    keys = sorted({held.cohort_id for held in classes.values()})
    found = unit.store.database.collection(Cohort).find({"_id": {"$in": keys}}, session=unit.session)
    cohorts = {row["_id"]: Cohort.model_validate(row) async for row in found}
    return {name: grade_on(cohorts[held.cohort_id], day) for name, held in classes.items()}


async def _rows(unit: UnitOfWork, keys: frozenset[ObjectId]) -> dict[ObjectId, Row]:
    fields = {"revision": 1, **dict.fromkeys(_WRITTEN, 1)}
    found = unit.store.database.collection(Student).find(
        {"_id": {"$in": sorted(keys)}}, fields, session=unit.session
    )
    return {row["_id"]: row | {"class_seat_number": row.get("class_seat_number")} async for row in found}


def _student(row: Row) -> Student:
    """Of what is not written nothing is loaded, sensitive values least of all."""
    known = {name: row[name] for name in ("revision", *_WRITTEN)}
    student: Student = Student.model_construct(id=row["_id"], **known)
    return student


def _tell(unit: UnitOfWork, before: Row, values: Mapping[str, Any]) -> None:
    changes = [FieldChange(name, before[name], value) for name, value in values.items()]
    unit.audit(
        Subject(Student.subject_type, before["_id"]),
        "student:class:assign",
        changes,
        touched=frozenset(values),
        effective_from=unit.effective_from,
    )


CLASS_ASSIGN = Operation(
    name="class.assign",
    # Values of students, by whose classes they are told.
    record_type=Student,
    payload=ClassAssign,
    requesters=ASKERS,
    subject=lambda payload: Subject(ClassAssignment.subject_type, payload.assignment_id),
    requested_values=_requested,
    fields=lambda payload: _FIELDS,
    current=_current,
    decisions=_decisions,
    concerns=lambda payload: payload.student_ids,
    check=_check,
    apply=_apply,
)
