"""信息确认: `admission.confirm` and `admission.object`, by the student or a guardian, field by field. Policy §三(一).

学生本人需到校确认: who has no account says it at school, and a member of staff writes down who said it.
如有异议,需及时更正: the clock of an objection runs in working days. The corrections are in `corrections.py`.
"""

from __future__ import annotations

from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import AdmissionCase, Capacity, CaseStatus, Objection
from archive_store.admission.rules import (
    RULE,
    AdmissionAction,
    after_confirmation,
    capacity_of,
    check_fields,
)
from archive_store.admission.sight import homeroom_students
from archive_store.admission.steps import (
    CasePayload,
    case_operation,
    case_to_move,
    policy_in_force,
    require_on,
    write,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError, error_fields_under
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.foundation.work_calendars import load_working_days
from archive_store.foundation.working_days import due_after
from archive_store.students.changes import StudentChanges, check_values
from archive_store.students.documents import Student

OBJECTIONS_LIMIT = 40  # open ones of a case
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Spoken(CasePayload):
    """What confirming and objecting share. `capacity` is told by `capacity_for`.

    `said_by` is who said it at school. `revision` is that of the record which they saw: it must not have changed.
    """

    capacity: Capacity
    said_by: _Name | None = None
    revision: int | None = None


class AdmissionConfirm(Spoken):
    """Payload of `admission.confirm`; without `fields`, all of them."""

    fields: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] | None = None


