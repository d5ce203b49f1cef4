"""What every operation on the structure shares: who may ask, texts, telling a change whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from bson import ObjectId
from pydantic import StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.texts import starts_formula
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork

# Policy §二(一): the information group keeps the records; the director and deputies may ask as well.
ASKERS = frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
LongLine = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


def check_texts(payload: Payload) -> None:
    """Names go out in rosters as spreadsheets."""
    told = {**payload.model_dump(include={"name", "address"}, exclude_unset=True)}
    labels = {
        f"grades.{place}.label": held.label for place, held in enumerate(getattr(payload, "grades", ()))
    }
    for field, text in (told | labels).items():
        if text is not None and starts_formula(text):
            raise RegistrarError(ErrorCode.FORMULA, field=field)


async def insert_told(unit: UnitOfWork, record: Record, kind: str) -> ObjectId:
    await unit.insert(record)
    row = record.to_bson()
    told = [name for name in row if name not in {"_id", "revision", "created_at", "updated_at", "place"}]
    changes = [FieldChange(name, None, row[name]) for name in told if row[name] is not None]
    unit.audit(Subject(record.subject_type, record.key), kind, changes)
    return record.key


def structure_operation(
    name: str,
    record_type: type[Record],
    payload: type[AnyPayload],
    key: str,
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
    **more: Any,
) -> Operation[AnyPayload]:
    return Operation(
        name=name,
        record_type=record_type,
        payload=payload,
        requesters=ASKERS,
        subject=lambda asked: Subject(record_type.subject_type, getattr(asked, key)),
        requested_values=lambda asked: {
            field: bson_value(getattr(asked, field)) for field in asked.model_fields_set - {key}
        },
        fields=lambda asked: frozenset(asked.model_fields_set - {key}),
        check=check,
        apply=apply,
        **more,
    )
