"""Objections (更正申请) as those see them whose record it is, and those who answer."""

from __future__ import annotations

from datetime import datetime

import strawberry

from archive_store.objections import documents as stored
from archive_store.objections.documents import ObjectionCapacity as RecordObjectionCapacity
from archive_store.objections.documents import ObjectionStatus as RecordObjectionStatus
from archive_store.objections.queries import ObjectionView
from schema.access import GovernedType, governed
from schema.enum_names import name_enum
from schema.errors import camel_case
from schema.nodes import global_id

name_enum(
    RecordObjectionStatus,
    "处理状态 of an objection.",
    {"OPEN": "待处理", "CORRECTED": "已更正", "DECLINED": "不予更正", "WITHDRAWN": "撤回"},
    name="RecordObjectionStatus",
)
name_enum(
    RecordObjectionCapacity,
    "As what somebody objects to a record.",
    {"SELF": "本人", "GUARDIAN": "监护人", "AT_SCHOOL": "到校, written down by the information group"},
    name="RecordObjectionCapacity",
)
__all__ = ["OBJECTION", "RecordObjection", "RecordObjectionStatus", "shown_objection"]
_TYPE = stored.RecordObjection


@strawberry.type(description="更正申请: an objection to one field of a record, and its answer.")
class RecordObjection:
    id: strawberry.ID
    student_id: strawberry.ID
    field: str | None = governed(_TYPE, "field", "the field, as `studentUpdate` names it")
    statement: str | None = governed(_TYPE, "statement", "what is wrong")
    raised_by_name: str | None = governed(_TYPE, "raised_by_name", "申请人, or who wrote it down")
    capacity: RecordObjectionCapacity | None = governed(_TYPE, "capacity", "as what")
    raised_at: datetime | None = governed(_TYPE, "raised_at", "申请时间")
    due_at: datetime | None = governed(_TYPE, "due_at", "the moment until which it is to be answered")
    status: RecordObjectionStatus | None = governed(_TYPE, "status", "处理状态")
    answer: str | None = governed(_TYPE, "answer", "答复")
    answered_by_name: str | None = governed(_TYPE, "answered_by_name", "答复人")
    answered_at: datetime | None = governed(_TYPE, "answered_at", "答复时间")
    change_request_id: strawberry.ID | None = governed(
        _TYPE, "change_request_id", "the change request that corrected it"
    )


OBJECTION = GovernedType(RecordObjection)


def shown_objection(view: ObjectionView) -> RecordObjection:
    request = view.value("change_request_id")
    capacity, status = view.value("capacity"), view.value("status")
    return RecordObjection(
        id=strawberry.ID(global_id("RecordObjection", view.row["_id"])),
        student_id=strawberry.ID(global_id("Student", view.row["student_id"])),
        field=camel_case(view.value("field")),
        statement=view.value("statement"),
        raised_by_name=view.value("raised_by_name"),
        capacity=None if capacity is None else RecordObjectionCapacity(capacity),
        raised_at=view.value("raised_at"),
        due_at=view.value("due_at"),
        status=None if status is None else RecordObjectionStatus(status),
        answer=view.value("answer"),
        answered_by_name=view.value("answered_by_name"),
        answered_at=view.value("answered_at"),
        change_request_id=None if request is None else strawberry.ID(global_id("ChangeRequest", request)),
    )
