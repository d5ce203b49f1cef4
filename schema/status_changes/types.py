"""Inputs of status changes, and what their preview and their rules say."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from archive_store.status_changes.previews import Preview
from schema.approvals.types import ChangeRequest
from schema.enums import StudentStatus, Tier
from schema.errors import UserError
from schema.scalars import Day
from schema.status_changes.enums import StatusChangeKind, StatusRequirement, StatusRulePack


@strawberry.input(description="What is asked of a student's status.")
class StatusChangeAsked:
    student_id: strawberry.ID
    kind: StatusChangeKind
    effective_from: Day = strawberry.field(
        description="The day, in China, from which it holds; a day to come is waited for."
    )
    until: Day | None = strawberry.field(default=None, description="The last day that is planned (期限).")
    to_class: str | None = strawberry.field(
        default=None,
        description="Where the student goes on, of REPEAT and SKIP, and if need be of CHANGE_MAJOR.",
    )
    to_major: str | None = strawberry.field(
        default=None, description="Code of the new major (专业), of CHANGE_MAJOR."
    )
    status: StudentStatus | None = strawberry.field(default=None, description="Of CORRECT: what it was.")
    counterpart: str | None = strawberry.field(default=None, description="The other school of a transfer.")
    document_number: str | None = strawberry.field(
        default=None, description="文号 of the decision that it rests on."
    )
    evidence: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="材料: scans of the student that it rests on."
    )


@strawberry.input(description="Input of `studentStatusChange`.")
class StudentStatusChangeInput(StatusChangeAsked):
    reason: str | None = strawberry.field(
        default=None,
        description="Why, for those who approve and for those who may read of the student's health; a draft may go "
        "without.",
    )
    draft: bool = strawberry.field(
        default=False, description="Keep it as a draft (草稿), shown to nobody else."
    )


@strawberry.input(
    description="Input of `studentStatusChangeRevise`. What is left out stays as it was asked for."
)
class StudentStatusChangeReviseInput:
    id: strawberry.ID = strawberry.field(description="The change request.")
    effective_from: Day | None = None
    until: Day | None = None
    to_class: str | None = None
    to_major: str | None = None
    counterpart: str | None = None
    document_number: str | None = None
    reason: str | None = None
    evidence: list[strawberry.ID] | None = None


@strawberry.type(description="Result of asking for a change of status.")
class StudentStatusPayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="One requirement of a status change, met or not, and where it stands.")
class StatusFinding:
    requirement: StatusRequirement
    is_met: bool
    article: str = strawberry.field(description="The article that asks for it.")
    pack: StatusRulePack | None = strawberry.field(description="Null of what holds everywhere.")
    missing: list[str] = strawberry.field(description="The document types that lack.")


@strawberry.type(description="What a status change would meet, before anything is submitted.")
class StatusChangePreview:
    allowed: bool
    findings: list[StatusFinding]
    tiers: list[Tier] = strawberry.field(description="Who would decide, in order.")
    steps_due_at: list[datetime] = strawberry.field(
        description="Until when each step may wait, each counted in full."
    )
    parties_due_on: Day | None = strawberry.field(
        description="The day by which each party of a transfer has to be done; asked for today."
    )


@strawberry.type(description="学籍异动规则: a version of the rules of status changes.")
class StatusRules:
    version: int
    effective_from: Day
    rules: JSON


@strawberry.type(description="A rule that a replacement gains or loses.")
class StatusRuleDifference:
    is_gained: bool
    pack: StatusRulePack
    change: StatusChangeKind
    article: str


@strawberry.input(description="Input of `statusRulesReplace`.")
class StatusRulesReplaceInput:
    rules: JSON = strawberry.field(description="All rules, in the shape of `statusRules.rules`.")
    effective_from: Day = strawberry.field(description="The day from which they hold, in China.")
    reason: str | None = None
    dry_run: bool = strawberry.field(default=False, description="Only say which rules would be others.")


@strawberry.type(description="Result of `statusRulesReplace`.")
class StatusRulesReplacePayload:
    differences: list[StatusRuleDifference] = strawberry.field(default_factory=list)
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


def shown_preview(preview: Preview) -> StatusChangePreview:
    return StatusChangePreview(
        allowed=preview.is_allowed,
        findings=[
            StatusFinding(
                requirement=held.requirement,
                is_met=held.is_met,
                article=held.article,
                pack=held.pack,
                missing=list(held.missing),
            )
            for held in preview.findings
        ],
        tiers=list(preview.tiers),
        steps_due_at=list(preview.steps_due),
        parties_due_on=preview.parties_due,  # type: ignore[arg-type]
    )
