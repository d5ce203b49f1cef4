"""The credential audit (学历审核) and the decision (毕业审批) in GraphQL."""

from __future__ import annotations

from datetime import datetime

import strawberry
from bson import ObjectId
from strawberry.scalars import JSON

from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError
from schema.graduation.enums import GraduationOutcome, GraduationRequirement
from schema.scalars import Day
from schema.students.types import Student


@strawberry.type(description="One rule of the audit, met or not, and of what the answer was taken.")
class GraduationFinding:
    requirement: GraduationRequirement
    is_met: bool | None = strawberry.field(
        description="Null where it would tell of a sanction (处分) that the viewer may not know of."
    )
    evidence: str | None = strawberry.field(
        description="The status, the months of study, the document types, what of what, the kinds of sanctions. "
        "Null where the viewer does not read what it was taken of."
    )
    article: str
    outcomes: list[GraduationOutcome] = strawberry.field(description="The outcomes that need it.")


@strawberry.type(description="学历审核 of one student.")
class GraduationAudit:
    student_id: strawberry.Private[ObjectId]
    findings: list[GraduationFinding]
    proposed: GraduationOutcome | None = strawberry.field(
        description="The best outcome whose rules are all met; null where there is none, or where `isMet` of one "
        "that it needs is kept back."
    )

    @strawberry.field(description="学籍.")
    async def student(self, info: Request) -> Student | None:
        return await Student.resolve_reference(info, self.student_id)  # type: ignore[return-value]


@strawberry.type(description="毕业批次: a decision that was taken.")
class GraduationBatch:
    id: strawberry.ID
    label: str
    graduates_on: Day
    decided_at: datetime
    rules_version: int
    change_request_id: strawberry.ID | None
    graduated: int = strawberry.field(description="毕业")
    completed: int = strawberry.field(description="结业")
    left_incomplete: int = strawberry.field(description="肄业")


@strawberry.type(description="学历审核规则: a version of the rules of the credential audit.")
class GraduationRules:
    version: int
    effective_from: Day
    rules: JSON


@strawberry.input(description="One student's outcome.")
class GraduationDecisionInput:
    student_id: strawberry.ID
    outcome: GraduationOutcome


@strawberry.input(description="Input of `graduationDecide`: up to 1,000 students, all of them or none.")
class GraduationDecideInput:
    label: str = strawberry.field(description="Such as 2023级毕业.")
    graduates_on: Day = strawberry.field(description="The day, in China, from which it holds.")
    decisions: list[GraduationDecisionInput]
    reason: str


@strawberry.type(description="Result of `graduationDecide`.")
class GraduationDecidePayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input(description="Input of `graduationRulesReplace`.")
class GraduationRulesReplaceInput:
    rules: JSON = strawberry.field(description="All rules, in the shape of `graduationRules.rules`.")
    effective_from: Day = strawberry.field(description="The day from which they hold, in China.")
    reason: str | None = None
    dry_run: bool = strawberry.field(default=False, description="Only say which rules would be others.")


@strawberry.type(description="A rule that a replacement gains or loses.")
class GraduationRuleDifference:
    is_gained: bool
    requirement: GraduationRequirement
    article: str


@strawberry.type(description="Result of `graduationRulesReplace`.")
class GraduationRulesReplacePayload:
    differences: list[GraduationRuleDifference] = strawberry.field(default_factory=list)
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
