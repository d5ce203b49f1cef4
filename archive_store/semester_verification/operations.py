"""`verification.confirm`: a record was held to the student and found right. 教基〔2025〕1号 art. 25.

By the homeroom teacher, the information group, and the student or guardian for their own; what was found wrong is in
`reports.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.semester_verification.documents import Capacity, ItemState
from archive_store.semester_verification.rules import (
    ITEMS_LIMIT,
    RULE,
    VERIFIERS,
    is_family,
    readable_fields,
    require_no_mismatch,
    require_open,
)
from archive_store.semester_verification.steps import (
    campaign_in,
    item_operation,
    items_in,
    records_of,
    sayable,
    write_item,
)


class ItemConfirmed(Payload):
    """One item, as what its record is verified, and those of the campaign's fields that may be read of it."""

    item_id: PydanticObjectId
    capacity: Capacity
    fields: tuple[str, ...]


class VerificationConfirm(Payload):
    """Payload of `verification.confirm`, as `confirmation_of` makes it.

    `seen_at` is when the records were read: one that was changed since is refused.
    """

    items: Annotated[tuple[ItemConfirmed, ...], Field(min_length=1, max_length=ITEMS_LIMIT)]
    seen_at: datetime | None = None


def _place(position: int) -> str:
    return f"ids.{position}"


async def confirmation_of(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], seen_at: datetime | None = None
) -> VerificationConfirm:
    """What the viewer would confirm of these items, each once; TOO_MANY, and what `sayable` refuses."""
    ids = list(dict.fromkeys(ids))
    if len(ids) > ITEMS_LIMIT:
        raise RegistrarError(ErrorCode.TOO_MANY, field="ids", limit=ITEMS_LIMIT)
    if not ids:
        raise RegistrarError(ErrorCode.REQUIRED, field="ids", rule=RULE)
    told = await sayable(store, viewer, ids, [_place(position) for position in range(len(ids))])
    items = [
        {
            "item_id": view.id,
            "capacity": capacity,
            "fields": tuple(readable_fields(campaign.fields, view.record.readable)),
        }
        for view, capacity, campaign in told
    ]
    return payload_of(VerificationConfirm, {"items": tuple(items), "seen_at": seen_at})


async def _check_confirm(store: Store, viewer: Viewer, payload: VerificationConfirm) -> None:
    ids = [confirmed.item_id for confirmed in payload.items]
    if payload != await confirmation_of(store, viewer, ids, payload.seen_at):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="ids", rule=RULE)


async def _apply_confirm(unit: UnitOfWork, payload: VerificationConfirm) -> None:
    items = await items_in(unit, [confirmed.item_id for confirmed in payload.items])
    campaigns = {key: await campaign_in(unit, key) for key in sorted({item.campaign_id for item in items})}
    records = await records_of(unit, [item.student_id for item in items])
    for position, (item, confirmed) in enumerate(zip(items, payload.items, strict=True)):
        record = records[item.student_id]
        require_open(campaigns[item.campaign_id].status, _place(position))
        require_no_mismatch(item.state, _place(position))
        if payload.seen_at is not None and record["updated_at"] > payload.seen_at:
            raise RegistrarError(ErrorCode.CONFLICT, field=_place(position), rule=RULE, fields="revision")
        if item.state is ItemState.VERIFIED and item.record_revision == record["revision"]:
            # Somebody was first: their word stands.
            continue
        values = {
            "state": ItemState.VERIFIED,
            "verified_by": unit.actor.person_id,
            "verified_by_name": unit.actor.name,
            "verified_as": confirmed.capacity,
            "verified_at": unit.at,
            "verified_fields": list(confirmed.fields),
            "record_revision": record["revision"],
        }
        await write_item(unit, item, "confirm", values)


VERIFICATION_CONFIRM = item_operation(
    "verification.confirm",
    VerificationConfirm,
    VERIFIERS,
    lambda payload: payload.items[0].item_id,
    _check_confirm,
    _apply_confirm,
    is_family,
)