class ObjectionRaised(BaseModel):
    """One field, what is wrong with it and, if they know, what it should say."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    field: str
    statement: _Text
    proposed: StudentChanges | None = None

    @property
    def proposed_value(self) -> Any:
        return None if self.proposed is None else bson_value(getattr(self.proposed, self.field))


class AdmissionObject(Spoken):
    """Payload of `admission.object`."""

    objections: Annotated[tuple[ObjectionRaised, ...], Field(min_length=1, max_length=OBJECTIONS_LIMIT)]


async def capacity_for(store: Store, viewer: Viewer, case_id: ObjectId, action: AdmissionAction) -> Capacity:
    """As what the viewer speaks; FORBIDDEN where the record is not theirs to confirm."""
    case = await require_on(store, viewer, case_id, action)
    capacity = capacity_of(viewer, case, case.student_id in await homeroom_students(store, viewer))
    if capacity is None:
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=RULE)
    return capacity


async def _check_spoken(store: Store, viewer: Viewer, payload: Spoken, action: AdmissionAction) -> None:
    if payload.capacity is not await capacity_for(store, viewer, payload.case_id, action):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="capacity", rule=RULE)
    if (payload.capacity is Capacity.AT_SCHOOL) != (payload.said_by is not None):
        raise RegistrarError(ErrorCode.REQUIRED, field="said_by", rule=RULE)


async def _check_confirm(store: Store, viewer: Viewer, payload: AdmissionConfirm) -> None:
    await _check_spoken(store, viewer, payload, AdmissionAction.CONFIRM)


async def _require_seen(unit: UnitOfWork, case: AdmissionCase, payload: Spoken) -> None:
    """CONFLICT where the record changed since they saw it."""
    if payload.revision is None:
        return
    row = await unit.store.database.collection(Student).find_one(
        {"_id": case.student_id}, {"revision": 1}, session=unit.session
    )
    if row is None or row["revision"] != payload.revision:
        raise RegistrarError(ErrorCode.CONFLICT, field="revision", rule=RULE, fields="revision")


async def _apply_confirm(unit: UnitOfWork, payload: AdmissionConfirm) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.CONFIRM)
    await _require_seen(unit, case, payload)
    objected = {objection.field for objection in case.open_objections}
    if payload.fields is None and objected:
        # What is objected to cannot be right at once.
        raise RegistrarError(ErrorCode.WRONG_STATE, field="fields", rule=RULE, state=case.status)
    named = case.fields_to_confirm if payload.fields is None else payload.fields
    check_fields(case, named, "fields")
    for place, name in enumerate(named):
        if name in objected:
            raise RegistrarError(ErrorCode.WRONG_STATE, field=f"fields.{place}", rule=RULE, state=case.status)
    confirmed = sorted({*case.confirmed_fields, *named})
    values: dict[str, Any] = {"confirmed_fields": confirmed}
    status = after_confirmation(case, confirmed)
    if status is CaseStatus.CONFIRMED:
        values |= {
            "status": status,
            "confirmed_at": unit.at,
            "confirmed_by_name": payload.said_by or unit.actor.name,
            "confirmed_as": payload.capacity,
        }
    changes = [
        FieldChange(name, bson_value(getattr(case, name)), bson_value(value))
        for name, value in values.items()
    ]
    await write(unit, case, "confirm", values, changes=changes)
    if status is CaseStatus.CONFIRMED:
        unit.notify(Post.INFORMATION_GROUP, "admission:confirmed", _subject(case))
    return case.key


def _subject(case: AdmissionCase) -> Subject:
    return Subject(AdmissionCase.subject_type, case.key)


async def _check_object(store: Store, viewer: Viewer, payload: AdmissionObject) -> None:
    await _check_spoken(store, viewer, payload, AdmissionAction.OBJECT)
    case = await require_on(store, viewer, payload.case_id, AdmissionAction.OBJECT)
    check_fields(case, [raised.field for raised in payload.objections], "objections")
    for place, raised in enumerate(payload.objections):
        if raised.proposed is None:
            continue
        under = f"objections.{place}.proposed"
        if raised.proposed.model_fields_set != {raised.field}:
            raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field=under, name=raised.field)
        if raised.proposed_value is not None:
            with error_fields_under(under):
                told = {raised.field: raised.proposed_value}
                check_values(told, told, checks_identity=False)


async def _apply_object(unit: UnitOfWork, payload: AdmissionObject) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.OBJECT)
    await _require_seen(unit, case, payload)
    taken = {objection.field for objection in case.open_objections}
    for place, raised in enumerate(payload.objections):
        if raised.field in taken:
            raise RegistrarError(ErrorCode.DUPLICATE, field=f"objections.{place}.field", others="objections")
    if len(taken) + len(payload.objections) > OBJECTIONS_LIMIT:
        raise RegistrarError(ErrorCode.TOO_MANY, field="objections", limit=OBJECTIONS_LIMIT)
    period = (await policy_in_force(unit.store)).rules.correction
    due = due_after(unit.at, period, await load_working_days(unit.store))
    assert unit.actor.person_id is not None  # noqa: S101 - only people object
    raised_now = [
        Objection(
            field=raised.field,
            statement=raised.statement,
            proposed=raised.proposed_value,
            raised_by=PydanticObjectId(unit.actor.person_id),
            raised_by_name=payload.said_by or unit.actor.name,
            capacity=payload.capacity,
            raised_at=unit.at,
            due_at=due,
        )
        for raised in payload.objections
    ]
    objected = {raised.field for raised in raised_now}
    values = {
        "status": CaseStatus.OBJECTED,
        "objections": [*case.objections, *raised_now],
        "confirmed_fields": [name for name in case.confirmed_fields if name not in objected],
        # The first that was raised is the first that is late.
        "due_at": min([due, *(held.due_at for held in case.open_objections)]),
        "overdue_told_at": None,
    }
    changes = [
        FieldChange("status", case.status.value, CaseStatus.OBJECTED.value),
        FieldChange("objections", None, bson_value(raised_now)),
        FieldChange("due_at", case.due_at, values["due_at"]),
    ]
    await write(unit, case, "object", values, changes=changes, told="objected")
    unit.notify(Post.DIRECTOR, "admission:objected", _subject(case))
    return case.key


ADMISSION_CONFIRM = case_operation(
    "admission.confirm", AdmissionConfirm, AdmissionAction.CONFIRM, _check_confirm, _apply_confirm
)
ADMISSION_OBJECT = case_operation(
    "admission.object", AdmissionObject, AdmissionAction.OBJECT, _check_object, _apply_object
)
