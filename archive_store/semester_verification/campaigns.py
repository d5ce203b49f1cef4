"""`verification.open`, `…extend`, `…close` and `…cancel`: a campaign's life. 教基〔2025〕1号 art. 25.

All apply at once: a campaign asks for a look at records and changes none. The director ends one before its day.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.semester_verification.counts import left_of
from archive_store.semester_verification.documents import CampaignStatus, VerificationCampaign
from archive_store.semester_verification.rules import (
    CLOSERS,
    DEFAULT_FIELDS,
    IN_STUDY,
    OPENERS,
    CampaignAction,
    after,
    check_days,
    check_fields,
    semester_of,
)
from archive_store.students.documents import StudentStatus

_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class CampaignPayload(Payload):
    """Payload of whatever is done with one campaign."""

    campaign_id: PydanticObjectId


class VerificationOpen(CampaignPayload):
    """Payload of `verification.open`. Without `grades`, all of them; `fields` are those of the student record."""

    title: _Line
    school_year: Annotated[int, Field(ge=2000, le=2100)]
    term: Annotated[int, Field(ge=1, le=2)]
    opens_on: date
    closes_on: date
    statuses: Annotated[tuple[StudentStatus, ...], Field(min_length=1, max_length=len(StudentStatus))] = (
        IN_STUDY
    )
    grades: Annotated[tuple[_Line, ...], Field(max_length=50)] = ()
    fields: Annotated[tuple[_Line, ...], Field(min_length=1, max_length=60)] = DEFAULT_FIELDS


class VerificationExtend(CampaignPayload):
    """Payload of `verification.extend`: another last day. A campaign that has closed goes on."""

    closes_on: date


async def campaign_by_id(store: Store, campaign_id: ObjectId) -> VerificationCampaign:
    """NOT_FOUND without one."""
    row = await store.database.collection(VerificationCampaign).find_one({"_id": campaign_id})
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    campaign: VerificationCampaign = VerificationCampaign.model_validate(row)
    return campaign


async def _campaign_in(unit: UnitOfWork, campaign_id: ObjectId) -> VerificationCampaign:
    campaign = await unit.load(VerificationCampaign, campaign_id)
    if campaign is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    return campaign


async def write_campaign(
    unit: UnitOfWork, campaign: VerificationCampaign, verb: str, values: Mapping[str, Any]
) -> None:
    """Change the campaign, and say so in its history."""
    await unit.change_told(campaign, values, f"verification:{verb}")


async def _check_open(store: Store, viewer: Viewer, payload: VerificationOpen) -> None:
    check_fields(payload.fields)
    check_days(payload.opens_on, payload.closes_on, school_day(store.clock.now()))


async def _apply_open(unit: UnitOfWork, payload: VerificationOpen) -> ObjectId:
    assert unit.actor.person_id is not None  # noqa: S101 - only people open campaigns
    values = payload.model_dump(exclude={"campaign_id"})
    for name in ("statuses", "grades", "fields"):
        values[name] = list(dict.fromkeys(values[name]))
    campaign = VerificationCampaign(
        id=payload.campaign_id,
        semester=semester_of(payload.school_year, payload.term),
        opened_by=PydanticObjectId(unit.actor.person_id),
        opened_by_name=unit.actor.name,
        **values,
    )
    await unit.insert(campaign)
    changes = [FieldChange(name, None, bson_value(value)) for name, value in values.items()]
    unit.audit(Subject(VerificationCampaign.subject_type, campaign.key), "verification:open", changes)
    return campaign.key


async def _check_extend(store: Store, viewer: Viewer, payload: VerificationExtend) -> None:
    campaign = await campaign_by_id(store, payload.campaign_id)
    after(campaign.status, CampaignAction.EXTEND)
    check_days(campaign.opens_on, payload.closes_on, school_day(store.clock.now()))


async def _apply_extend(unit: UnitOfWork, payload: VerificationExtend) -> ObjectId:
    campaign = await _campaign_in(unit, payload.campaign_id)
    values: dict[str, Any] = {
        "status": after(campaign.status, CampaignAction.EXTEND),
        "closes_on": payload.closes_on,
    }
    if campaign.status is CampaignStatus.CLOSED:
        cleared = ("closed_at", "closed_by_name", "left_pending", "left_mismatches")
        values |= dict.fromkeys(cleared)
    await write_campaign(unit, campaign, "extend", values)
    return campaign.key


async def close_campaign(unit: UnitOfWork, campaign: VerificationCampaign) -> None:
    """What is left is counted as of this transaction, and told to the director."""
    status = after(campaign.status, CampaignAction.CLOSE)
    left = await left_of(unit.store, campaign.key, unit.session)
    values = {
        "status": status,
        "closed_at": unit.at,
        "closed_by_name": unit.actor.name,
        "left_pending": left.pending,
        "left_mismatches": left.mismatch,
    }
    await write_campaign(unit, campaign, "close", values)
    told = "closed_with_left" if left.pending or left.mismatch else "closed"
    for post in sorted({Post.DIRECTOR, Post.INFORMATION_GROUP}):
        unit.notify(post, f"verification:{told}", Subject(VerificationCampaign.subject_type, campaign.key))


def _allowed(action: CampaignAction) -> Callable[[Store, Viewer, Any], Awaitable[None]]:
    async def check(store: Store, viewer: Viewer, payload: CampaignPayload) -> None:
        after((await campaign_by_id(store, payload.campaign_id)).status, action)

    return check


async def _apply_close(unit: UnitOfWork, payload: CampaignPayload) -> ObjectId:
    campaign = await _campaign_in(unit, payload.campaign_id)
    await close_campaign(unit, campaign)
    return campaign.key


async def _check_cancel(store: Store, viewer: Viewer, payload: CampaignPayload) -> None:
    await _allowed(CampaignAction.CANCEL)(store, viewer, payload)


async def _apply_cancel(unit: UnitOfWork, payload: CampaignPayload) -> ObjectId:
    if not unit.reason:
        raise RegistrarError(ErrorCode.REQUIRED, field="reason")
    campaign = await _campaign_in(unit, payload.campaign_id)
    status = after(campaign.status, CampaignAction.CANCEL)
    # Another campaign may take its semester.
    await write_campaign(unit, campaign, "cancel", {"status": status, "semester": None})
    return campaign.key


def _operation(
    name: str,
    payload: type[AnyPayload],
    requesters: frozenset[Post],
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
) -> Operation[AnyPayload]:
    fields = frozenset(payload.model_fields) - {"campaign_id"}
    return Operation(
        name=name,
        record_type=VerificationCampaign,
        payload=payload,
        requesters=requesters,
        subject=lambda asked: Subject(VerificationCampaign.subject_type, asked.campaign_id),  # type: ignore[attr-defined]
        requested_values=lambda asked: {field: bson_value(getattr(asked, field)) for field in fields},
        fields=lambda asked: fields,
        check=check,
        apply=apply,
        applies_at_once=True,
    )


VERIFICATION_OPEN = _operation("verification.open", VerificationOpen, OPENERS, _check_open, _apply_open)
VERIFICATION_EXTEND = _operation(
    "verification.extend", VerificationExtend, CLOSERS, _check_extend, _apply_extend
)
VERIFICATION_CLOSE = _operation(
    "verification.close", CampaignPayload, CLOSERS, _allowed(CampaignAction.CLOSE), _apply_close
)
VERIFICATION_CANCEL = _operation(
    "verification.cancel", CampaignPayload, CLOSERS, _check_cancel, _apply_cancel
)
