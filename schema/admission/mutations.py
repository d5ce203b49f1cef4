"""What is done with admission cases (入学办理): one by one, and for a cohort together."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId

from archive_store.admission.amendments import AdmissionAmend
from archive_store.admission.collection import supply
from archive_store.admission.confirmation import AdmissionConfirm, AdmissionObject, capacity_for
from archive_store.admission.corrections import correct
from archive_store.admission.evidence import AdmissionAddEvidence
from archive_store.admission.review import AdmissionReview, seat_for
from archive_store.admission.rules import AdmissionAction, channel_of
from archive_store.admission.steps import CasePayload
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.policies.admission import replace_admission_policy
from schema.admission.batches import AdmissionCasesMovePayload, resolve_move
from schema.admission.enums import AdmissionSupplyOutcome, SchoolStage
from schema.admission.inputs import (
    AdmissionCaseAddEvidenceInput,
    AdmissionCaseAmendInput,
    AdmissionCaseConfirmInput,
    AdmissionCaseCorrectInput,
    AdmissionCaseInput,
    AdmissionCaseObjectInput,
    AdmissionCaseReviewInput,
    AdmissionPolicyReplaceInput,
    AdmissionSupplyInput,
)
from schema.admission.types import ADMISSION_CASE, AdmissionCase, load_case
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, snake_case, typed_errors
from schema.nodes import global_id, key_of


@strawberry.type(description="Result of whatever is done with an admission case.")
class AdmissionCasePayload:
    admission_case: AdmissionCase | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="What became of one candidate.")
class AdmissionSupplied:
    admission_case_id: strawberry.ID
    outcome: AdmissionSupplyOutcome


@strawberry.type(description="Result of `admissionSupply`: one line for each candidate, in their order.")
class AdmissionSupplyPayload:
    supplied: list[AdmissionSupplied] = strawberry.field(default_factory=list)
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `admissionCaseCorrect`.")
class AdmissionCorrectPayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that changes the record once it is approved."
    )
    admission_case: AdmissionCase | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Which papers a case of the stage must hold, and must no longer hold.")
class AdmissionEvidenceDifference:
    stage: SchoolStage
    gains: list[str]
    loses: list[str]


@strawberry.type(description="Result of `admissionPolicyReplace`.")
class AdmissionPolicyReplacePayload:
    differences: list[AdmissionEvidenceDifference] = strawberry.field(default_factory=list)
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


def _key(text: strawberry.ID) -> ObjectId:
    return key_of(text, "AdmissionCase", field="id")


async def _perform(info: Request, name: str, key: ObjectId, payload: Payload) -> AdmissionCasePayload:
    await perform(info.context.store, info.context.viewer, name, payload)
    view = await load_case(info, key, ADMISSION_CASE.selected(info, "admissionCase"))
    return AdmissionCasePayload(admission_case=view)  # type: ignore[arg-type]


@typed_errors(AdmissionSupplyPayload)
async def resolve_supply(info: Request, input: AdmissionSupplyInput) -> AdmissionSupplyPayload:  # noqa: A002
    outcomes = await supply(
        info.context.store,
        info.context.viewer,
        stage=input.stage,
        cohort=input.cohort,
        batch=input.batch,
        origin=input.origin,
        applicants=[
            {"reference": item.reference, "applicant": item.applicant.values()} for item in input.applicants
        ],
    )
    return AdmissionSupplyPayload(
        supplied=[
            AdmissionSupplied(
                admission_case_id=strawberry.ID(global_id("AdmissionCase", key)), outcome=outcome
            )
            for key, outcome in outcomes
        ]
    )


@typed_errors(AdmissionCasePayload)
async def resolve_amend(info: Request, input: AdmissionCaseAmendInput) -> AdmissionCasePayload:  # noqa: A002
    key = _key(input.id)
    values = {
        "case_id": key,
        "applicant": input.applicant.values(),
        "channel": channel_of(info.context.viewer),
    }
    return await _perform(info, "admission.amend", key, payload_of(AdmissionAmend, values))


@typed_errors(AdmissionCasePayload)
async def resolve_add_evidence(
    info: Request,
    input: AdmissionCaseAddEvidenceInput,  # noqa: A002
) -> AdmissionCasePayload:
    key = _key(input.id)
    scans = [key_of(text, "Scan", field=f"scanIds.{place}") for place, text in enumerate(input.scan_ids)]
    payload = payload_of(AdmissionAddEvidence, {"case_id": key, "scan_ids": scans})
    return await _perform(info, "admission.add_evidence", key, payload)


def _plain(name: str) -> Any:
    """A step that needs nothing but the case."""

    async def resolve(info: Request, input: AdmissionCaseInput) -> AdmissionCasePayload:  # noqa: A002
        key = _key(input.id)
        return await _perform(info, name, key, CasePayload(case_id=key))

    return typed_errors(AdmissionCasePayload)(resolve)


@typed_errors(AdmissionCasePayload)
async def resolve_review(info: Request, input: AdmissionCaseReviewInput) -> AdmissionCasePayload:  # noqa: A002
    key, context = _key(input.id), info.context
    values = {
        "case_id": key,
        "passed": input.passed,
        "comment": input.comment,
        "digest": input.digest,
        "seat": await seat_for(context.store, context.viewer, key),
    }
    return await _perform(info, "admission.review", key, payload_of(AdmissionReview, values))


@typed_errors(AdmissionCasePayload)
async def resolve_confirm(info: Request, input: AdmissionCaseConfirmInput) -> AdmissionCasePayload:  # noqa: A002
    key, context = _key(input.id), info.context
    values = {
        "case_id": key,
        "capacity": await capacity_for(context.store, context.viewer, key, AdmissionAction.CONFIRM),
        "said_by": input.said_by,
        "revision": input.revision,
        "fields": None if input.fields is None else [snake_case(name) for name in input.fields],
    }
    return await _perform(info, "admission.confirm", key, payload_of(AdmissionConfirm, values))


@typed_errors(AdmissionCasePayload)
async def resolve_object(info: Request, input: AdmissionCaseObjectInput) -> AdmissionCasePayload:  # noqa: A002
    key, context = _key(input.id), info.context
    values = {
        "case_id": key,
        "capacity": await capacity_for(context.store, context.viewer, key, AdmissionAction.OBJECT),
        "said_by": input.said_by,
        "revision": input.revision,
        "objections": [
            {
                "field": snake_case(item.field),
                "statement": item.statement,
                "proposed": None if item.proposed is None else item.proposed.values(),
            }
            for item in input.objections
        ],
    }
    return await _perform(info, "admission.object", key, payload_of(AdmissionObject, values))


@typed_errors(AdmissionCorrectPayload)
async def resolve_correct(
    info: Request,
    input: AdmissionCaseCorrectInput,  # noqa: A002
) -> AdmissionCorrectPayload:
    key, context = _key(input.id), info.context
    outcome = await correct(
        context.store,
        context.viewer,
        key,
        changes={} if input.changes is None else input.changes.values(),
        answers=[
            {"field": snake_case(item.field), "is_corrected": item.is_corrected, "answer": item.answer}
            for item in input.answers
        ],
        reason=input.reason,
    )
    view = await load_case(info, key, ADMISSION_CASE.selected(info, "admissionCase"))
    request = await request_of(info, outcome.change_request_id)
    return AdmissionCorrectPayload(change_request=request, admission_case=view)  # type: ignore[arg-type]


@typed_errors(AdmissionPolicyReplacePayload)
async def resolve_policy_replace(
    info: Request,
    input: AdmissionPolicyReplaceInput,  # noqa: A002
) -> AdmissionPolicyReplacePayload:
    differences, request_id = await replace_admission_policy(
        info.context.store,
        info.context.viewer,
        rules=input.rules if isinstance(input.rules, dict) else {},
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    return AdmissionPolicyReplacePayload(
        differences=[
            AdmissionEvidenceDifference(stage=held.stage, gains=list(held.gains), loses=list(held.loses))
            for held in differences
        ],
        change_request=await request_of(info, request_id),
    )


@strawberry.type
class AdmissionMutations:
    """Asked for of admission."""

    admission_supply: AdmissionSupplyPayload = strawberry.field(
        resolver=resolve_supply,
        description="Supply candidates; what comes again under a reference changes its case (信息采集).",
    )
    admission_case_amend: AdmissionCasePayload = strawberry.field(
        resolver=resolve_amend, description="Complete or change what was collected (补充)."
    )
    admission_case_add_evidence: AdmissionCasePayload = strawberry.field(
        resolver=resolve_add_evidence, description="Add papers: scans filed for the candidate (材料)."
    )
    admission_case_submit: AdmissionCasePayload = strawberry.field(
        resolver=_plain("admission.submit"), description="Submit it to the qualification review (提交审核)."
    )
    admission_case_review: AdmissionCasePayload = strawberry.field(
        resolver=resolve_review, description="Sign in one of the two seats of the review (资格审核)."
    )
    admission_case_reopen: AdmissionCasePayload = strawberry.field(
        resolver=_plain("admission.reopen"), description="Collect anew after a failed review (重新采集)."
    )
    admission_case_enter: AdmissionCasePayload = strawberry.field(
        resolver=_plain("admission.enter"), description="Enter the record, by what was reviewed (学籍录入)."
    )
    admission_case_call_confirmation: AdmissionCasePayload = strawberry.field(
        resolver=_plain("admission.call_confirmation"),
        description="Ask the family to confirm the record (通知确认).",
    )
    admission_case_confirm: AdmissionCasePayload = strawberry.field(
        resolver=resolve_confirm, description="Confirm the record, or fields of it (信息确认)."
    )
    admission_case_object: AdmissionCasePayload = strawberry.field(
        resolver=resolve_object, description="Object to fields of the record (异议)."
    )
    admission_case_correct: AdmissionCorrectPayload = strawberry.field(
        resolver=resolve_correct, description="Answer the open objections; changes are approved (更正)."
    )
    admission_cases_move: AdmissionCasesMovePayload = strawberry.field(
        resolver=resolve_move, description="One step for a whole cohort, each case by itself (批量办理)."
    )
    admission_policy_replace: AdmissionPolicyReplacePayload = strawberry.field(
        resolver=resolve_policy_replace, description="Ask for new rules of admission (调整入学办理规则)."
    )
