"""`duplicate.dismiss` and `duplicate.reopen`: a pair that was looked at is of two persons, or is open again."""

from __future__ import annotations

from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.duplicates.documents import DuplicateDismissal
from archive_store.duplicates.merging import MERGERS, RULE
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.queries import facts_by_id

_Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class DuplicatePair(Payload):
    """Payload of `duplicate.reopen`; the smaller key is the first."""

    first_id: PydanticObjectId
    second_id: PydanticObjectId


class DuplicateDismiss(DuplicatePair):
    """Payload of `duplicate.dismiss`."""

    dismissal_id: PydanticObjectId
    why: _Reason


async def _check(store: Store, viewer: Viewer, payload: DuplicatePair) -> None:
    if payload.first_id >= payload.second_id:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="second_id",
            rule=RULE,
            detail_zh="须为两份学籍",
            detail_en="name two records",
        )
    pair = [payload.first_id, payload.second_id]
    seen = await facts_by_id(store, viewer, pair)
    for field, key in zip(("first_id", "second_id"), pair, strict=True):
        if key not in seen:
            raise RegistrarError(ErrorCode.NOT_FOUND, field=field)


async def _held(unit: UnitOfWork, payload: DuplicatePair) -> DuplicateDismissal | None:
    row = await unit.store.database.collection(DuplicateDismissal).find_one(
        {"first_id": payload.first_id, "second_id": payload.second_id}, {"_id": 1}, session=unit.session
    )
    return None if row is None else await unit.load(DuplicateDismissal, row["_id"])


async def _dismiss(unit: UnitOfWork, payload: DuplicateDismiss) -> ObjectId:
    held = await _held(unit, payload)
    said = None if held is None else held.reason
    if held is None:
        held = DuplicateDismissal(
            id=payload.dismissal_id,
            first_id=payload.first_id,
            second_id=payload.second_id,
            reason=payload.why,
            dismissed_by_name=unit.actor.name,
        )
        await unit.insert(held)
        before = False
    elif held.is_in_force:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="first_id")
    else:
        values = {"is_in_force": True, "reason": payload.why, "dismissed_by_name": unit.actor.name}
        await unit.change(held, values)
        before = False
    changes = [FieldChange("is_in_force", before, True), FieldChange("reason", said, payload.why)]
    unit.audit(Subject(DuplicateDismissal.subject_type, held.key), "duplicate:dismiss", changes)
    return held.key


async def _reopen(unit: UnitOfWork, payload: DuplicatePair) -> ObjectId:
    held = await _held(unit, payload)
    if held is None or not held.is_in_force:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="first_id")
    await unit.change(held, {"is_in_force": False})
    change = FieldChange("is_in_force", True, False)
    unit.audit(Subject(DuplicateDismissal.subject_type, held.key), "duplicate:reopen", [change])
    return held.key


def _operation(name: str, payload: type[AnyPayload], apply: object) -> Operation[AnyPayload]:
    return Operation(
        name=name,
        record_type=DuplicateDismissal,
        payload=payload,
        requesters=MERGERS,
        subject=lambda asked: Subject(DuplicateDismissal.subject_type, asked.first_id),  # type: ignore[attr-defined]
        requested_values=lambda asked: {"first_id": asked.first_id, "second_id": asked.second_id},  # type: ignore[attr-defined]
        fields=lambda asked: frozenset({"is_in_force"}),
        check=_check,  # type: ignore[arg-type]
        apply=apply,  # type: ignore[arg-type]
        applies_at_once=True,
    )


DUPLICATE_DISMISS = _operation("duplicate.dismiss", DuplicateDismiss, _dismiss)
DUPLICATE_REOPEN = _operation("duplicate.reopen", DuplicatePair, _reopen)
