"""Delegations (委托, 代理审批): the holder of a deciding post lets somebody sign in their seat for a time.

A delegate sees what they are asked to sign; a delegation opens nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import StringConstraints
from pymongo import IndexModel

from archive_store.access.viewer import HeldDelegation, Viewer
from archive_store.approvals.documents import Tier
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.rules import POLICY_SECTION
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.terms import in_force_on
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.queries import names_of_people, posts_in_force

F0, F1, F2, F3, F4 = FieldClass
DECIDING_POSTS = frozenset(tier.post for tier in Tier)
LONGEST_DAYS = 90
_TOLD = ("delegate_id", "post", "operations", "valid_from", "valid_to")


class Delegation(Record):
    """From one person to another, for one post, from day to day inclusive; `operations` None for all of them."""

    subject_type: ClassVar[str] = "Delegation"

    delegator_id: Annotated[PydanticObjectId, F0]
    delegator_name: Annotated[str, F0]
    delegate_id: Annotated[PydanticObjectId, F0]
    delegate_name: Annotated[str, F0]
    post: Annotated[Post, F0]
    operations: Annotated[list[str] | None, F0] = None
    valid_from: Annotated[date, F0]
    valid_to: Annotated[date, F0]

    class Settings:
        name = "delegations"
        indexes = [  # noqa: RUF012
            IndexModel([("delegate_id", 1), ("valid_to", 1)]),
            IndexModel([("delegator_id", 1), ("_id", -1)]),
        ]


class DelegationGive(Payload):
    """Payload of `delegation.give`."""

    delegation_id: PydanticObjectId
    delegate_id: PydanticObjectId
    post: Post
    operations: tuple[Annotated[str, StringConstraints(max_length=50)], ...] | None = None
    valid_from: date
    valid_to: date


async def _check_give(store: Store, viewer: Viewer, payload: DelegationGive) -> None:
    if payload.post not in viewer.posts & DECIDING_POSTS:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="post", rule=POLICY_SECTION)
    today = school_day(store.clock.now())
    if payload.valid_from < today or payload.valid_to < payload.valid_from:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="valid_from", rule=POLICY_SECTION)
    if (payload.valid_to - payload.valid_from).days >= LONGEST_DAYS:
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE, field="valid_to", rule=POLICY_SECTION, least=1, most=LONGEST_DAYS
        )
    if unknown := sorted(set(payload.operations or ()) - store.operations.keys()):
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="operations", rule=unknown[0])
    if payload.delegate_id == viewer.person_id:
        raise RegistrarError(ErrorCode.SELF_APPROVAL, field="delegate_id", rule=POLICY_SECTION)
    if await _staff_name(store, payload.delegate_id) is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="delegate_id")


async def _staff_name(store: Store, person_id: ObjectId) -> str | None:
    """The name of somebody who holds a post today; the analysis group reads no single record (§二(一))."""
    posts = (await posts_in_force(store, [person_id], school_day(store.clock.now()))).get(person_id)
    if not posts or posts == {Post.ANALYSIS_GROUP}:
        return None
    return (await names_of_people(store, [person_id])).get(person_id)


async def _give(unit: UnitOfWork, payload: DelegationGive) -> ObjectId:
    assert unit.actor.person_id is not None  # noqa: S101 - only people delegate
    delegation = Delegation(
        id=payload.delegation_id,
        delegator_id=PydanticObjectId(unit.actor.person_id),
        delegator_name=unit.actor.name,
        delegate_id=payload.delegate_id,
        delegate_name=await _staff_name(unit.store, payload.delegate_id) or "",
        post=payload.post,
        operations=None if payload.operations is None else list(payload.operations),
        valid_from=payload.valid_from,
        valid_to=payload.valid_to,
    )
    await unit.insert(delegation)
    changes = [FieldChange(field, None, bson_value(getattr(delegation, field))) for field in _TOLD]
    subject = Subject(Delegation.subject_type, delegation.key)
    unit.audit(subject, "delegation:give", changes)
    unit.notify(delegation.delegate_id, "delegation:given", subject)
    return delegation.key


DELEGATION_GIVE = Operation(
    name="delegation.give",
    record_type=Delegation,
    payload=DelegationGive,
    requesters=DECIDING_POSTS,
    subject=lambda payload: Subject(Delegation.subject_type, payload.delegation_id),
    requested_values=lambda payload: {name: bson_value(getattr(payload, name)) for name in _TOLD},
    fields=lambda payload: frozenset(_TOLD),
    check=_check_give,
    apply=_give,
    applies_at_once=True,
)


class DelegationEnd(Payload):
    """Payload of `delegation.end`: by the delegator, from today on."""

    delegation_id: PydanticObjectId


async def _check_end(store: Store, viewer: Viewer, payload: DelegationEnd) -> None:
    row = await store.database.collection(Delegation).find_one({"_id": payload.delegation_id})
    if row is None or row["delegator_id"] != viewer.person_id:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    if row["valid_to"] < school_day(store.clock.now()).isoformat():
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state="ENDED")


async def _end(unit: UnitOfWork, payload: DelegationEnd) -> ObjectId:
    delegation = await unit.load(Delegation, payload.delegation_id)
    if delegation is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    # Yesterday was its last day: what ends is over at once.
    last = school_day(unit.at) - timedelta(days=1)
    await unit.change(delegation, {"valid_to": last})
    subject = Subject(Delegation.subject_type, delegation.key)
    change = FieldChange("valid_to", bson_value(delegation.valid_to), bson_value(last))
    unit.audit(subject, "delegation:end", [change])
    unit.notify(delegation.delegate_id, "delegation:ended", subject)
    return delegation.key


DELEGATION_END = Operation(
    name="delegation.end",
    record_type=Delegation,
    payload=DelegationEnd,
    requesters=DECIDING_POSTS,
    subject=lambda payload: Subject(Delegation.subject_type, payload.delegation_id),
    requested_values=lambda payload: {},
    fields=lambda payload: frozenset({"valid_to"}),
    check=_check_end,
    apply=_end,
    applies_at_once=True,
)


async def delegations_in_force(store: Store, delegate_id: ObjectId, day: date) -> tuple[HeldDelegation, ...]:
    """Those to the delegate on this day, of delegators who hold the post themselves on it."""
    query = {"delegate_id": delegate_id, **in_force_on(day)}
    rows = await store.database.collection(Delegation).find(query).to_list()
    if not rows or await _staff_name(store, delegate_id) is None:
        return ()
    posts = await posts_in_force(store, {row["delegator_id"] for row in rows}, day)
    held = [
        HeldDelegation(
            row["delegator_id"],
            row["delegator_name"],
            Post(row["post"]),
            None if row["operations"] is None else frozenset(row["operations"]),
            await _concerned(store, row["delegator_id"]),
        )
        for row in rows
        if row["post"] in posts.get(row["delegator_id"], ())
    ]
    return tuple(held)


async def _concerned(store: Store, person_id: ObjectId) -> frozenset[ObjectId]:
    # Named here, not imported: the students' room stands above this one.
    ties = store.database.mongo["students"].find(
        {"$or": [{"person_id": person_id}, {"guardians.person_id": person_id}]}, {"_id": 1}
    )
    return frozenset({person_id, *(row["_id"] for row in await ties.to_list())})


async def list_delegations(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[Delegation]:
    """Those from and to the viewer, newest first, ended ones included."""
    check_page_size(first, store.settings.page_size_limit)
    collection = store.database.collection(Delegation)
    page = await page_of_newest(collection, _of(viewer), {}, first=first, after=after)
    return Page([Delegation.model_validate(row) for row in page.rows], page.has_next)


async def delegations_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[Delegation | None]:
    """In the order of the ids; None of what is neither from nor to the viewer."""
    query = {"_id": {"$in": list(ids)}, **_of(viewer)}
    rows = await store.database.collection(Delegation).find(query).to_list()
    found = {row["_id"]: Delegation.model_validate(row) for row in rows}
    return [found.get(key) for key in ids]


def _of(viewer: Viewer) -> Row:
    return {"$or": [{"delegator_id": viewer.person_id}, {"delegate_id": viewer.person_id}]}
