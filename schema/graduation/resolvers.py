"""`graduationAudit`, `graduationDecide`, and the rules behind them."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.foundation.clock import school_day
from archive_store.foundation.records import bson_value
from archive_store.graduation.audits import StudentAudit, audits, rules_in_force
from archive_store.graduation.decisions import GraduationDecide
from archive_store.graduation.documents import GraduationOutcome
from archive_store.graduation.queries import BatchView, batches
from archive_store.policies.graduation_rules import replace_graduation_rules
from schema.approvals.queries import request_of
from schema.context import Request
from schema.errors import typed_errors
from schema.graduation.types import (
    GraduationAudit,
    GraduationBatch,
    GraduationDecideInput,
    GraduationDecidePayload,
    GraduationFinding,
    GraduationRuleDifference,
    GraduationRules,
    GraduationRulesReplaceInput,
    GraduationRulesReplacePayload,
)
from schema.nodes import global_id, key_of
from schema.policies.mutations import rules_given
from schema.scalars import Day


async def resolve_graduation_audit(
    info: Request,
    student_ids: list[strawberry.ID] | None = None,
    class_name: str | None = None,
    on: Day | None = None,
) -> list[GraduationAudit]:
    context = info.context
    keys = (
        None
        if student_ids is None
        else [key_of(given, "Student", field="studentIds") for given in student_ids]
    )
    day = on or school_day(context.store.clock.now())
    found = await audits(context.store, context.viewer, student_ids=keys, class_name=class_name, day=day)
    return [_shown(audit) for audit in found]


def _shown(audit: StudentAudit) -> GraduationAudit:
    return GraduationAudit(
        student_id=audit.student_id,
        findings=[
            GraduationFinding(
                requirement=held.requirement,
                is_met=held.is_met,
                evidence=held.evidence,
                article=held.article,
                outcomes=sorted(held.outcomes),
            )
            for held in audit.findings
        ],
        proposed=audit.proposed,
    )


@typed_errors(GraduationDecidePayload)
async def resolve_graduation_decide(
    info: Request,
    input: GraduationDecideInput,  # noqa: A002
) -> GraduationDecidePayload:
    context = info.context
    decisions = tuple(
        {
            "student_id": key_of(decided.student_id, "Student", field=f"decisions.{place}.studentId"),
            "outcome": decided.outcome,
        }
        for place, decided in enumerate(input.decisions)
    )
    told = {"label": input.label, "graduates_on": input.graduates_on, "decisions": decisions}
    payload = payload_of(GraduationDecide, {"batch_id": ObjectId(), **told})
    day = input.graduates_on
    asking = Asking(
        reason=input.reason,
        effective_from=day if day > school_day(context.store.clock.now()) else None,
    )
    outcome = await perform(context.store, context.viewer, "graduation.decide", payload, asking=asking)
    return GraduationDecidePayload(change_request=await request_of(info, outcome.change_request_id))


async def resolve_graduation_batches(info: Request) -> list[GraduationBatch]:
    return [_batch(view) for view in await batches(info.context.store, info.context.viewer)]


def _batch(view: BatchView) -> GraduationBatch:
    batch, counts = view.batch, view.counts
    request = batch.change_request_id
    return GraduationBatch(
        id=strawberry.ID(global_id("GraduationBatch", batch.key)),
        label=batch.label,
        graduates_on=batch.graduates_on,  # type: ignore[arg-type]
        decided_at=batch.decided_at,
        rules_version=batch.rules_version,
        change_request_id=None if request is None else strawberry.ID(global_id("ChangeRequest", request)),
        graduated=counts[GraduationOutcome.GRADUATE],
        completed=counts[GraduationOutcome.COMPLETE],
        left_incomplete=counts[GraduationOutcome.LEAVE_INCOMPLETE],
    )


async def resolve_graduation_rules(info: Request) -> GraduationRules:
    rules = await rules_in_force(info.context.store)
    return GraduationRules(
        version=rules.version,
        effective_from=rules.effective_from,  # type: ignore[arg-type]
        rules=bson_value(rules.rules),
    )


@typed_errors(GraduationRulesReplacePayload)
async def resolve_graduation_rules_replace(
    info: Request,
    input: GraduationRulesReplaceInput,  # noqa: A002
) -> GraduationRulesReplacePayload:
    differences, request_id = await replace_graduation_rules(
        info.context.store,
        info.context.viewer,
        rules=rules_given(input.rules),
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    return GraduationRulesReplacePayload(
        differences=[
            GraduationRuleDifference(
                is_gained=held.is_gained, requirement=held.requirement, article=held.article
            )
            for held in differences
        ],
        change_request=await request_of(info, request_id),
    )


@strawberry.type
class GraduationQueries:
    """Read of graduation."""

    graduation_audit: list[GraduationAudit] = strawberry.field(
        resolver=resolve_graduation_audit,
        description="学历审核 of these students, or of who is in study in a class: each rule, met or not, with its "
        "evidence. Up to 1,000.",
    )
    graduation_batches: list[GraduationBatch] = strawberry.field(
        resolver=resolve_graduation_batches, description="毕业批次, the newest first."
    )
    graduation_rules: GraduationRules = strawberry.field(
        resolver=resolve_graduation_rules, description="学历审核规则 in effect."
    )


@strawberry.type
class GraduationMutations:
    """Asked for of graduation."""

    graduation_decide: GraduationDecidePayload = strawberry.field(
        resolver=resolve_graduation_decide,
        description="Ask for the graduation (毕业), completion (结业) or leaving (肄业) of up to 1,000 students.",
    )
    graduation_rules_replace: GraduationRulesReplacePayload = strawberry.field(
        resolver=resolve_graduation_rules_replace,
        description="Ask for new rules of the credential audit, which the principal decides on.",
    )
