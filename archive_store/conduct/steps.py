"""What every operation of this room shares: the rules in force, sight, who is told, and writing with its history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from bson import ObjectId
from pydantic import StringConstraints

from archive_store.access.policy import FieldDecision
from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ChangeRequest, Tier
from archive_store.approvals.operation import Decisions
from archive_store.conduct.documents import Appeal, Award, ConductPolicy, Sanction, default_policy
from archive_store.conduct.queries import (
    ConductView,
    appeals_by_id,
    awards_by_id,
    decisions_on,
    sanctions_by_id,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import AnyRecord, FieldChange, Subject, UnitOfWork
from archive_store.foundation.versioned import newest_version

LINE_LIMIT = 200
TEXT_LIMIT = 2_000
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LINE_LIMIT)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_LIMIT)]

_BY_ID: Mapping[type[Record], Callable[..., Awaitable[Sequence[ConductView | None]]]] = {
    Award: awards_by_id,
    Sanction: sanctions_by_id,
    Appeal: appeals_by_id,
}
_UNTOLD = frozenset({"_id", "revision", "created_at", "updated_at", "involved_ids", "policy_version"})


async def policy_in_force(store: Store) -> ConductPolicy:
    """The rules in effect; version 0, the default, where the school has not set any."""
    return await newest_version(store, ConductPolicy, default=default_policy)


async def visible(
    store: Store, viewer: Viewer, record_type: type[AnyRecord], key: ObjectId, field: str = "id"
) -> AnyRecord:
    """The whole record, for deciding on an operation; NOT_FOUND out of sight."""
    (view,) = await _BY_ID[record_type](store, viewer, [key])
    row = None
    if view is not None:
        row = await store.database.collection(record_type).find_one({"_id": key})
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
    await store.cipher.decrypt_paths([row], encrypted_paths(record_type))
    record: AnyRecord = record_type.model_validate(row)
    return record


async def loaded(
    unit: UnitOfWork, record_type: type[AnyRecord], key: ObjectId, field: str = "id"
) -> AnyRecord:
    record = await unit.load(record_type, key)
    if record is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
    return record


def require_same(student_id: ObjectId, held: ObjectId) -> None:
    """NOT_FOUND where the payload names another student than the record."""
    if student_id != held:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")


def decisions_for(record_type: type[Record]) -> Decisions:
    """How a viewer stands to what requests are about: by its student, whom a request names before the record exists."""

    async def decisions(
        store: Store, viewer: Viewer, targets: Sequence[ObjectId]
    ) -> Mapping[ObjectId, FieldDecision]:
        rows = store.database.collection(ChangeRequest).find(
            {"target_id": {"$in": list(targets)}, "target_type": record_type.subject_type},
            {"target_id": 1, "concerns": 1},
        )
        students = {
            row["target_id"]: key
            for row in await rows.to_list()
            for key in row["concerns"]
            if key != row["target_id"]
        }
        held = await decisions_on(store, viewer, record_type, sorted(set(students.values())))
        return {target: held[key] for target, key in students.items() if key in held}

    return decisions


async def involved_in(unit: UnitOfWork) -> list[ObjectId]:
    """Who asked for what is applied now and who signed it, delegators included."""
    people: set[ObjectId] = set()
    if unit.actor.person_id is not None:
        people.add(unit.actor.person_id)
    if unit.change_request is not None:
        request = await unit.load(ChangeRequest, unit.change_request)
        if request is not None:
            people.add(request.requested_by)
            for step in request.signatures:
                people |= {key for key in (step.decided_by, step.for_person_id) if key is not None}
    return sorted(people)


async def chain_in(unit: UnitOfWork) -> Sequence[Tier]:
    """Whose signatures what is applied now had; none where it needed no request."""
    request = None
    if unit.change_request is not None:
        request = await unit.load(ChangeRequest, unit.change_request)
    return [] if request is None else request.chain


async def insert_told(unit: UnitOfWork, record: Record, kind: str) -> None:
    """Insert it, with all that it says in its history."""
    await unit.insert(record)
    row = record.to_bson()
    changes = [
        FieldChange(name, None, value)
        for name, value in row.items()
        if name not in _UNTOLD and value not in (None, [])
    ]
    _audit(unit, record, kind, changes)


async def change_told(unit: UnitOfWork, record: Record, values: Mapping[str, Any], kind: str) -> None:
    """Change it, with what was and is in its history."""
    before = record.to_bson()
    await unit.change(record, values)
    changes = [
        FieldChange(name, before[name], after)
        for name, value in values.items()
        if (after := bson_value(value)) != before[name]
    ]
    _audit(unit, record, kind, changes)


def _audit(unit: UnitOfWork, record: Record, kind: str, changes: Sequence[FieldChange]) -> None:
    # Why something was done may tell what a sanction is for, so that it is read as the texts are.
    touched = encrypted_paths(type(record)) | {change.field for change in changes}
    subject = Subject(record.subject_type, record.key)
    unit.audit(subject, kind, changes, touched=frozenset(touched))
