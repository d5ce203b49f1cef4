"""Homeroom periods (班主任任期): `homeroom.assign` and `homeroom.end`.

A period is a role grant of the post TEACHER that names the class, so that what access goes by and what the structure
shows are one. It is given by `role_grant.give`'s rules; ending it takes a right away, so that applies at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.organisation.documents import SchoolClass
from archive_store.organisation.names import class_lock
from archive_store.organisation.rules import check_homeroom, is_closed, is_empty
from archive_store.organisation.steps import Line
from archive_store.people.documents import GrantKind, Person, RoleGrant
from archive_store.people.operations import ROLE_GRANT_GIVE, RoleGrantGive

_ONE_DAY = timedelta(days=1)


class HomeroomAssign(Payload):
    """Payload of `homeroom.assign`: as of a role grant. Days in China, `valid_to` inclusive; who acts needs one."""

    person_id: PydanticObjectId
    class_name: Line
    kind: GrantKind = GrantKind.PRIMARY
    valid_from: date
    valid_to: date | None = None
    qualified: bool
    confidentiality_undertaken: bool

    @property
    def grant(self) -> RoleGrantGive:
        """What it gives."""
        given = self.model_dump(exclude={"class_name"})
        return RoleGrantGive(post=Post.TEACHER, homeroom_class_names=(self.class_name,), **given)


class HomeroomEnd(Payload):
    """Payload of `homeroom.end`. `last_day` may be yesterday, which ends the right at once, or a day to come."""

    person_id: PydanticObjectId
    class_name: Line
    last_day: date


async def homeroom_grants(
    store: Store, class_names: list[str], session: AsyncClientSession | None = None
) -> list[RoleGrant]:
    """The role grants of homeroom teachers that name one of the classes, in order of their first day."""
    query = {"post": Post.TEACHER.value, "homeroom_class_names": {"$in": class_names}}
    rows = store.database.collection(RoleGrant).find(query, session=session)
    found = [RoleGrant.model_validate(row) async for row in rows.sort([("valid_from", 1), ("_id", 1)])]
    return [grant for grant in found if not is_empty(grant)]


async def _require_free(
    store: Store, payload: HomeroomAssign, session: AsyncClientSession | None = None
) -> None:
    """NOT_FOUND without the class, WRONG_STATE of one closed before it ends, SEAT_TAKEN beside another."""
    row = await store.database.collection(SchoolClass).find_one({"name": payload.class_name}, session=session)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="class_name")
    if is_closed(SchoolClass.model_validate(row), payload.valid_to or date.max):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="class_name", state="CLOSED")
    candidate = RoleGrant(**payload.grant.model_dump())
    check_homeroom(candidate, await homeroom_grants(store, [payload.class_name], session))


async def _check_assign(store: Store, viewer: Viewer, payload: HomeroomAssign) -> None:
    await ROLE_GRANT_GIVE.check(store, viewer, payload.grant)
    await _require_free(store, payload)


async def _assign(unit: UnitOfWork, payload: HomeroomAssign) -> ObjectId:
    await class_lock(unit, payload.class_name)
    await _require_free(unit.store, payload, unit.session)
    key: ObjectId = await ROLE_GRANT_GIVE.apply(unit, payload.grant)
    return key


async def _excluded_posts(store: Store, payload: HomeroomAssign) -> frozenset[Post]:
    return await ROLE_GRANT_GIVE.excluded_posts(store, payload.grant)


def _running(payload: HomeroomEnd) -> Row:
    """Periods of the person that go on after the last day."""
    return {
        "person_id": payload.person_id,
        "post": Post.TEACHER.value,
        "homeroom_class_names": payload.class_name,
        "$or": [{"valid_to": None}, {"valid_to": {"$gt": payload.last_day.isoformat()}}],
    }


async def _check_end(store: Store, viewer: Viewer, payload: HomeroomEnd) -> None:
    """NOT_FOUND without a period that goes on after the day; INVALID_DATE for one before yesterday.

    What was read by the right until now was read by right.
    """
    if payload.last_day < school_day(store.clock.now()) - _ONE_DAY:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="last_day")
    if await store.database.collection(RoleGrant).find_one(_running(payload), {"_id": 1}) is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="person_id")


async def _end(unit: UnitOfWork, payload: HomeroomEnd) -> ObjectId:
    rows = unit.store.database.collection(RoleGrant).find(_running(payload), {"_id": 1}, session=unit.session)
    keys = [row["_id"] for row in await rows.to_list()]
    if not keys:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="person_id")
    for key in keys:
        grant = await unit.load(RoleGrant, key)
        assert grant is not None  # noqa: S101 - found in this transaction
        await _end_in(unit, grant, payload)
    unit.notify(payload.person_id, "role_grant:ended", Subject(RoleGrant.subject_type, keys[0]))
    first: ObjectId = keys[0]
    return first


async def _end_in(unit: UnitOfWork, grant: RoleGrant, payload: HomeroomEnd) -> None:
    """End the grant; what else it gives goes on in another one from the day after."""
    # A period to come ends before it begins.
    last_day = max(payload.last_day, grant.valid_from - _ONE_DAY)
    left = [name for name in grant.homeroom_class_names if name != payload.class_name]
    await unit.change(grant, {"valid_to": last_day})
    ended = FieldChange("valid_to", bson_value(grant.valid_to), bson_value(last_day))
    unit.audit(Subject(RoleGrant.subject_type, grant.key), "role_grant:end", [ended])
    if not left and not grant.class_names:
        return
    values: dict[str, Any] = grant.model_dump(
        exclude={"id", "revision", "revision_id", "created_at", "updated_at"}
    )
    values |= {"homeroom_class_names": left, "valid_from": last_day + _ONE_DAY}
    successor = RoleGrant(**values)
    await unit.insert(successor)
    changes = [FieldChange(name, None, bson_value(value)) for name, value in values.items()]
    unit.audit(Subject(RoleGrant.subject_type, successor.key), "role_grant:continue", changes)


def _requested(payload: HomeroomAssign) -> Mapping[str, Any]:
    return ROLE_GRANT_GIVE.requested_values(payload.grant)


HOMEROOM_ASSIGN = Operation(
    name="homeroom.assign",
    record_type=RoleGrant,
    payload=HomeroomAssign,
    requesters=ROLE_GRANT_GIVE.requesters,
    subject=lambda payload: Subject(Person.subject_type, payload.person_id),
    requested_values=_requested,
    fields=lambda payload: frozenset(_requested(payload)),
    check=_check_assign,
    apply=_assign,
    excluded_posts=_excluded_posts,
)
HOMEROOM_END = Operation(
    name="homeroom.end",
    record_type=RoleGrant,
    payload=HomeroomEnd,
    requesters=ROLE_GRANT_GIVE.requesters,
    subject=lambda payload: Subject(Person.subject_type, payload.person_id),
    requested_values=lambda payload: {"valid_to": bson_value(payload.last_day)},
    fields=lambda payload: frozenset({"valid_to"}),
    check=_check_end,
    apply=_end,
)
