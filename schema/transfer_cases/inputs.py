"""What is given to the operations on transfer cases (转学办理), and what they answer."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from schema.approvals.types import ChangeRequest
from schema.errors import UserError
from schema.scalars import Day
from schema.transfer_cases.enums import CaseDirection, CaseRoute, StepOutcome, TransferReason
from schema.transfer_cases.types import TransferCase


@strawberry.type(description="转学办理规则: a version of the routes.")
class TransferRules:
    version: int
    effective_from: Day
    rules: JSON


@strawberry.input(
    description="Input of `transferCaseOpen`. Who comes is named, or is a student who was here before."
)
class TransferCaseOpenInput:
    direction: CaseDirection
    route: CaseRoute
    student_id: strawberry.ID | None = None
    applicant_name: str | None = None
    birth_date: Day | None = None
    other_school: str
    other_school_code: str | None = None
    applied_on: Day
    reason_kind: TransferReason
    reason_text: str | None = None


@strawberry.input(description="Input of `transferCaseRecordStep`: the answer to the step that is awaited.")
class TransferCaseRecordStepInput:
    id: strawberry.ID
    step: int = strawberry.field(
        description="The place of the step in `steps`, from 0; refused where another one is awaited."
    )
    outcome: StepOutcome
    done_on: Day
    ground: str | None = strawberry.field(default=None, description="Of a refusal (不同意的理由).")
    evidence: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Filed scans, of our own leave to go (材料)."
    )
    document_number: str | None = strawberry.field(default=None, description="文号, of our own leave to go.")
    reason: str | None = strawberry.field(default=None, description="Of what is signed.")


@strawberry.input(description="Input of `transferCaseWithdraw`.")
class TransferCaseWithdrawInput:
    id: strawberry.ID
    reason: str | None = strawberry.field(
        default=None, description="Needed of the office, not of the family."
    )


@strawberry.input(description="Input of `transferCaseClose`.")
class TransferCaseCloseInput:
    id: strawberry.ID
    student_id: strawberry.ID | None = strawberry.field(
        default=None, description="The record of who came, where the case does not name it."
    )


@strawberry.type(description="Result of whatever is done with a transfer case.")
class TransferCasePayload:
    transfer_case: TransferCase | None = None
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input(description="Input of `transferRulesReplace`.")
class TransferRulesReplaceInput:
    rules: JSON = strawberry.field(description="All routes, in the shape of `transferRules.rules`.")
    effective_from: Day = strawberry.field(description="The day from which they hold, in China.")
    reason: str | None = None
    dry_run: bool = strawberry.field(default=False, description="Only say which routes would be others.")


@strawberry.type(description="Result of `transferRulesReplace`.")
class TransferRulesReplacePayload:
    changed_routes: list[CaseRoute] = strawberry.field(default_factory=list)
    change_request: ChangeRequest | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
