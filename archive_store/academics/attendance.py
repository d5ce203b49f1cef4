"""Attendance (出勤): `attendance.enter`, up to 1,000 students at once, `attendance.correct`, and who reads it.

Policy §三(二): the semester report tells the attendance rate. A summary is personal (F2): academic affairs, who enter
it, and the homeroom teacher read it beside those who read F2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.documents import AttendanceEntry, AttendanceSummary, Term
from archive_store.academics.steps import ASKERS, insert_told, told_whole
from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import payload_of
from archive_store.audit.histories import SubjectHistory, text_of
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.lookups import found
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.documents import Student
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import StudentScope, student_scope

POLICY = "policy §三(二)"
ROWS_LIMIT = 1000
_DAYS = ("due", "present", "late", "leave", "absent")
DAYS = frozenset(_DAYS)
_PERSONAL = frozenset({FieldClass.F2})
Days = Annotated[int, Field(ge=0, le=366)]


class AttendanceRow(BaseModel):
    """One student's term in days."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    student_id: PydanticObjectId
    due: Days
    present: Days
    late: Days = 0
    leave: Days = 0
    absent: Days = 0


class AttendanceEnter(Payload):
    """Payload of `attendance.enter`."""

    entry_id: PydanticObjectId
    term_id: PydanticObjectId
    rows: Annotated[tuple[AttendanceRow, ...], Field(min_length=1, max_length=ROWS_LIMIT)]


class AttendanceCorrect(Payload):
    """Payload of `attendance.correct`: the whole new summary; the student is the summary's."""

    record_id: PydanticObjectId
    student_id: PydanticObjectId
    due: Days
    present: Days
    late: Days = 0
    leave: Days = 0
    absent: Days = 0


def check_days(days: AttendanceRow | AttendanceCorrect, prefix: str = "") -> None:
    """OUT_OF_RANGE unless the days add up, and no more are late than present."""
    attended = days.present + days.leave + days.absent
    if attended != days.due:
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE, field=f"{prefix}due", rule=POLICY, least=attended, most=attended
        )
    if days.late > days.present:
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE, field=f"{prefix}late", rule=POLICY, least=0, most=days.present
        )


async def _judge(store: Store, payload: AttendanceEnter, session: AsyncClientSession | None = None) -> None:
    term = await found(store, Term, payload.term_id, "term_id", session)
    if term.first_day > school_day(store.clock.now()):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="term_id", rule=POLICY, state="TERM_NOT_BEGUN")
    asked: Row = {"$in": [row.student_id for row in payload.rows]}
    students = store.database.collection(Student).find({"_id": asked}, {"_id": 1}, session=session)
    known = {row["_id"] async for row in students}
    query = {"student_id": asked, "term_id": payload.term_id}
    held = store.database.collection(AttendanceSummary).find(query, {"student_id": 1}, session=session)
    taken = {row["student_id"] async for row in held}
    for place, row in enumerate(payload.rows):
        field = f"rows.{place}.student_id"
        if row.student_id not in known:
            raise RegistrarError(ErrorCode.NOT_FOUND, field=field, rule=POLICY)
        if row.student_id in taken:
            others = AttendanceSummary.subject_type
            raise RegistrarError(ErrorCode.DUPLICATE, field=field, rule=POLICY, others=others)
        taken.add(row.student_id)
        check_days(row, f"rows.{place}.")


async def _check_entry(store: Store, viewer: Viewer, payload: AttendanceEnter) -> None:
    await _judge(store, payload)


async def _apply_entry(unit: UnitOfWork, payload: AttendanceEnter) -> ObjectId:
    await unit.serialise(f"attendance:{payload.term_id}")
    await _judge(unit.store, payload, unit.session)
    told = {"term_id": payload.term_id, "students": len(payload.rows), "entered_at": unit.at}
    await insert_told(unit, AttendanceEntry(id=payload.entry_id, **told), "attendance:enter")
    shared = {"term_id": payload.term_id, "entry_id": payload.entry_id, "entered_by_name": unit.actor.name}
    records = [AttendanceSummary(**row.model_dump(), **shared) for row in payload.rows]
    await unit.insert(*records)
    for record in records:
        subject = Subject(record.subject_type, record.key)
        unit.audit(subject, "attendance_summary:enter", told_whole(record))
    return payload.entry_id


async def correction_of(
    store: Store, viewer: Viewer, key: ObjectId, days: Mapping[str, Any]
) -> AttendanceCorrect:
    """The payload that corrects a summary so; FORBIDDEN without a post that may ask, NOT_FOUND without it."""
    ATTENDANCE_CORRECT.require_asker(viewer)
    held = await found(store, AttendanceSummary, key, "id")
    return payload_of(AttendanceCorrect, {"record_id": key, "student_id": held.student_id, **days})


def _asked(payload: AttendanceCorrect) -> dict[str, int]:
    return {name: getattr(payload, name) for name in _DAYS}


