"""`recordObjectionRaise`, `recordObjectionAnswer`, `recordObjectionWithdraw`, and those that wait."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.objections.operations import (
    ObjectionAnswer,
    ObjectionRaise,
    ObjectionWithdraw,
    capacity_of,
)
from archive_store.objections.queries import objections_waiting
from schema.context import Request
from schema.errors import UserError, snake_case, typed_errors
from schema.nodes import Connection, connection, global_id, key_of
from schema.objections.types import OBJECTION, RecordObjection, shown_objection


@strawberry.input(description="Input of `recordObjectionRaise`.")
class RecordObjectionRaiseInput:
    student_id: strawberry.ID
    field: str = strawberry.field(
        description="The field, as `studentUpdate` names it, or status, className, grade."
    )
    statement: str = strawberry.field(
        description="What is wrong, and what it should be; read by who answers and reads the field."
    )


@strawberry.input(description="Input of `recordObjectionAnswer`.")
class RecordObjectionAnswerInput:
    id: strawberry.ID
    answer: str
    change_request_id: strawberry.ID | None = strawberry.field(
        default=None, description="The applied change that corrected it; without one it is declined."
    )


@strawberry.input(description="Input of `recordObjectionWithdraw`.")
class RecordObjectionWithdrawInput:
    id: strawberry.ID


@strawberry.type(description="Result of whatever is done with an objection.")
class RecordObjectionPayload:
    record_objection_id: strawberry.ID | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _perform(info: Request, name: str, payload: Payload, key: ObjectId) -> RecordObjectionPayload:
    await perform(info.context.store, info.context.viewer, name, payload)
    return RecordObjectionPayload(record_objection_id=strawberry.ID(global_id("RecordObjection", key)))


@typed_errors(RecordObjectionPayload)
async def resolve_raise(info: Request, input: RecordObjectionRaiseInput) -> RecordObjectionPayload:  # noqa: A002
    key, student_id = ObjectId(), key_of(input.student_id, "Student", field="studentId")
    told = {
        "objection_id": key,
        "student_id": student_id,
        "field": snake_case(input.field),
        "statement": input.statement,
        "capacity": capacity_of(info.context.viewer, student_id),
    }
    payload = payload_of(ObjectionRaise, told, long_texts=frozenset({"statement"}))
    return await _perform(info, "record_objection.raise", payload, key)


@typed_errors(RecordObjectionPayload)
async def resolve_answer(info: Request, input: RecordObjectionAnswerInput) -> RecordObjectionPayload:  # noqa: A002
    key, request = key_of(input.id, "RecordObjection", field="id"), input.change_request_id
    told = {
        "objection_id": key,
        "answer": input.answer,
        "change_request_id": None
        if request is None
        else key_of(request, "ChangeRequest", field="changeRequestId"),
    }
    payload = payload_of(ObjectionAnswer, told, long_texts=frozenset({"answer"}))
    return await _perform(info, "record_objection.answer", payload, key)


@typed_errors(RecordObjectionPayload)
async def resolve_withdraw(info: Request, input: RecordObjectionWithdrawInput) -> RecordObjectionPayload:  # noqa: A002
    key = key_of(input.id, "RecordObjection", field="id")
    payload = payload_of(ObjectionWithdraw, {"objection_id": key})
    return await _perform(info, "record_objection.withdraw", payload, key)


async def resolve_waiting(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[RecordObjection]:
    page = await objections_waiting(
        info.context.store,
        info.context.viewer,
        OBJECTION.selected(info, "edges", "node"),
        first=first,
        after=None if after is None else key_of(after, "RecordObjection", field="after"),
    )
    for view in page.rows:
        info.context.withhold(OBJECTION.coordinates_of(view.withheld))
    cursors = [global_id("RecordObjection", view.row["_id"]) for view in page.rows]
    rows = [shown_objection(view) for view in page.rows]
    return connection(rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


@strawberry.type
class ObjectionQueries:
    """Read of objections."""

    record_objections_open: Connection[RecordObjection] = strawberry.field(
        resolver=resolve_waiting,
        description="更正申请 that wait for an answer, newest first; for who answers.",
    )


@strawberry.type
class ObjectionMutations:
    """Asked for of objections."""

    record_objection_raise: RecordObjectionPayload = strawberry.field(
        resolver=resolve_raise,
        description="Ask for a correction of one's own or one's child's record (更正申请).",
    )
    record_objection_answer: RecordObjectionPayload = strawberry.field(
        resolver=resolve_answer, description="Answer: corrected by an applied change, or declined (答复)."
    )
    record_objection_withdraw: RecordObjectionPayload = strawberry.field(
        resolver=resolve_withdraw, description="Withdraw one's own objection (撤回)."
    )
