"""What is done with campaigns of semester verification (学期核验) and with the records in them."""

from __future__ import annotations

from datetime import date, datetime

import strawberry
from bson import ObjectId

from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.semester_verification.campaigns import (
    CampaignPayload,
    VerificationExtend,
    VerificationOpen,
)
from archive_store.semester_verification.corrections import VerificationSettle, request_correction
from archive_store.semester_verification.operations import confirmation_of
from archive_store.semester_verification.reports import (
    VerificationReportMismatch,
    capacity_for,
    report_mismatch,
)
from schema.context import Request
from schema.enums import StudentStatus
from schema.errors import UserError, snake_case, typed_errors
from schema.nodes import key_of
from schema.scalars import Day
from schema.semester_verification.enums import VerificationMismatchKind
from schema.semester_verification.types import VerificationCampaign, VerificationItem


@strawberry.input(description="Input of `verificationOpen`.")
class VerificationOpenInput:
    title: str
    school_year: int = strawberry.field(description="The year in which the school year (学年) begins.")
    term: int = strawberry.field(description="学期, 1 or 2.")
    opens_on: Day = strawberry.field(description="The day on which its students are listed and it begins.")
    closes_on: Day = strawberry.field(description="The last day, inclusive.")
    statuses: list[StudentStatus] | None = strawberry.field(
        default=None,
        description="学籍状态 of those who are verified; whoever is in study (在籍) if left out.",
    )
    grades: list[str] | None = strawberry.field(default=None, description="年级; all if left out.")
    fields: list[str] | None = strawberry.field(
        default=None, description="Fields of the record, such as `birthDate`; the usual ones if left out."
    )


@strawberry.input(description="Input of `verificationExtend`.")
class VerificationExtendInput:
    id: strawberry.ID
    closes_on: Day = strawberry.field(description="The new last day, inclusive.")
    reason: str | None = None


@strawberry.input(description="Input of `verificationClose`.")
class VerificationCloseInput:
    id: strawberry.ID
    reason: str | None = None


@strawberry.input(description="Input of `verificationCancel`.")
class VerificationCancelInput:
    id: strawberry.ID
    reason: str


@strawberry.input(description="Input of `verificationConfirm`.")
class VerificationConfirmInput:
    ids: list[strawberry.ID] = strawberry.field(description="Items, 100 at most; all of them or none.")
    seen_at: datetime | None = strawberry.field(
        default=None, description="When the records were read: one that was changed since is refused."
    )


@strawberry.input(description="A field of the record, and what was found to be right.")
class VerificationFoundInput:
    field: str
    found: str = strawberry.field(description="As text: a day as 2011-05-03, a code as its table has it.")


@strawberry.input(description="Input of `verificationReportMismatch`.")
class VerificationReportMismatchInput:
    id: strawberry.ID
    kind: VerificationMismatchKind = VerificationMismatchKind.VALUES
    fields: list[VerificationFoundInput] = strawberry.field(
        default_factory=list, description="Given for `VALUES`, and only then."
    )
    note: str | None = strawberry.field(default=None, description="Kept as a sensitive value.")


@strawberry.input(description="Input of `verificationRequestCorrection`.")
class VerificationRequestCorrectionInput:
    id: strawberry.ID


@strawberry.input(description="Input of `verificationSettle`.")
class VerificationSettleInput:
    id: strawberry.ID
    is_resolved: bool = strawberry.field(
        description="Whether it is handled; else it is to be verified again."
    )
    answer: str = strawberry.field(description="For the reporter; kept as a sensitive value.")


@strawberry.type(description="Result of whatever is done with a campaign.")
class VerificationCampaignPayload:
    verification_campaign: VerificationCampaign | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of whatever is done with an item.")
class VerificationItemPayload:
    verification_item: VerificationItem | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `verificationConfirm`: the items in the order of the ids.")
class VerificationConfirmPayload:
    verification_items: list[VerificationItem] = strawberry.field(default_factory=list)
    errors: list[UserError] = strawberry.field(default_factory=list)


def _item_key(text: strawberry.ID, field: str = "id") -> ObjectId:
    return key_of(text, "VerificationItem", field=field)


async def _campaign(
    info: Request, name: str, key: ObjectId, payload: Payload, reason: str | None = None
) -> VerificationCampaignPayload:
    context = info.context
    await perform(context.store, context.viewer, name, payload, reason=reason)
    campaign = await context.loaders.verification_campaigns.load(key)
    return VerificationCampaignPayload(verification_campaign=campaign)


async def _item(info: Request, key: ObjectId) -> VerificationItemPayload:
    item = await info.context.loaders.verification_items.load(key)
    return VerificationItemPayload(verification_item=item)  # type: ignore[arg-type]


