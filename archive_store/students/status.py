"""Changes of status (学籍异动, policy §三(一)): `student.suspend` (休学) and `student.resume` (复学).

Why a student is suspended tells of their health, so the reason is read by those who read that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload, Values
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.documents import StatusPeriod, Student, StudentStatus
from archive_store.students.operations import current_row, load_student, request_decisions
from archive_store.students.scope import student_scope
from archive_store.students.status_periods import restored, say_the_same, with_status

RULE = "policy §三(一)"
_FIELDS = frozenset({"status", "status_periods"})
_REASON_FIELDS = frozenset({"health_status"})


class StatusChange(Payload):
    """Payload of both: the day, in China, from which the new status holds."""

    student_id: PydanticObjectId
    effective_from: date


@dataclass(frozen=True, slots=True)
class _Transition:
    """From which status to which."""

    before: StudentStatus
    after: StudentStatus
    kind: str

    async def check(self, store: Store, viewer: Viewer, payload: StatusChange) -> None:
        """NOT_FOUND out of sight, WRONG_STATE from another status, INVALID_DATE before the running period."""
        row = await current_row(store, None, payload.student_id, _FIELDS, student_scope(viewer).visible)
        self._require(StudentStatus(row["status"]))
        with_status(_periods(row), self.after, payload.effective_from, store.clock.now())

    def _require(self, status: StudentStatus) -> None:
        if status is not self.before:
            raise RegistrarError(ErrorCode.WRONG_STATE, field="status", rule=RULE, state=status)

    def requested(self, payload: StatusChange) -> Mapping[str, Any]:
        added = {"status": self.after.value, "effective_from": bson_value(payload.effective_from)}
        return {"status": self.after.value, "status_periods": [added]}

    async def apply(self, unit: UnitOfWork, payload: StatusChange) -> ObjectId:
        student = await load_student(unit, payload.student_id)
        self._require(student.status)
        if payload.effective_from > school_day(unit.at):
            # The record says what holds; a day to come is waited for by the request.
            raise RegistrarError(ErrorCode.INVALID_DATE, field="effective_from", rule=RULE)
        periods = with_status(student.status_periods, self.after, payload.effective_from, unit.at)
        await _write(unit, student, self.after, periods, self.kind, payload.effective_from)
        return student.key

    async def reverse(self, unit: UnitOfWork, payload: StatusChange, before: Values, _: date) -> None:
        student, earlier = await load_student(unit, payload.student_id), _periods(before)
        written = with_status(earlier, self.after, payload.effective_from, unit.at)
        if student.status is not self.after or not say_the_same(student.status_periods, written):
            raise RegistrarError(ErrorCode.CONFLICT, field="status", rule=RULE, fields="status")
        periods = restored(student.status_periods, earlier, unit.at)
        await _write(unit, student, self.before, periods, f"{self.kind}:reverse", payload.effective_from)


def _periods(row: Values) -> list[StatusPeriod]:
    return [StatusPeriod.model_validate(period) for period in row["status_periods"]]


async def _write(
    unit: UnitOfWork,
    student: Student,
    status: StudentStatus,
    periods: list[StatusPeriod],
    kind: str,
    since: date,
) -> None:
    before = student.to_bson()
    after = {"status": status.value, "status_periods": bson_value(periods)}
    await unit.change(student, after)
    changes = [FieldChange(field, before[field], value) for field, value in after.items()]
    subject = Subject(Student.subject_type, student.key)
    unit.audit(subject, kind, changes, touched=_FIELDS | _REASON_FIELDS, effective_from=since)


async def _current(
    store: Store, session: AsyncClientSession | None, payload: StatusChange
) -> Mapping[str, Any]:
    row = await current_row(store, session, payload.student_id, _FIELDS, {})
    return {field: row[field] for field in sorted(_FIELDS)}


def _operation(name: str, transition: _Transition) -> Operation[StatusChange]:
    return Operation(
        name=name,
        record_type=Student,
        payload=StatusChange,
        requesters=frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR}),
        subject=lambda payload: Subject(Student.subject_type, payload.student_id),
        requested_values=transition.requested,
        fields=lambda payload: _FIELDS,
        current=_current,
        changes=frozenset({"status"}),
        decisions=request_decisions,
        reason_fields=_REASON_FIELDS,
        check=transition.check,
        apply=transition.apply,
        reverse=transition.reverse,
    )


_ENROLLED, _SUSPENDED = StudentStatus.ENROLLED, StudentStatus.SUSPENDED
STUDENT_SUSPEND = _operation("student.suspend", _Transition(_ENROLLED, _SUSPENDED, "student:status:suspend"))
STUDENT_RESUME = _operation("student.resume", _Transition(_SUSPENDED, _ENROLLED, "student:status:resume"))
