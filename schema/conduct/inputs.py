"""Inputs of what is asked for about awards (奖励), sanctions (处分) and appeals (申诉)."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from schema.conduct.enums import AppealOutcome, AwardLevel, SanctionKind
from schema.scalars import Day


@strawberry.input(description="Input of `awardRecord`.")
class AwardRecordInput:
    student_id: strawberry.ID
    title: str = strawberry.field(description="奖励名称.")
    level: AwardLevel
    awarded_by: str = strawberry.field(description="颁奖单位.")
    awarded_on: Day
    document_number: str | None = None
    award_reason: str | None = strawberry.field(default=None, description="奖励原因.")
    reason: str = strawberry.field(description="Why it is asked for.")


@strawberry.input(description="Input of `awardRevoke`.")
class AwardRevokeInput:
    id: strawberry.ID
    reason: str


@strawberry.input(
    description="Input of `sanctionImpose`; an expulsion (开除学籍) ends the status from the day of the decision on."
)
class SanctionImposeInput:
    student_id: strawberry.ID
    kind: SanctionKind
    sanction_reason: str = strawberry.field(description="处分原因; kept as a sensitive value.")
    document_number: str
    decided_on: Day
    months: int | None = strawberry.field(default=None, description="处分期限; left out of an expulsion.")
    evidence: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="材料 that an expulsion rests on: scans of the student."
    )
    reason: str = strawberry.field(description="Why it is asked for.")


@strawberry.input(description="Input of `sanctionServe`.")
class SanctionServeInput:
    id: strawberry.ID
    served_on: Day = strawberry.field(description="送达日期: when the decision was received.")
    reason: str


@strawberry.input(description="Input of `sanctionRemove`.")
class SanctionRemoveInput:
    id: strawberry.ID
    reason: str = strawberry.field(description="解除申请.")


@strawberry.input(description="Input of `appealFile`.")
class AppealFileInput:
    sanction_id: strawberry.ID
    grounds: str = strawberry.field(description="申诉理由; kept as a sensitive value.")
    filed_on: Day | None = strawberry.field(
        default=None, description="Today if left out; a day past only of an appeal that came on paper."
    )


@strawberry.input(description="Input of `appealAppoint`: the whole committee.")
class AppealAppointInput:
    id: strawberry.ID
    member_ids: list[strawberry.ID] = strawberry.field(description="Persons of the staff, the chair first.")


@strawberry.input(description="Input of `appealExtend`.")
class AppealExtendInput:
    id: strawberry.ID
    extension_reason: str


@strawberry.input(description="Input of `appealDecide`.")
class AppealDecideInput:
    id: strawberry.ID
    outcome: AppealOutcome
    decision_reason: str
    kind: SanctionKind | None = strawberry.field(
        default=None, description="What a changed sanction becomes; never a heavier one."
    )
    months: int | None = None


@strawberry.input(description="Input of `appealRecordProvincial`.")
class AppealRecordProvincialInput:
    id: strawberry.ID
    provincial_filed_on: Day
    provincial_number: str | None = None


@strawberry.input(description="Input of `appealRecordAnswer`.")
class AppealRecordAnswerInput:
    id: strawberry.ID
    provincial_outcome: AppealOutcome
    provincial_answered_on: Day
    kind: SanctionKind | None = strawberry.field(
        default=None, description="What a changed sanction becomes; never a heavier one."
    )
    months: int | None = None
    reason: str = strawberry.field(description="Why it is asked for, such as the answer's number.")


@strawberry.input(description="Input of `conductPolicyReplace`.")
class ConductPolicyReplaceInput:
    rules: JSON = strawberry.field(description="The whole content, in the shape of `conductPolicy.rules`.")
    effective_from: Day = strawberry.field(description="The day from which it holds, in China.")
    reason: str | None = None
    dry_run: bool = strawberry.field(default=False, description="Only say which rules would change.")
