"""`studentStatusChange` asks for a change of status, which applies when its chain has approved."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId

from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.approvals.requests import Revision, revise
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.policies.status_rules import replace_status_rules
from archive_store.status_changes.facts import rules_in_force
from archive_store.status_changes.kinds import KIND_OF_OPERATION
from archive_store.status_changes.operations import operation_of
from archive_store.status_changes.previews import preview_change
from archive_store.students.status import StatusChange
from schema.approvals.queries import request_of
from schema.context import Request
from schema.errors import typed_errors
from schema.nodes import key_of
from schema.policies.mutations import rules_given
from schema.scalars import Day
from schema.status_changes.types import (
    StatusChangeAsked,
    StatusChangePreview,
    StatusRuleDifference,
    StatusRules,
    StatusRulesReplaceInput,
    StatusRulesReplacePayload,
    StudentStatusChangeInput,
    StudentStatusChangeReviseInput,
    StudentStatusPayload,
    shown_preview,
)
from schema.students.mutations import evidence_given

_TOLD = ("until", "to_class", "to_major", "counterpart", "document_number")


def _payload(student_id: ObjectId, asked: StatusChangeAsked) -> StatusChange:
    values: dict[str, Any] = {name: getattr(asked, name) for name in (*_TOLD, "status")}
    papers = [key_of(paper, "Scan", field="evidence") for paper in asked.evidence]
    told = {"student_id": student_id, "effective_from": asked.effective_from, "materials": papers}
    return payload_of(
        StatusChange, told | {name: value for name, value in values.items() if value is not None}
    )


@typed_errors(StudentStatusPayload)
async def resolve_student_status_change(
    info: Request,
    input: StudentStatusChangeInput,  # noqa: A002
) -> StudentStatusPayload:
    context = info.context
    student_id = key_of(input.student_id, "Student", field="studentId")
    day = input.effective_from
    asking = Asking(
        reason=input.reason,
        evidence=await evidence_given(info, student_id, input.evidence),
        effective_from=day if day > school_day(context.store.clock.now()) else None,
        is_draft=input.draft,
    )
    operation = operation_of(input.kind).name
    outcome = await perform(
        context.store, context.viewer, operation, _payload(student_id, input), asking=asking
    )
    request = await request_of(info, outcome.change_request_id)
    return StudentStatusPayload(change_request=request, applied=outcome.applied)


@typed_errors(StudentStatusPayload)
async def resolve_student_status_change_revise(
    info: Request,
    input: StudentStatusChangeReviseInput,  # noqa: A002
) -> StudentStatusPayload:
    context = info.context
    key = key_of(input.id, "ChangeRequest", field="id")
    request = await context.loaders.change_requests.load(key)
    if request is None or request.operation not in KIND_OF_OPERATION:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    papers, day = input.evidence, input.effective_from
    values = {name: value for name in _TOLD if (value := getattr(input, name)) is not None}
    if day is not None:
        values["effective_from"] = day
    if papers is not None:
        values["materials"] = [key_of(paper, "Scan", field="evidence") for paper in papers]
    revision = Revision(
        values=values or None,
        evidence=None if papers is None else await evidence_given(info, request.target_id, papers),
        # The day that the request waits for; one that is over cannot be named, and today waits for nothing.
        effective_from=None if day is None else max(day, Day(school_day(context.store.clock.now()))),
        reason=input.reason,
    )
    await revise(context.store, context.viewer, key, revision)
    return StudentStatusPayload(change_request=await context.loaders.change_requests.load(key))


async def resolve_status_change_preview(
    info: Request,
    input: StatusChangeAsked,  # noqa: A002
) -> StatusChangePreview:
    student_id = key_of(input.student_id, "Student", field="studentId")
    await evidence_given(info, student_id, input.evidence)
    payload = _payload(student_id, input)
    return shown_preview(await preview_change(info.context.store, info.context.viewer, input.kind, payload))


async def resolve_status_rules(info: Request) -> StatusRules:
    rules = await rules_in_force(info.context.store)
    return StatusRules(
        version=rules.version,
        effective_from=rules.effective_from,  # type: ignore[arg-type]
        rules=bson_value(rules.rules),
    )


@typed_errors(StatusRulesReplacePayload)
async def resolve_status_rules_replace(
    info: Request,
    input: StatusRulesReplaceInput,  # noqa: A002
) -> StatusRulesReplacePayload:
    differences, request_id = await replace_status_rules(
        info.context.store,
        info.context.viewer,
        rules=rules_given(input.rules),
        effective_from=input.effective_from,
        reason=input.reason,
        dry_run=input.dry_run,
    )
    return StatusRulesReplacePayload(
        differences=[
            StatusRuleDifference(
                is_gained=held.is_gained, pack=held.pack, change=held.change, article=held.article
            )
            for held in differences
        ],
        change_request=await request_of(info, request_id),
    )


@strawberry.type
class StatusChangeQueries:
    """Read of status changes."""

    status_change_preview: StatusChangePreview = strawberry.field(
        resolver=resolve_status_change_preview,
        description="学籍异动预审: whether it is allowed, what is missing, who decides, by when and by which "
        "article; for those who may ask for it.",
    )
    status_rules: StatusRules = strawberry.field(
        resolver=resolve_status_rules, description="学籍异动规则 in effect."
    )


@strawberry.type
class StatusChangeMutations:
    """Asked for of status changes."""

    student_status_change: StudentStatusPayload = strawberry.field(
        resolver=resolve_student_status_change, description="Ask for a change of status (学籍异动)."
    )
    student_status_change_revise: StudentStatusPayload = strawberry.field(
        resolver=resolve_student_status_change_revise,
        description="Change one's own request for a change of status; all signatures are void (补正).",
    )
    status_rules_replace: StatusRulesReplacePayload = strawberry.field(
        resolver=resolve_status_rules_replace,
        description="Ask for new rules of status changes, which the principal decides on.",
    )
