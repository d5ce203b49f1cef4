"""What every operation on verification items shares: loading them, and writing one with its history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.semester_verification.campaigns import campaign_by_id
from archive_store.semester_verification.documents import (
    ROLL,
    Capacity,
    VerificationCampaign,
    VerificationItem,
)
from archive_store.semester_verification.queries import ItemView, items_by_id
from archive_store.semester_verification.rules import RULE, capacity_of, require_no_mismatch, require_open
from archive_store.students.documents import Student


async def visible_item(store: Store, viewer: Viewer, item_id: ObjectId) -> ItemView:
    """NOT_FOUND out of sight."""
    (view,) = await items_by_id(store, viewer, [item_id])
    if view is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    return view


async def _campaigns(store: Store, views: list[ItemView]) -> Mapping[ObjectId, VerificationCampaign]:
    keys = {view.row["campaign_id"] for view in views}
    return {key: await campaign_by_id(store, key) for key in sorted(keys)}


async def sayable(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], places: Sequence[str]
) -> list[tuple[ItemView, Capacity, VerificationCampaign]]:
    """Each item with the viewer's capacity; NOT_FOUND out of sight, FORBIDDEN to others, WRONG_STATE."""
    views = await items_by_id(store, viewer, ids)
    campaigns = await _campaigns(store, [view for view in views if view is not None])
    told = []
    for view, place in zip(views, places, strict=True):
        if view is None:
            raise RegistrarError(ErrorCode.NOT_FOUND, field=place)
        capacity = capacity_of(viewer, view.student_id, view.class_name)
        if capacity is None:
            raise RegistrarError(ErrorCode.FORBIDDEN, field=place, rule=RULE)
        campaign = campaigns[view.row["campaign_id"]]
        require_open(campaign.status, place)
        require_no_mismatch(view.state, place)
        told.append((view, capacity, campaign))
    return told


async def items_in(unit: UnitOfWork, ids: Sequence[ObjectId]) -> list[VerificationItem]:
    """The whole items as of this transaction, in the order of the ids; new ones where nobody has said a word."""
    query, database = {"_id": {"$in": list(ids)}}, unit.store.database
    listed = await database.mongo[ROLL].find(query, session=unit.session).to_list()
    found = {
        row["_id"]: VerificationItem(
            id=row["_id"], campaign_id=row["campaign_id"], student_id=row["student_id"]
        )
        for row in listed
    }
    rows = database.collection(VerificationItem).find(query, session=unit.session)
    for row in await rows.to_list():
        found[row["_id"]] = await unit.decrypted(VerificationItem, row)
    if missing := [key for key in ids if key not in found]:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=f"ids.{list(ids).index(missing[0])}")
    return [found[key] for key in ids]


async def item_in(unit: UnitOfWork, item_id: ObjectId) -> VerificationItem:
    try:
        (item,) = await items_in(unit, [item_id])
    except RegistrarError as error:
        error.field = "id"
        raise
    return item


async def campaign_in(unit: UnitOfWork, campaign_id: ObjectId) -> VerificationCampaign:
    campaign = await unit.load(VerificationCampaign, campaign_id)
    if campaign is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    return campaign


async def records_of(unit: UnitOfWork, student_ids: Sequence[ObjectId]) -> Mapping[ObjectId, Row]:
    rows = unit.store.database.collection(Student).find(
        {"_id": {"$in": list(student_ids)}}, {"revision": 1, "updated_at": 1}, session=unit.session
    )
    return {row["_id"]: row for row in await rows.to_list()}


async def write_item(
    unit: UnitOfWork, item: VerificationItem, verb: str, values: Mapping[str, Any]
) -> Subject:
    """Change the item, or begin it, and say so in its history; its subject, to notify about."""
    if "state" in values:
        # First: of two who say something at once, the second waits here and then reads what the first has said.
        said = {"$set": {"state": bson_value(values["state"]), "is_said": True}}
        roll = unit.store.database.mongo[ROLL]
        await roll.update_one({"_id": item.key}, said, session=unit.session)  # house-rule: beside the item
    if item.created_at is None:
        await unit.insert(item.model_copy(update=dict(values)))
    else:
        await unit.change(item, values)
    changes = [
        FieldChange(name, before, after)
        for name, value in values.items()
        if (before := bson_value(getattr(item, name))) != (after := bson_value(value))
    ]
    subject = Subject(VerificationItem.subject_type, item.key)
    unit.audit(subject, f"verification_item:{verb}", changes)
    return subject


def item_operation(
    name: str,
    payload: type[AnyPayload],
    requesters: frozenset[Post],
    first_item: Callable[[AnyPayload], ObjectId],
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[Any]],
    also_open_to: Callable[[Viewer], bool] = lambda viewer: False,
) -> Operation[AnyPayload]:
    """An operation on items that applies at once."""
    fields = frozenset(payload.model_fields) - {"item_id", "item_ids"}
    return Operation(
        name=name,
        record_type=VerificationItem,
        payload=payload,
        requesters=requesters,
        subject=lambda asked: Subject(VerificationItem.subject_type, first_item(asked)),
        requested_values=lambda asked: {field: bson_value(getattr(asked, field)) for field in fields},
        fields=lambda asked: fields,
        check=check,
        apply=apply,
        applies_at_once=True,
        also_open_to=also_open_to,
    )
