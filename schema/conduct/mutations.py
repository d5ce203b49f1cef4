"""What is asked for about awards (奖励), sanctions (处分) and appeals (申诉)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry
from bson import ObjectId

from archive_store.approvals.documents import Evidence
from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.conduct.documents import Appeal as StoredAppeal
from archive_store.conduct.documents import Award as StoredAward
from archive_store.conduct.documents import Sanction as StoredSanction
from archive_store.conduct.rules import filed_as
from archive_store.conduct.sanctions import imposing_operation
from archive_store.conduct.steps import visible
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.policies.conduct import replace_conduct_policy
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.conduct.inputs import (
    AppealAppointInput,
    AppealDecideInput,
    AppealExtendInput,
    AppealFileInput,
    AppealRecordAnswerInput,
    AppealRecordProvincialInput,
    AwardRecordInput,
    AwardRevokeInput,
    ConductPolicyReplaceInput,
    SanctionImposeInput,
    SanctionRemoveInput,
    SanctionServeInput,
)
from schema.conduct.types import Appeal, appeal_node
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.students.mutations import evidence_given

_LONG = frozenset({"reason", "grounds", "extension_reason", "decision_reason"})


@strawberry.type(description="Result of whatever is asked for about an award or a sanction.")
class ConductRequestPayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that awaits approval."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of whatever is done with an appeal.")
class AppealPayload:
    appeal: Appeal | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `conductPolicyReplace`.")
class ConductPolicyReplacePayload:
    differences: list[str] = strawberry.field(
        default_factory=list, description="The rules that would change."
    )
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _ask(
    info: Request, name: str, values: dict[str, Any], reason: str, evidence: Sequence[Evidence] = ()
) -> ConductRequestPayload:
    store, viewer = info.context.store, info.context.viewer
    payload = payload_of(store.operations[name].payload, values, long_texts=_LONG)
    asking = Asking(reason=reason, evidence=evidence)
    outcome = await perform(store, viewer, name, payload, asking=asking)
    return ConductRequestPayload(change_request=await request_of(info, outcome.change_request_id))


async def _move(info: Request, name: str, key: ObjectId, **values: Any) -> AppealPayload:
    store, viewer = info.context.store, info.context.viewer
    payload = payload_of(store.operations[name].payload, {"appeal_id": key, **values}, long_texts=_LONG)
    await perform(store, viewer, name, payload)
    return AppealPayload(appeal=await appeal_node(info, key))  # type: ignore[arg-type]


@typed_errors(ConductRequestPayload)
async def resolve_award_record(info: Request, input: AwardRecordInput) -> ConductRequestPayload:  # noqa: A002
    names = ("title", "level", "awarded_by", "awarded_on", "document_number")
    values = {name: getattr(input, name) for name in names}
    values |= {
        "award_id": ObjectId(),
        "student_id": key_of(input.student_id, "Student", field="studentId"),
        "reason": input.award_reason,
    }
    return await _ask(info, "award.record", values, input.reason)


@typed_errors(ConductRequestPayload)
async def resolve_award_revoke(info: Request, input: AwardRevokeInput) -> ConductRequestPayload:  # noqa: A002
    key = key_of(input.id, "Award", field="id")
    held = await visible(info.context.store, info.context.viewer, StoredAward, key)
    return await _ask(info, "award.revoke", {"award_id": key, "student_id": held.student_id}, input.reason)


@typed_errors(ConductRequestPayload)
async def resolve_sanction_impose(
    info: Request,
    input: SanctionImposeInput,  # noqa: A002
) -> ConductRequestPayload:
    names = ("kind", "document_number", "decided_on", "months")
    values = {name: getattr(input, name) for name in names}
    student_id = key_of(input.student_id, "Student", field="studentId")
    values |= {
        "sanction_id": ObjectId(),
        "student_id": student_id,
        "reason": input.sanction_reason,
        "materials": [key_of(paper, "Scan", field="evidence") for paper in input.evidence],
    }
    evidence = await evidence_given(info, student_id, input.evidence)
    return await _ask(info, imposing_operation(input.kind), values, input.reason, evidence)


async def _on_sanction(
    info: Request, name: str, text: strawberry.ID, reason: str, **values: Any
) -> ConductRequestPayload:
    key = key_of(text, "Sanction", field="id")
    held = await visible(info.context.store, info.context.viewer, StoredSanction, key)
    return await _ask(info, name, {"sanction_id": key, "student_id": held.student_id, **values}, reason)


@typed_errors(ConductRequestPayload)
async def resolve_sanction_serve(info: Request, input: SanctionServeInput) -> ConductRequestPayload:  # noqa: A002
    return await _on_sanction(info, "sanction.serve", input.id, input.reason, served_on=input.served_on)


@typed_errors(ConductRequestPayload)
async def resolve_sanction_remove(
    info: Request,
    input: SanctionRemoveInput,  # noqa: A002
) -> ConductRequestPayload:
    return await _on_sanction(info, "sanction.remove", input.id, input.reason)


@typed_errors(AppealPayload)
async def resolve_appeal_file(info: Request, input: AppealFileInput) -> AppealPayload:  # noqa: A002
    store, viewer = info.context.store, info.context.viewer
    key = key_of(input.sanction_id, "Sanction", field="sanctionId")
    held = await visible(store, viewer, StoredSanction, key, "sanction_id")
    capacity = filed_as(viewer, held.student_id)
    if capacity is None:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="sanction_id")
    values = {
        "sanction_id": key,
        "student_id": held.student_id,
        "grounds": input.grounds,
        "filed_on": input.filed_on or school_day(store.clock.now()),
        "filed_as": capacity,
    }
    return await _move(info, "appeal.file", ObjectId(), **values)


@typed_errors(AppealPayload)
async def resolve_appeal_appoint(info: Request, input: AppealAppointInput) -> AppealPayload:  # noqa: A002
    members = [
        key_of(text, "Person", field=f"memberIds.{place}") for place, text in enumerate(input.member_ids)
    ]
    return await _move(info, "appeal.appoint", _appeal(input.id), member_ids=members)


@typed_errors(AppealPayload)
async def resolve_appeal_extend(info: Request, input: AppealExtendInput) -> AppealPayload:  # noqa: A002
    told = {"extension_reason": input.extension_reason}
    return await _move(info, "appeal.extend", _appeal(input.id), **told)


@typed_errors(AppealPayload)
async def resolve_appeal_decide(info: Request, input: AppealDecideInput) -> AppealPayload:  # noqa: A002
    names = ("outcome", "decision_reason", "kind", "months")
    told = {name: getattr(input, name) for name in names}
    return await _move(info, "appeal.decide", _appeal(input.id), **told)


@typed_errors(AppealPayload)
async def resolve_appeal_record_provincial(
    info: Request,
    input: AppealRecordProvincialInput,  # noqa: A002
) -> AppealPayload:
    names = ("provincial_filed_on", "provincial_number")
    told = {name: getattr(input, name) for name in names}
    return await _move(info, "appeal.record_provincial", _appeal(input.id), **told)


@typed_errors(ConductRequestPayload)
async def resolve_appeal_record_answer(
    info: Request,
    input: AppealRecordAnswerInput,  # noqa: A002
) -> ConductRequestPayload:
    key = _appeal(input.id)
    held = await visible(info.context.store, info.context.viewer, StoredAppeal, key)
    names = ("provincial_outcome", "provincial_answered_on", "kind", "months")
    values = {name: getattr(input, name) for name in names}
    values |= {"appeal_id": key, "student_id": held.student_id}
    return await _ask(info, "appeal.record_answer", values, input.reason)


def _appeal(text: strawberry.ID) -> ObjectId:
    return key_of(text, StoredAppeal.subject_type, field="id")


@typed_errors(ConductPolicyReplacePayload)
async def resolve_conduct_policy_replace(
    info: Request,
    input: ConductPolicyReplaceInput,  # noqa: A002
) -> ConductPolicyReplacePayload:
    differences, request_id = await replace_conduct_policy(
        info.context.store,
        info.context.viewer,
        rules=input.rules if isinstance(input.rules, dict) else {},
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    return ConductPolicyReplacePayload(
        differences=differences,
        change_request=await request_of(info, request_id),
    )


@strawberry.type
class ConductMutations:
    """Asked for of conduct."""

    award_record: ConductRequestPayload = strawberry.field(
        resolver=resolve_award_record, description="Ask for an award to be recorded (奖励登记)."
    )
    award_revoke: ConductRequestPayload = strawberry.field(
        resolver=resolve_award_revoke, description="Ask for an award to be revoked (撤销奖励)."
    )
    sanction_impose: ConductRequestPayload = strawberry.field(
        resolver=resolve_sanction_impose, description="Ask for a sanction (处分)."
    )
    sanction_serve: ConductRequestPayload = strawberry.field(
        resolver=resolve_sanction_serve, description="Ask for its receipt to be recorded (送达登记)."
    )
    sanction_remove: ConductRequestPayload = strawberry.field(
        resolver=resolve_sanction_remove,
        description="Apply for its removal after its period (解除处分), also by the student or a guardian.",
    )
    appeal_file: AppealPayload = strawberry.field(
        resolver=resolve_appeal_file,
        description="Appeal against a sanction, as the student or a guardian; or write down what came on paper (申诉).",
    )
    appeal_appoint: AppealPayload = strawberry.field(
        resolver=resolve_appeal_appoint, description="Name the committee (组成申诉处理委员会)."
    )
    appeal_extend: AppealPayload = strawberry.field(
        resolver=resolve_appeal_extend, description="Put off the last day, once, as its chair (延长复查期限)."
    )
    appeal_decide: AppealPayload = strawberry.field(
        resolver=resolve_appeal_decide,
        description="Record the committee's decision, as its chair; the sanction follows at once (复查决定).",
    )
    appeal_record_provincial: AppealPayload = strawberry.field(
        resolver=resolve_appeal_record_provincial, description="Record the appeal to the province (省级申诉)."
    )
    appeal_record_answer: ConductRequestPayload = strawberry.field(
        resolver=resolve_appeal_record_answer,
        description="Ask for what the province decided to be recorded; the sanction follows with it (省级答复).",
    )
    conduct_policy_replace: ConductPolicyReplacePayload = strawberry.field(
        resolver=resolve_conduct_policy_replace,
        description="Ask for new periods and clocks, decided by the principal (奖惩规则).",
    )
