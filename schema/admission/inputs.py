"""Input of the admission mutations."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from schema.admission.enums import SchoolStage
from schema.scalars import Day
from schema.students.inputs import StudentChangesInput


@strawberry.input(description="A candidate.")
class AdmissionApplicantInput:
    reference: str | None = strawberry.field(
        default=None,
        description="The source's own key, such as 报名号; its case is changed by what comes again.",
    )
    applicant: StudentChangesInput = strawberry.field(
        description="What is known of them, by field of a record."
    )


@strawberry.input(description="Input of `admissionSupply`: all of them are taken, or none.")
class AdmissionSupplyInput:
    stage: SchoolStage
    cohort: int = strawberry.field(description="级, the year of entrance.")
    batch: str | None = strawberry.field(default=None, description="批次.")
    origin: str | None = strawberry.field(default=None, description="Where they come from, in a word.")
    applicants: list[AdmissionApplicantInput] = strawberry.field(description="Up to 200.")


@strawberry.input(description="Names an admission case.")
class AdmissionCaseInput:
    id: strawberry.ID


@strawberry.input(description="Input of `admissionCaseAmend`.")
class AdmissionCaseAmendInput:
    id: strawberry.ID
    applicant: StudentChangesInput


@strawberry.input(description="Input of `admissionCaseAddEvidence`.")
class AdmissionCaseAddEvidenceInput:
    id: strawberry.ID
    scan_ids: list[strawberry.ID] = strawberry.field(description="Scans filed under the case's `studentId`.")


@strawberry.input(description="Input of `admissionCaseReview`.")
class AdmissionCaseReviewInput:
    id: strawberry.ID
    passed: bool = strawberry.field(description="Whether the conditions of admission are met.")
    comment: str | None = strawberry.field(
        default=None, description="意见; it must be given where they are not."
    )
    digest: str | None = strawberry.field(
        default=None, description="`reviewDigest` as it was read: anything else is refused as a conflict."
    )


@strawberry.input(description="Input of `admissionCaseConfirm`.")
class AdmissionCaseConfirmInput:
    id: strawberry.ID
    fields: list[str] | None = strawberry.field(
        default=None, description="Some fields only; all if left out."
    )
    said_by: str | None = strawberry.field(
        default=None, description="Who said it at school, where a member of staff writes it down (到校确认)."
    )
    revision: int | None = strawberry.field(
        default=None, description="`Student.revision` as they saw it: a record changed since is refused."
    )


@strawberry.input(description="An objection to one field.")
class AdmissionObjectionInput:
    field: str
    statement: str = strawberry.field(description="What is wrong with it.")
    proposed: StudentChangesInput | None = strawberry.field(
        default=None, description="What it should say: this one field."
    )


@strawberry.input(description="Input of `admissionCaseObject`.")
class AdmissionCaseObjectInput:
    id: strawberry.ID
    objections: list[AdmissionObjectionInput]
    said_by: str | None = strawberry.field(
        default=None, description="Who said it at school, where a member of staff writes it down."
    )
    revision: int | None = None


@strawberry.input(description="The answer to the open objection to a field.")
class AdmissionAnswerInput:
    field: str
    is_corrected: bool = strawberry.field(description="`changes` corrects the field; else it stands.")
    answer: str | None = strawberry.field(default=None, description="Why it stands.")


@strawberry.input(description="Input of `admissionCaseCorrect`: every open objection is answered.")
class AdmissionCaseCorrectInput:
    id: strawberry.ID
    changes: StudentChangesInput | None = None
    answers: list[AdmissionAnswerInput]
    reason: str


@strawberry.input(description="Input of `admissionPolicyReplace`.")
class AdmissionPolicyReplaceInput:
    rules: JSON = strawberry.field(description="The whole content, in the shape of `admissionPolicy.rules`.")
    effective_from: Day = strawberry.field(description="The day from which it holds, in China.")
    reason: str | None = None
    dry_run: bool = strawberry.field(
        default=False, description="Only say which papers would be asked for, and no longer."
    )