async def _check_correction(store: Store, viewer: Viewer, payload: AttendanceCorrect) -> None:
    held = await found(store, AttendanceSummary, payload.record_id, "id")
    decisions = await attendance_decisions(store, viewer, [payload.record_id])
    decision = decisions.get(payload.record_id)
    if held.student_id != payload.student_id or decision is None or not decision.readable >= DAYS:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    check_days(payload)
    if all(getattr(held, name) == value for name, value in _asked(payload).items()):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="due", rule=POLICY)


async def _apply_correction(unit: UnitOfWork, payload: AttendanceCorrect) -> ObjectId:
    record = await unit.load(AttendanceSummary, payload.record_id)
    if record is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    before, after = record.to_bson(), _asked(payload)
    await unit.change(record, after)
    changes = [
        FieldChange(name, before[name], value) for name, value in after.items() if before[name] != value
    ]
    subject = Subject(record.subject_type, record.key)
    unit.audit(subject, "attendance_summary:correct", changes, touched=DAYS)
    return record.key


async def _current(
    store: Store, session: AsyncClientSession | None, payload: AttendanceCorrect
) -> Mapping[str, Any]:
    held = await found(store, AttendanceSummary, payload.record_id, "id", session)
    return {name: getattr(held, name) for name in _DAYS}


def decide_on_attendance(scope: StudentScope, facts: Row) -> FieldDecision:
    """How the viewer stands to attendance of a student."""
    ties = scope.relationships(facts, AttendanceSummary)
    own = _PERSONAL if scope.viewer.holds_any(ASKERS) else frozenset[FieldClass]()
    return scope.viewer.decide(AttendanceSummary, ties, own)


async def attendance_decisions(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> dict[ObjectId, FieldDecision]:
    """How the viewer stands to each summary of a student in sight."""
    rows = (
        await store.database.collection(AttendanceSummary)
        .find({"_id": {"$in": list(ids)}}, {"student_id": 1})
        .to_list()
    )
    facts = await facts_by_id(store, viewer, [row["student_id"] for row in rows])
    scope = student_scope(viewer)
    return {
        row["_id"]: decide_on_attendance(scope, facts[key])
        for row in rows
        if (key := row["student_id"]) in facts
    }


@dataclass(frozen=True, slots=True)
class AttendanceView:
    """A summary that the viewer reads, with its term."""

    summary: AttendanceSummary
    term: Term

    @property
    def id(self) -> ObjectId:
        return self.summary.key


async def attendance_of_students(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[list[AttendanceView] | Withheld]:
    """Summaries of each student with their terms, in order; why they are kept back where the viewer reads none."""
    scope, facts = student_scope(viewer), await facts_by_id(store, viewer, student_ids)
    decisions = {key: decide_on_attendance(scope, row) for key, row in facts.items()}
    seen = [key for key, held in decisions.items() if held.readable >= DAYS]
    rows = await store.database.collection(AttendanceSummary).find({"student_id": {"$in": seen}}).to_list()
    wanted = {"_id": {"$in": [row["term_id"] for row in rows]}}
    terms = {
        row["_id"]: Term.model_validate(row) async for row in store.database.collection(Term).find(wanted)
    }
    held: dict[ObjectId, list[AttendanceView]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: terms[row["term_id"]].first_day):
        summary = AttendanceSummary.model_validate(row)
        held[summary.student_id].append(AttendanceView(summary, terms[summary.term_id]))
    return [held[key] if key in seen else Withheld.NOT_PERMITTED for key in student_ids]


async def _rights(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Mapping[ObjectId, SubjectRights]:
    decisions = await attendance_decisions(store, viewer, ids)
    return {
        key: SubjectRights(held.readable | text_of(held.classes))
        for key, held in decisions.items()
        if held.readable >= DAYS
    }


ATTENDANCE_HISTORY = SubjectHistory(
    AttendanceSummary, _rights, lambda viewer: not student_scope(viewer).sees_nobody
)
ATTENDANCE_ENTER = Operation(
    name="attendance.enter",
    record_type=AttendanceEntry,
    payload=AttendanceEnter,
    requesters=ASKERS,
    subject=lambda payload: Subject(AttendanceEntry.subject_type, payload.entry_id),
    requested_values=lambda payload: {"students": len(payload.rows)},
    fields=lambda payload: frozenset({"students"}),
    check=_check_entry,
    apply=_apply_entry,
    applies_at_once=True,
)
ATTENDANCE_CORRECT = Operation(
    name="attendance.correct",
    record_type=AttendanceSummary,
    payload=AttendanceCorrect,
    requesters=ASKERS,
    subject=lambda payload: Subject(AttendanceSummary.subject_type, payload.record_id),
    requested_values=_asked,
    fields=lambda payload: DAYS,
    current=_current,
    changes=DAYS,
    decisions=attendance_decisions,
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check_correction,
    apply=_apply_correction,
)
