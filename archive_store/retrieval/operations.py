"""`retrieval_grant.give`, its sealed twin, and `retrieval_grant.revoke` (policy §三(二): 仅部门负责人及授权人员可调阅).

A person asks for themself; the approval policy says who decides. What a grant opens is the access policy's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints

from archive_store.access.retrieval_grants import RetrievalGrant, Secrecy
from archive_store.access.viewer import PURPOSE_LIMIT, Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import Outcome, perform
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.queries import posts_in_force
from archive_store.students.queries import facts_by_id

RULE = "policy §三(二)"
# §二(一): the analysis group works on aggregates.
ASKERS = frozenset(Post) - {Post.ANALYSIS_GROUP}
REVOKERS = frozenset({Post.DIRECTOR, Post.VICE_PRINCIPAL})

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=PURPOSE_LIMIT)]


class RetrievalGrantGive(Payload):
    """Payload of `retrieval_grant.give` and `…give_sealed`: material of a student, of a document type, or both."""

    grant_id: PydanticObjectId
    grantee_id: PydanticObjectId
    grantee_name: str
    purpose: Text
    student_id: PydanticObjectId | None = None
    document_type: Text | None = None
    days: Annotated[int, Field(ge=1)]
    views: Annotated[int, Field(ge=1)]


async def ask_for_grant(
    store: Store, viewer: Viewer, payload: RetrievalGrantGive, secrecy: Secrecy
) -> Outcome:
    """Ask for a grant; its purpose is the reason that those who decide are told."""
    name = "retrieval_grant.give" if secrecy is Secrecy.SENSITIVE else "retrieval_grant.give_sealed"
    return await perform(store, viewer, name, payload, reason=payload.purpose)


async def _check_give(store: Store, viewer: Viewer, payload: RetrievalGrantGive) -> None:
    if payload.grantee_id != viewer.person_id:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="grantee_id", rule=RULE)
    if payload.student_id is None and payload.document_type is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="student_id", rule=RULE)
    limits = viewer.policy.rules
    for field, value, most in (
        ("days", payload.days, limits.grant_days),
        ("views", payload.views, limits.grant_views),
    ):
        if value > most:
            raise RegistrarError(ErrorCode.OUT_OF_RANGE, field=field, rule=RULE, least=1, most=most)
    if payload.student_id is not None and not await facts_by_id(store, viewer, [payload.student_id]):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")


async def _require_still_on_staff(unit: UnitOfWork, grantee_id: ObjectId) -> None:
    """WRONG_STATE where the grantee, who asked a while ago, by now holds no post that may ask."""
    posts = await posts_in_force(unit.store, {grantee_id}, school_day(unit.at), unit.session)
    if ASKERS.isdisjoint(posts.get(grantee_id, ())):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="grantee_id", rule=RULE, state="POST_ENDED")


async def _give(unit: UnitOfWork, payload: RetrievalGrantGive, secrecy: Secrecy) -> ObjectId:
    await _require_still_on_staff(unit, payload.grantee_id)
    grant = RetrievalGrant(
        id=payload.grant_id,
        grantee_id=payload.grantee_id,
        grantee_name=payload.grantee_name,
        secrecy=secrecy,
        purpose=payload.purpose,
        student_id=payload.student_id,
        document_type=payload.document_type,
        # From the last approval on, so that waiting for it costs nothing.
        expires_at=unit.at + timedelta(days=payload.days),
        views_allowed=payload.views,
    )
    await unit.insert(grant)
    told = ("grantee_id", "secrecy", "purpose", "student_id", "document_type", "expires_at", "views_allowed")
    changes = [FieldChange(field, None, bson_value(getattr(grant, field))) for field in told]
    subject = Subject(RetrievalGrant.subject_type, grant.key)
    unit.audit(subject, "retrieval_grant:give", changes)
    unit.notify(grant.grantee_id, "retrieval_grant:given", subject)
    return grant.key


async def _give_sensitive(unit: UnitOfWork, payload: RetrievalGrantGive) -> ObjectId:
    return await _give(unit, payload, Secrecy.SENSITIVE)


async def _give_sealed(unit: UnitOfWork, payload: RetrievalGrantGive) -> ObjectId:
    return await _give(unit, payload, Secrecy.SEALED)


_STORED_AS = {"days": "expires_at", "views": "views_allowed"}


def _asked(payload: RetrievalGrantGive) -> dict[str, object]:
    """What is asked for, by the grant's fields; `expires_at` as the days that it shall last."""
    names = ("purpose", "student_id", "document_type", "days", "views")
    return {_STORED_AS.get(name, name): bson_value(getattr(payload, name)) for name in names}


def _giving(
    name: str, apply: Callable[[UnitOfWork, RetrievalGrantGive], Awaitable[ObjectId]]
) -> Operation[RetrievalGrantGive]:
    return Operation(
        name=name,
        record_type=RetrievalGrant,
        payload=RetrievalGrantGive,
        requesters=ASKERS,
        subject=lambda payload: Subject(RetrievalGrant.subject_type, payload.grant_id),
        requested_values=_asked,
        fields=lambda payload: frozenset(_asked(payload)),
        concerns=lambda payload: frozenset({payload.student_id} if payload.student_id else ()),
        check=_check_give,
        apply=apply,
    )


RETRIEVAL_GRANT_GIVE = _giving("retrieval_grant.give", _give_sensitive)
RETRIEVAL_GRANT_GIVE_SEALED = _giving("retrieval_grant.give_sealed", _give_sealed)


class RetrievalGrantRevoke(Payload):
    """Payload of `retrieval_grant.revoke`."""

    grant_id: PydanticObjectId


async def _check_revoke(store: Store, viewer: Viewer, payload: RetrievalGrantRevoke) -> None:
    row = await store.database.collection(RetrievalGrant).find_one(
        {"_id": payload.grant_id}, {"expires_at": 1}
    )
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    if row["expires_at"] <= store.clock.now():
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="EXPIRED")


async def _revoke(unit: UnitOfWork, payload: RetrievalGrantRevoke) -> ObjectId:
    grant = await unit.load(RetrievalGrant, payload.grant_id)
    if grant is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    await unit.change(grant, {"expires_at": unit.at})
    subject = Subject(RetrievalGrant.subject_type, grant.key)
    unit.audit(subject, "retrieval_grant:revoke", [FieldChange("expires_at", grant.expires_at, unit.at)])
    unit.notify(grant.grantee_id, "retrieval_grant:revoked", subject)
    return grant.key


RETRIEVAL_GRANT_REVOKE = Operation(
    name="retrieval_grant.revoke",
    record_type=RetrievalGrant,
    payload=RetrievalGrantRevoke,
    requesters=REVOKERS,
    subject=lambda payload: Subject(RetrievalGrant.subject_type, payload.grant_id),
    requested_values=lambda payload: {},
    fields=lambda payload: frozenset({"expires_at"}),
    check=_check_revoke,
    apply=_revoke,
)
