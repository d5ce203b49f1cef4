"""`admissionCasesMove`: one step for a cohort, each case by itself."""

from __future__ import annotations

from enum import Enum

import strawberry

from archive_store.admission.batches import move_each
from archive_store.admission.rules import AdmissionAction
from schema.admission.queries import AdmissionCaseFilter
from schema.context import Request
from schema.errors import UserError, typed_errors, user_error
from schema.nodes import global_id, key_of


@strawberry.enum(description="A step that a cohort can take together.")
class AdmissionStep(Enum):
    SUBMIT = "SUBMIT"
    REVIEW = "REVIEW"
    ENTER = "ENTER"
    CALL_CONFIRMATION = "CALL_CONFIRMATION"
    CONFIRM = "CONFIRM"


@strawberry.input(description="Input of `admissionCasesMove`: up to 200 cases, by `ids` or by `where`.")
class AdmissionCasesMoveInput:
    step: AdmissionStep = strawberry.field(description="REVIEW finds for each in the viewer's seat.")
    ids: list[strawberry.ID] | None = None
    where: AdmissionCaseFilter | None = strawberry.field(
        default=None, description="Those in the state from which the step goes, from old to new."
    )
    after: strawberry.ID | None = strawberry.field(
        default=None, description="`endCursor` of the call before, with the same `where`."
    )
    comment: str | None = strawberry.field(
        default=None,
        description="Of a review; and how it is known that the students confirmed at school, which must be said.",
    )


@strawberry.type(description="A case that stayed where it was, and why.")
class AdmissionCaseRefused:
    admission_case_id: strawberry.ID
    errors: list[UserError]


@strawberry.type(description="Result of `admissionCasesMove`: every case is in `moved` or in `refused`.")
class AdmissionCasesMovePayload:
    moved: list[strawberry.ID] = strawberry.field(default_factory=list)
    refused: list[AdmissionCaseRefused] = strawberry.field(default_factory=list)
    has_next: bool = strawberry.field(default=False, description="Whether more cases are in that state.")
    end_cursor: strawberry.ID | None = strawberry.field(default=None, description="Where to go on.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@typed_errors(AdmissionCasesMovePayload)
async def resolve_move(
    info: Request,
    input: AdmissionCasesMoveInput,  # noqa: A002
) -> AdmissionCasesMovePayload:
    outcome = await move_each(
        info.context.store,
        info.context.viewer,
        AdmissionAction(input.step.value),
        ids=None
        if input.ids is None
        else [key_of(text, "AdmissionCase", field=f"ids.{place}") for place, text in enumerate(input.ids)],
        where=input.where.to_store() if input.where else None,
        after=None if input.after is None else key_of(input.after, "AdmissionCase", field="after"),
        comment=input.comment,
    )
    return AdmissionCasesMovePayload(
        moved=[strawberry.ID(global_id("AdmissionCase", held)) for held in outcome.done],
        refused=[
            AdmissionCaseRefused(
                admission_case_id=strawberry.ID(global_id("AdmissionCase", held.case_id)),
                errors=[user_error(held.error)],
            )
            for held in outcome.failed
        ],
        has_next=outcome.has_next,
        end_cursor=None if outcome.last is None else strawberry.ID(global_id("AdmissionCase", outcome.last)),
    )
