"""`transferCases`, the routes, and what is done with a transfer case."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId

from archive_store.approvals.operations import Outcome, payload_of, perform
from archive_store.foundation.records import bson_value
from archive_store.policies.transfer_rules import replace_transfer_rules
from archive_store.transfer_cases.ending import CaseClose, withdraw_case
from archive_store.transfer_cases.leaving import StepAnswer, record_step
from archive_store.transfer_cases.operations import CaseOpen
from archive_store.transfer_cases.queries import case_board, case_by_id
from archive_store.transfer_cases.steps import case_in_sight, rules_in_force
from schema.approvals.queries import request_of
from schema.context import Request
from schema.errors import typed_errors
from schema.nodes import Connection, connection, global_id, key_of
from schema.policies.mutations import rules_given
from schema.students.mutations import evidence_given
from schema.transfer_cases.enums import CaseState
from schema.transfer_cases.inputs import (
    TransferCaseCloseInput,
    TransferCaseOpenInput,
    TransferCasePayload,
    TransferCaseRecordStepInput,
    TransferCaseWithdrawInput,
    TransferRules,
    TransferRulesReplaceInput,
    TransferRulesReplacePayload,
)
from schema.transfer_cases.loaders import shown
from schema.transfer_cases.types import TRANSFER_CASE, TransferCase


async def resolve_cases(
    info: Request,
    first: int = 20,
    after: str | None = None,
    state: CaseState | None = None,
    overdue: bool | None = None,
) -> Connection[TransferCase]:
    page = await case_board(
        info.context.store,
        info.context.viewer,
        TRANSFER_CASE.selected(info, "edges", "node"),
        state=state,
        overdue=overdue,
        first=first,
        after=None if after is None else key_of(after, "TransferCase", field="after"),
    )
    cursors = [global_id("TransferCase", view.id) for view in page.rows]
    rows = [shown(info, view) for view in page.rows]
    return connection(rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_case(info: Request, id: strawberry.ID) -> TransferCase | None:  # noqa: A002
    key = key_of(id, "TransferCase", field="id")
    view = await case_by_id(info.context.store, info.context.viewer, key, TRANSFER_CASE.selected(info))
    return None if view is None else shown(info, view)


async def resolve_rules(info: Request) -> TransferRules:
    held = await rules_in_force(info.context.store)
    return TransferRules(
        version=held.version,
        effective_from=held.effective_from,  # type: ignore[arg-type]
        rules=bson_value(held.rules),
    )


async def _payload(info: Request, key: ObjectId, outcome: Outcome) -> TransferCasePayload:
    paths = TRANSFER_CASE.selected(info, "transferCase")
    view = await case_by_id(info.context.store, info.context.viewer, key, paths)
    return TransferCasePayload(
        transfer_case=None if view is None else shown(info, view),
        change_request=await request_of(info, outcome.change_request_id),
        applied=outcome.applied,
    )


@typed_errors(TransferCasePayload)
async def resolve_open(info: Request, input: TransferCaseOpenInput) -> TransferCasePayload:  # noqa: A002
    given = {name: value for name, value in vars(input).items() if value is not None}
    if input.student_id is not None:
        given["student_id"] = key_of(input.student_id, "Student", field="studentId")
    key = ObjectId()
    payload = payload_of(CaseOpen, {"case_id": key, **given}, long_texts=frozenset({"reason_text"}))
    outcome = await perform(info.context.store, info.context.viewer, "transfer_case.open", payload)
    return await _payload(info, key, outcome)


@typed_errors(TransferCasePayload)
async def resolve_record_step(
    info: Request,
    input: TransferCaseRecordStepInput,  # noqa: A002
) -> TransferCasePayload:
    context, key = info.context, key_of(input.id, "TransferCase", field="id")
    more: dict[str, Any] = {}
    if input.evidence:
        case = await case_in_sight(context.store, context.viewer, key)
        if case.student_id is not None:
            more["evidence"] = await evidence_given(info, case.student_id, input.evidence)
        more["materials"] = [key_of(paper, "Scan", field="evidence") for paper in input.evidence]
    answer = StepAnswer(
        input.outcome,
        input.done_on,
        ground=input.ground,
        document_number=input.document_number,
        reason=input.reason,
        step=input.step,
        **more,
    )
    outcome = await record_step(context.store, context.viewer, key, answer)
    return await _payload(info, key, outcome)


@typed_errors(TransferCasePayload)
async def resolve_withdraw(info: Request, input: TransferCaseWithdrawInput) -> TransferCasePayload:  # noqa: A002
    key = key_of(input.id, "TransferCase", field="id")
    outcome = await withdraw_case(info.context.store, info.context.viewer, key, input.reason)
    return await _payload(info, key, outcome)


@typed_errors(TransferCasePayload)
async def resolve_close(info: Request, input: TransferCaseCloseInput) -> TransferCasePayload:  # noqa: A002
    key = key_of(input.id, "TransferCase", field="id")
    told: dict[str, Any] = {"case_id": key}
    if input.student_id is not None:
        told["student_id"] = key_of(input.student_id, "Student", field="studentId")
    payload = payload_of(CaseClose, told)
    outcome = await perform(info.context.store, info.context.viewer, "transfer_case.close", payload)
    return await _payload(info, key, outcome)


@typed_errors(TransferRulesReplacePayload)
async def resolve_rules_replace(
    info: Request,
    input: TransferRulesReplaceInput,  # noqa: A002
) -> TransferRulesReplacePayload:
    changed, request_id = await replace_transfer_rules(
        info.context.store,
        info.context.viewer,
        rules=rules_given(input.rules),
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    return TransferRulesReplacePayload(
        changed_routes=changed, change_request=await request_of(info, request_id)
    )


@strawberry.type
class TransferCaseQueries:
    """Read of transfer cases."""

    transfer_case: TransferCase | None = strawberry.field(
        resolver=resolve_case, description="转学办理 by id, to the office and the family; null to others."
    )
    transfer_cases: Connection[TransferCase] = strawberry.field(
        resolver=resolve_cases,
        description="转学办理 of a state, or of what is late (a party, or the archive that was not sent), newest "
        "first; to the office.",
    )
    transfer_rules: TransferRules = strawberry.field(
        resolver=resolve_rules,
        description="转学办理规则 in effect: the routes, their parties and their days.",
    )


@strawberry.type
class TransferCaseMutations:
    """Done with transfer cases."""

    transfer_case_open: TransferCasePayload = strawberry.field(
        resolver=resolve_open,
        description="Begin a transfer case (转学办理); its first step runs from that day.",
    )
    transfer_case_record_step: TransferCasePayload = strawberry.field(
        resolver=resolve_record_step,
        description="Write down what the awaited party answered, or ask for the signatures of our own school: our "
        "leave to go is the change of status TRANSFER_OUT.",
    )
    transfer_case_withdraw: TransferCasePayload = strawberry.field(
        resolver=resolve_withdraw, description="撤回 a case in process; also for the family."
    )
    transfer_case_close: TransferCasePayload = strawberry.field(
        resolver=resolve_close,
        description="归档 a completed case, once the archive was sent or the student is on record.",
    )
    transfer_rules_replace: TransferRulesReplacePayload = strawberry.field(
        resolver=resolve_rules_replace,
        description="Ask for new routes of transfers, which the principal decides on.",
    )
