"""`grades.enter`, a whole class at once, and `grade.correct` (成绩更正). Policy §一(一), §三(一): by procedure.

An entry writes all of its rows or none. What is entered is only changed by a correction, which waits for its
signatures and leaves old and new in the grade's history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.documents import Course, GradeEntry, GradeRecord, GradeStatus
from archive_store.academics.judging import GradesEnter, judge
from archive_store.academics.queries import find_grade_row, request_decisions
from archive_store.academics.rules import POLICY, checked_score
from archive_store.academics.steps import ASKERS, insert_told, told_whole
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork

_VALUE = frozenset({"score", "status"})


@dataclass(frozen=True, slots=True)
class GradesReport:
    """What became of every row: all of them `entered`, or none; `faults` by place in the rows.

    `missing` are students of the class who have no regular grade and no row.
    """

    entered: int
    faults: tuple[tuple[int, RegistrarError], ...]
    missing: tuple[ObjectId, ...]


async def enter_grades(
    store: Store, viewer: Viewer, payload: GradesEnter, *, dry_run: bool = False, reason: str | None = None
) -> GradesReport:
    """Enter the grades unless a row is at fault, or only tell what would be with `dry_run`.

    FORBIDDEN without a post that enters grades; NOT_FOUND and WRONG_STATE as the arrangement has it.
    """
    GRADES_ENTER.require_asker(viewer)
    judgement = await judge(store, payload)
    if judgement.faults or dry_run:
        return GradesReport(0, judgement.faults, judgement.missing)
    await perform(store, viewer, GRADES_ENTER.name, payload, reason=reason)
    return GradesReport(len(payload.rows), (), judgement.missing)


async def _check_entry(store: Store, viewer: Viewer, payload: GradesEnter) -> None:
    judgement = await judge(store, payload)
    if judgement.faults:
        raise judgement.faults[0][1]


async def _apply_entry(unit: UnitOfWork, payload: GradesEnter) -> ObjectId:
    await unit.serialise(f"grades:{payload.arrangement_id}")
    judgement = await judge(unit.store, payload, unit.session)
    if judgement.faults:
        raise judgement.faults[0][1]
    held = judgement.arrangement
    entry = GradeEntry(
        id=payload.entry_id,
        arrangement_id=payload.arrangement_id,
        kind=payload.kind,
        grades=len(payload.rows),
        entered_at=unit.at,
    )
    records = [
        GradeRecord(
            student_id=row.student_id,
            arrangement_id=payload.arrangement_id,
            course_id=held.course_id,
            term_id=held.term_id,
            class_name=held.class_name,
            kind=payload.kind,
            status=row.status,
            score=score,
            entry_id=payload.entry_id,
            entered_by_name=unit.actor.name,
        )
        for row, score in zip(payload.rows, judgement.scores, strict=True)
    ]
    await insert_told(unit, entry, "grades:enter")
    await unit.insert(*records)
    for record in records:
        unit.audit(Subject(record.subject_type, record.key), "grade:enter", told_whole(record))
    return entry.key


class GradeCorrect(Payload):
    """Payload of `grade.correct`: the whole new value. The student is the grade's, for whoever decides."""

    record_id: PydanticObjectId
    student_id: PydanticObjectId
    status: GradeStatus = GradeStatus.CORRECTED
    score: Annotated[str | None, Field(max_length=10)] = None


async def correction_of(
    store: Store, viewer: Viewer, key: ObjectId, value: Mapping[str, Any]
) -> GradeCorrect:
    """The payload that corrects a grade so; NOT_FOUND on `id` without it, FORBIDDEN without a post that may ask."""
    GRADE_CORRECT.require_asker(viewer)
    held = await store.database.collection(GradeRecord).find_one({"_id": key}, {"student_id": 1})
    if held is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    return payload_of(GradeCorrect, {"record_id": key, "student_id": held["student_id"], **value})


async def _asked_value(
    store: Store, payload: GradeCorrect, held: Mapping[str, Any], session: AsyncClientSession | None = None
) -> dict[str, Any]:
    if payload.status is GradeStatus.ENTERED:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="status", rule=POLICY, state="ENTERED")
    course = await found(store, Course, held["course_id"], "id", session)
    score = checked_score(course.scheme, payload.status, payload.score)
    return {"status": payload.status.value, "score": score}


def _same(held: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    unscored = {GradeStatus.ABSENT.value, GradeStatus.DEFERRED.value}
    alike = held["status"] == asked["status"] or not {held["status"], asked["status"]} & unscored
    return alike and held["score"] == asked["score"]


async def _check_correction(store: Store, viewer: Viewer, payload: GradeCorrect) -> None:
    held = await find_grade_row(store, viewer, payload.record_id)
    if held is None or held["student_id"] != payload.student_id:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    if _same(held, await _asked_value(store, payload, held)):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="score", rule=POLICY)


async def _apply_correction(unit: UnitOfWork, payload: GradeCorrect) -> ObjectId:
    record = await unit.load(GradeRecord, payload.record_id)
    if record is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    before = record.to_bson()
    after = await _asked_value(unit.store, payload, before, unit.session)
    await unit.change(record, after)
    # Both are told although one of them stays: its absence would tell.
    changes = [FieldChange(name, before[name], after[name]) for name in sorted(_VALUE)]
    unit.audit(Subject(record.subject_type, record.key), "grade:correct", changes, touched=_VALUE)
    return record.key


async def _current(
    store: Store, session: AsyncClientSession | None, payload: GradeCorrect
) -> Mapping[str, Any]:
    held = await find_grade_row(store, None, payload.record_id, session)
    if held is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    return {name: held[name] for name in sorted(_VALUE)}


GRADES_ENTER = Operation(
    name="grades.enter",
    record_type=GradeEntry,
    payload=GradesEnter,
    requesters=ASKERS,
    subject=lambda payload: Subject(GradeEntry.subject_type, payload.entry_id),
    requested_values=lambda payload: {"kind": payload.kind.value},
    fields=lambda payload: frozenset({"kind"}),
    check=_check_entry,
    apply=_apply_entry,
    # Its grades are decrypted nowhere but in the grades: no request holds them.
    applies_at_once=True,
)
GRADE_CORRECT = Operation(
    name="grade.correct",
    record_type=GradeRecord,
    payload=GradeCorrect,
    requesters=ASKERS,
    subject=lambda payload: Subject(GradeRecord.subject_type, payload.record_id),
    requested_values=lambda payload: {"status": payload.status.value, "score": payload.score},
    fields=lambda payload: _VALUE,
    current=_current,
    changes=_VALUE,
    decisions=request_decisions,
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check_correction,
    apply=_apply_correction,
)