@typed_errors(VerificationCampaignPayload)
async def resolve_open(info: Request, input: VerificationOpenInput) -> VerificationCampaignPayload:  # noqa: A002
    key = ObjectId()
    told = {name: value for name, value in vars(input).items() if value is not None}
    if input.fields is not None:
        told["fields"] = [snake_case(name) for name in input.fields]
    payload = payload_of(VerificationOpen, {"campaign_id": key, **told})
    return await _campaign(info, "verification.open", key, payload)


@typed_errors(VerificationCampaignPayload)
async def resolve_extend(info: Request, input: VerificationExtendInput) -> VerificationCampaignPayload:  # noqa: A002
    key = key_of(input.id, "VerificationCampaign", field="id")
    day: date = input.closes_on
    payload = VerificationExtend(campaign_id=key, closes_on=day)
    return await _campaign(info, "verification.extend", key, payload, input.reason)


@typed_errors(VerificationCampaignPayload)
async def resolve_close(info: Request, input: VerificationCloseInput) -> VerificationCampaignPayload:  # noqa: A002
    key = key_of(input.id, "VerificationCampaign", field="id")
    payload = CampaignPayload(campaign_id=key)
    return await _campaign(info, "verification.close", key, payload, input.reason)


@typed_errors(VerificationCampaignPayload)
async def resolve_cancel(info: Request, input: VerificationCancelInput) -> VerificationCampaignPayload:  # noqa: A002
    key = key_of(input.id, "VerificationCampaign", field="id")
    payload = CampaignPayload(campaign_id=key)
    return await _campaign(info, "verification.cancel", key, payload, input.reason)


@typed_errors(VerificationConfirmPayload)
async def resolve_confirm(info: Request, input: VerificationConfirmInput) -> VerificationConfirmPayload:  # noqa: A002
    context = info.context
    ids = [_item_key(text, f"ids.{place}") for place, text in enumerate(input.ids)]
    payload = await confirmation_of(context.store, context.viewer, ids, input.seen_at)
    await perform(context.store, context.viewer, "verification.confirm", payload)
    items = await context.loaders.verification_items.load_many(ids)
    return VerificationConfirmPayload(verification_items=[item for item in items if item])  # type: ignore[misc]


@typed_errors(VerificationItemPayload)
async def resolve_report_mismatch(
    info: Request,
    input: VerificationReportMismatchInput,  # noqa: A002
) -> VerificationItemPayload:
    context, key = info.context, _item_key(input.id)
    values = {
        "item_id": key,
        "capacity": await capacity_for(context.store, context.viewer, key),
        "kind": input.kind,
        "fields": tuple({"field": snake_case(told.field), "found": told.found} for told in input.fields),
        "note": input.note,
    }
    payload = payload_of(VerificationReportMismatch, values, long_texts=frozenset({"note"}))
    await report_mismatch(context.store, context.viewer, payload)
    return await _item(info, key)


@typed_errors(VerificationItemPayload)
async def resolve_request_correction(
    info: Request,
    input: VerificationRequestCorrectionInput,  # noqa: A002
) -> VerificationItemPayload:
    key = _item_key(input.id)
    await request_correction(info.context.store, info.context.viewer, key)
    return await _item(info, key)


@typed_errors(VerificationItemPayload)
async def resolve_settle(info: Request, input: VerificationSettleInput) -> VerificationItemPayload:  # noqa: A002
    context, key = info.context, _item_key(input.id)
    values = {"item_id": key, "is_resolved": input.is_resolved, "answer": input.answer}
    payload = payload_of(VerificationSettle, values, long_texts=frozenset({"answer"}))
    await perform(context.store, context.viewer, "verification.settle", payload)
    return await _item(info, key)


@strawberry.type
class VerificationMutations:
    """Asked for of semester verification."""

    verification_open: VerificationCampaignPayload = strawberry.field(
        resolver=resolve_open, description="Open a campaign, one a semester (发起学期核验)."
    )
    verification_extend: VerificationCampaignPayload = strawberry.field(
        resolver=resolve_extend, description="Another last day; what has closed goes on (延期)."
    )
    verification_close: VerificationCampaignPayload = strawberry.field(
        resolver=resolve_close, description="Close it before its last day is over (结束)."
    )
    verification_cancel: VerificationCampaignPayload = strawberry.field(
        resolver=resolve_cancel, description="Cancel it; another may take its semester (取消)."
    )
    verification_confirm: VerificationConfirmPayload = strawberry.field(
        resolver=resolve_confirm, description="These records are right (确认无误)."
    )
    verification_report_mismatch: VerificationItemPayload = strawberry.field(
        resolver=resolve_report_mismatch,
        description="This record is wrong; the information group's report becomes a change request (报告不符).",
    )
    verification_request_correction: VerificationItemPayload = strawberry.field(
        resolver=resolve_request_correction,
        description="Ask for the change that was reported, as a change request of one's own (转为变更申请).",
    )
    verification_settle: VerificationItemPayload = strawberry.field(
        resolver=resolve_settle, description="End a mismatch in another way, with an answer (办结或退回)."
    )
