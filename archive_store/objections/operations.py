"""`record_objection.raise`, `.answer` and `.withdraw`; policy 引言: the rights of students, §三(一): 及时更正.

The clock is that of the rules of admission. A correction is a change of the record as ever; the answer names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import StringConstraints

from archive_store.access.policy import ACCESS_RULE
from archive_store.access.viewer import Viewer
from archive_store.admission.steps import policy_in_force
from archive_store.approvals.documents import ChangeRequest, RequestStatus
from archive_store.approvals.operation import Operation, Payload
from archive_store.audit.clock_work import change_each
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.foundation.work_calendars import load_working_days
from archive_store.foundation.working_days import due_after
from archive_store.objections.documents import ObjectionCapacity, ObjectionStatus, RecordObjection
from archive_store.objections.sight import ANSWERERS, is_sensitive, may_answer
from archive_store.students.changes import StudentChanges
from archive_store.students.documents import Student
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope

RULE = "policy 引言, §三(一)"
OPEN_LIMIT = 20  # of one student
WRITERS = frozenset({Post.INFORMATION_GROUP})
# What a record says that somebody can be wrong about.
FIELDS = frozenset(StudentChanges.model_fields) | {"status", "class_name", "grade"}
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]


class ObjectionRaise(Payload):
    """Payload of `record_objection.raise`. `capacity` is told by `capacity_of`."""

    objection_id: PydanticObjectId
    student_id: PydanticObjectId
    field: str
    statement: _Text
    capacity: ObjectionCapacity


class ObjectionAnswer(Payload):
    """Payload of `record_objection.answer`: corrected by a change that was applied, or declined, and why."""

    objection_id: PydanticObjectId
    answer: _Text
    change_request_id: PydanticObjectId | None = None


class ObjectionWithdraw(Payload):
    """Payload of `record_objection.withdraw`."""

    objection_id: PydanticObjectId


def is_family(viewer: Viewer) -> bool:
    """Whether there is a record that is the viewer's own or their ward's."""
    return not viewer.is_service and bool(viewer.own_student_ids | viewer.ward_ids)


def capacity_of(viewer: Viewer, student_id: ObjectId) -> ObjectionCapacity:
    """As what the viewer objects; FORBIDDEN where the record is not theirs to object to."""
    if not viewer.is_service:
        if student_id in viewer.own_student_ids:
            return ObjectionCapacity.SELF
        if student_id in viewer.ward_ids:
            return ObjectionCapacity.GUARDIAN
        if viewer.holds_any(WRITERS):
            return ObjectionCapacity.AT_SCHOOL
    raise RegistrarError(ErrorCode.FORBIDDEN, field="student_id", rule=RULE)


async def _require_sight(store: Store, viewer: Viewer, student_id: ObjectId, field: str) -> None:
    query = {"$and": [{"_id": student_id}, student_scope(viewer).visible]}
    if await store.database.collection(Student).find_one(query, {"_id": 1}) is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)


async def _check_raise(store: Store, viewer: Viewer, payload: ObjectionRaise) -> None:
    await _require_sight(store, viewer, payload.student_id, "student_id")
    if capacity_of(viewer, payload.student_id) is not payload.capacity:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="student_id", rule=RULE)
    if payload.field not in FIELDS:
        raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field="field", name=payload.field[:50])
    running = {"student_id": payload.student_id, "status": ObjectionStatus.OPEN.value}
    rows = store.database.collection(RecordObjection).find(running, {"field": 1})
    held = {row["field"] async for row in rows}
    if payload.field in held:
        raise RegistrarError(
            ErrorCode.DUPLICATE, field="field", rule=RULE, others=RecordObjection.subject_type
        )
    if len(held) >= OPEN_LIMIT:
        raise RegistrarError(ErrorCode.TOO_MANY, field="field", limit=OPEN_LIMIT)


async def _raise(unit: UnitOfWork, payload: ObjectionRaise) -> ObjectId:
    assert unit.actor.person_id is not None  # noqa: S101 - people object
    period = (await policy_in_force(unit.store)).rules.correction
    objection = RecordObjection(
        id=payload.objection_id,
        **payload.model_dump(exclude={"objection_id"}),
        raised_by=PydanticObjectId(unit.actor.person_id),
        raised_by_name=unit.actor.name,
        raised_at=unit.at,
        due_at=due_after(unit.at, period, await load_working_days(unit.store)),
    )
    await unit.insert(objection)
    subject = Subject(RecordObjection.subject_type, objection.key)
    told = ("student_id", "field", "statement", "capacity", "due_at")
    unit.audit(
        subject,
        "record_objection:raise",
        [FieldChange(name, None, bson_value(getattr(objection, name))) for name in told],
    )
    unit.notify(Post.INFORMATION_GROUP, "record_objection:raised", subject)
    if is_sensitive(objection.field):
        unit.notify(Post.DIRECTOR, "record_objection:raised", subject)
    return objection.key


async def _open(unit: UnitOfWork, key: ObjectId) -> RecordObjection:
    objection = await unit.load(RecordObjection, key)
    if objection is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    if objection.status is not ObjectionStatus.OPEN:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=objection.status)
    return objection


async def _held(store: Store, viewer: Viewer, key: ObjectId) -> Mapping[str, Any]:
    """The facts of an open one in sight."""
    facts = dict.fromkeys(("student_id", "field", "status", "raised_by", "raised_at"), 1)
    row = await store.database.collection(RecordObjection).find_one({"_id": key}, facts)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    await _require_sight(store, viewer, row["student_id"], "id")
    if row["status"] != ObjectionStatus.OPEN.value:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=row["status"])
    return row


async def _check_answer(store: Store, viewer: Viewer, payload: ObjectionAnswer) -> None:
    row = await _held(store, viewer, payload.objection_id)
    # Nobody answers for their own record, nor what they raised as one of the family.
    own = row["student_id"] in viewer.own_student_ids | viewer.ward_ids
    if own or row["raised_by"] == viewer.person_id:
        raise RegistrarError(ErrorCode.SELF_APPROVAL, field="id", rule=RULE)
    facts = await facts_by_id(store, viewer, [row["student_id"]])
    if not may_answer(viewer, facts[row["student_id"]], row["field"]):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=ACCESS_RULE)
    if payload.change_request_id is not None:
        await _require_corrected(store, row, payload.change_request_id)


async def _require_corrected(store: Store, row: Mapping[str, Any], request_id: ObjectId) -> None:
    """The request is about the field of this record, and was applied since."""
    request = await store.database.collection(ChangeRequest).find_one(
        {"_id": request_id, "concerns": row["student_id"]}, {"status": 1, "fields": 1, "updated_at": 1}
    )
    if request is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="change_request_id")
    is_later = request["updated_at"] >= row["raised_at"]
    if request["status"] != RequestStatus.APPLIED.value or not is_later:
        raise RegistrarError(
            ErrorCode.WRONG_STATE, field="change_request_id", rule=RULE, state=request["status"]
        )
    if row["field"] not in request["fields"]:
        raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field="change_request_id", name=row["field"])


async def _answer(unit: UnitOfWork, payload: ObjectionAnswer) -> ObjectId:
    objection = await _open(unit, payload.objection_id)
    corrected = payload.change_request_id is not None
    values = {
        "status": ObjectionStatus.CORRECTED if corrected else ObjectionStatus.DECLINED,
        "answer": payload.answer,
        "answered_by_name": unit.actor.name,
        "answered_at": unit.at,
        "change_request_id": payload.change_request_id,
    }
    subject = await _write(unit, objection, "answer", values)
    unit.notify(objection.raised_by, "record_objection:answered", subject)
    if objection.capacity is ObjectionCapacity.AT_SCHOOL:
        # Who said it at school has it from the school, and by their account where they have one.
        row = await unit.store.database.collection(Student).find_one(
            {"_id": objection.student_id}, {"person_id": 1}, session=unit.session
        )
        if row is not None:
            unit.notify(row["person_id"], "record_objection:answered", subject)
    return objection.key


async def _check_withdraw(store: Store, viewer: Viewer, payload: ObjectionWithdraw) -> None:
    row = await _held(store, viewer, payload.objection_id)
    if row["raised_by"] != viewer.person_id:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=RULE)


async def _withdraw(unit: UnitOfWork, payload: ObjectionWithdraw) -> ObjectId:
    objection = await _open(unit, payload.objection_id)
    await _write(unit, objection, "withdraw", {"status": ObjectionStatus.WITHDRAWN})
    return objection.key


async def _write(
    unit: UnitOfWork, objection: RecordObjection, verb: str, values: Mapping[str, Any]
) -> Subject:
    return await unit.change_told(objection, values, f"record_objection:{verb}")


async def tell_overdue_answers(store: Store, now: datetime) -> int:
    """The clock's job: the director and the information group learn, once, that an answer is late."""
    late = {"status": ObjectionStatus.OPEN.value, "due_at": {"$lte": now}, "overdue_told_at": None}

    async def tell(unit: UnitOfWork, objection: RecordObjection) -> None:
        subject = await _write(unit, objection, "overdue", {"overdue_told_at": unit.at})
        for post in (Post.DIRECTOR, Post.INFORMATION_GROUP):
            unit.notify(post, "record_objection:overdue", subject)

    return await change_each(store, "record_objection.overdue", RecordObjection, late, tell)


def _operation(
    verb: str, payload: Any, requesters: frozenset[Post], check: Any, apply: Any, **more: Any
) -> Operation[Any]:
    return Operation(
        name=f"record_objection.{verb}",
        record_type=RecordObjection,
        payload=payload,
        requesters=requesters,
        subject=lambda asked: Subject(RecordObjection.subject_type, asked.objection_id),
        requested_values=lambda asked: bson_value(asked.model_dump(exclude={"objection_id"})),
        fields=lambda asked: frozenset(type(asked).model_fields) & frozenset(RecordObjection.model_fields),
        check=check,
        apply=apply,
        applies_at_once=True,
        **more,
    )


OBJECTION_OPERATIONS: Mapping[str, Operation[Any]] = {
    operation.name: operation
    for operation in (
        _operation("raise", ObjectionRaise, WRITERS, _check_raise, _raise, also_open_to=is_family),
        _operation("answer", ObjectionAnswer, ANSWERERS, _check_answer, _answer),
        _operation(
            "withdraw", ObjectionWithdraw, WRITERS, _check_withdraw, _withdraw, also_open_to=is_family
        ),
    )
}
