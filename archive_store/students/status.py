"""Writing a change of status (学籍异动, policy §三(一)) to a record. Whether it may be is for `status_changes/`.

Why a student is suspended tells of their health, so the reason is read by those who read that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints

from archive_store.approvals.operation import Payload, Values
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.documents import StatusPeriod, Student, StudentStatus
from archive_store.students.status_periods import restored, say_the_same

RULE = "policy §三(一)"
STATUS_FIELDS = frozenset({"status", "status_periods"})
# Of a change that moves to another class as well.
PLACE_FIELDS = frozenset({"grade", "class_name", "class_seat_number"})
# Of a change of major as well.
MAJOR_FIELDS = frozenset({"major_code"})
REASON_FIELDS = frozenset({"health_status"})
MATERIALS_LIMIT = 20

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class StatusChange(Payload):
    """Payload of every change of status: the day, in China, from which it holds, and what its kind asks for.

    `until` is the last day that is planned (休学期限), `to_class` where the student goes on, `to_major` the code of
    their new major, `status` what a correction says, `counterpart` the other school of a transfer, `document_number`
    the number of the decision (文号), and `materials` the scans that it rests on.
    """

    student_id: PydanticObjectId
    effective_from: date
    until: date | None = None
    to_class: ShortText | None = None
    to_major: ShortText | None = None
    status: StudentStatus | None = None
    counterpart: ShortText | None = None
    document_number: ShortText | None = None
    materials: Annotated[tuple[PydanticObjectId, ...], Field(max_length=MATERIALS_LIMIT)] = ()


async def standing_lock(unit: UnitOfWork, *student_ids: ObjectId) -> None:
    """What rests on a student's status and what rests on their sanctions collide, so that the later sees both."""
    await unit.serialise(*(f"standing:{key}" for key in student_ids))


def periods_of(row: Values) -> list[StatusPeriod]:
    return [StatusPeriod.model_validate(period) for period in row["status_periods"]]


async def write_status(
    unit: UnitOfWork,
    student: Student,
    periods: list[StatusPeriod],
    kind: str,
    since: date,
    *,
    status: StudentStatus,
    place: Mapping[str, str | None] | None = None,
) -> None:
    """Set status, periods and, where the student goes on elsewhere, grade, class and major, with their entry."""
    before = student.to_bson()
    after = {"status": status.value, "status_periods": bson_value(periods), **(place or {})}
    await unit.change(student, after)
    changes = [FieldChange(field, before[field], value) for field, value in after.items()]
    touched = STATUS_FIELDS | REASON_FIELDS | (frozenset(place) if place else frozenset())
    subject = Subject(Student.subject_type, student.key)
    unit.audit(subject, kind, changes, touched=touched, effective_from=since)


async def reverse_status(
    unit: UnitOfWork,
    student: Student,
    before: Values,
    written: list[StatusPeriod],
    kind: str,
    since: date,
) -> None:
    """Let hold again what held before; CONFLICT where something changed since it was `written`."""
    fields = [field for field in sorted(PLACE_FIELDS | MAJOR_FIELDS) if field in before]
    if not say_the_same(student.status_periods, written):
        raise RegistrarError(ErrorCode.CONFLICT, field="status", rule=RULE, fields="status")
    periods = restored(student.status_periods, periods_of(before), unit.at)
    place: dict[str, Any] = {field: before[field] for field in fields}
    await write_status(
        unit, student, periods, f"{kind}:reverse", since, status=StudentStatus(before["status"]), place=place
    )
