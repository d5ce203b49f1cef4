"""What every operation on an admission case shares: loading it, moving it on, and telling whose move it is."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import AdmissionCase, AdmissionPolicy, default_policy
from archive_store.admission.rules import (
    AdmissionAction,
    awaited_posts,
    is_family,
    posts_for,
    require_state,
    signed_content,
)
from archive_store.admission.sight import visible_cases
from archive_store.approvals.operation import AnyPayload, Operation, Payload, nobody_else
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.foundation.versioned import newest_version


class CasePayload(Payload):
    """Payload of whatever is done with one case."""

    case_id: PydanticObjectId


async def policy_in_force(store: Store) -> AdmissionPolicy:
    """The rules of admission in effect; version 0, the default, where the school has not set any."""
    return await newest_version(store, AdmissionPolicy, default=default_policy)


async def visible_case(store: Store, viewer: Viewer, case_id: ObjectId) -> AdmissionCase:
    """The whole case, for deciding on an operation; NOT_FOUND out of sight."""
    query = {"$and": [{"_id": case_id}, await visible_cases(store, viewer)]}
    row = await store.database.collection(AdmissionCase).find_one(query)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    await store.cipher.decrypt_paths([row], encrypted_paths(AdmissionCase))
    case: AdmissionCase = AdmissionCase.model_validate(row)
    return case


async def require_on(
    store: Store, viewer: Viewer, case_id: ObjectId, action: AdmissionAction
) -> AdmissionCase:
    """The case in sight, in a state from which the action goes."""
    case = await visible_case(store, viewer, case_id)
    require_state(case, action)
    return case


async def case_to_move(unit: UnitOfWork, case_id: ObjectId, action: AdmissionAction) -> AdmissionCase:
    """The case as of this transaction, in a state from which the action goes."""
    case = await unit.load(AdmissionCase, case_id)
    if case is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    require_state(case, action)
    return case


async def write(
    unit: UnitOfWork,
    case: AdmissionCase,
    verb: str,
    values: Mapping[str, Any],
    *,
    changes: Sequence[FieldChange] | None = None,
    told: str | None = None,
    people: Sequence[ObjectId] = (),
) -> AdmissionCase:
    """Change the case and say so in its history; with `told`, notify whoever moves it next, and these people.

    `changes` stand in for the whole fields where less of them changed. Returns the case as it is now.
    """
    before = {name: getattr(case, name) for name in values}
    await unit.change(case, values)
    subject = Subject(AdmissionCase.subject_type, case.key)
    if changes is None:
        changes = [
            FieldChange(name, bson_value(before[name]), bson_value(value)) for name, value in values.items()
        ]
    unit.audit(subject, f"admission:{verb}", changes)
    now: AdmissionCase = case.model_copy(update=dict(values))
    if told is not None:
        recipients: list[ObjectId | Post] = [*sorted(awaited_posts(now)), *people]
        for recipient in recipients:
            unit.notify(recipient, f"admission:{told}", subject)
    return now


def digest_of(store: Store, case: AdmissionCase) -> str:
    """Keyed digest of what a signature of the review is bound to, 64 hex digits."""
    canonical = orjson.dumps(bson_value(signed_content(case)), option=orjson.OPT_SORT_KEYS, default=str)
    return hmac.new(store.keyring.audit, b"admission\0" + canonical, hashlib.sha256).hexdigest()


def allowed(action: AdmissionAction) -> Callable[[Store, Viewer, Any], Awaitable[None]]:
    """A check that asks no more than sight and state."""

    async def check(store: Store, viewer: Viewer, payload: CasePayload) -> None:
        await require_on(store, viewer, payload.case_id, action)

    return check


_OF_THE_FAMILY = frozenset({AdmissionAction.CONFIRM, AdmissionAction.OBJECT})


def case_operation(
    name: str,
    payload: type[AnyPayload],
    action: AdmissionAction,
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
) -> Operation[AnyPayload]:
    """An operation on one case; it applies at once, since the review is its own approval."""
    fields = frozenset(payload.model_fields) - {"case_id"}
    return Operation(
        name=name,
        record_type=AdmissionCase,
        payload=payload,
        requesters=posts_for(action),
        subject=lambda asked: Subject(AdmissionCase.subject_type, asked.case_id),  # type: ignore[attr-defined]
        requested_values=lambda asked: {field: bson_value(getattr(asked, field)) for field in fields},
        fields=lambda asked: fields,
        check=check,
        apply=apply,
        applies_at_once=True,
        also_open_to=is_family if action in _OF_THE_FAMILY else nobody_else,
    )
