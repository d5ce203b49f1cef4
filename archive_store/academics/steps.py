"""What the operations of the room share: who may ask, finding what is named, and telling a new record whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from bson import ObjectId
from pydantic import StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import AnyRecord, FieldChange, Subject, UnitOfWork

# Policy §一(一): academic affairs arranges the courses and keeps the grades.
ASKERS = frozenset({Post.ACADEMIC_AFFAIRS})
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_BOOKKEEPING = frozenset({"_id", "revision", "created_at", "updated_at"})


async def found(
    store: Store,
    record_type: type[AnyRecord],
    key: ObjectId | None,
    field: str,
    session: AsyncClientSession | None = None,
) -> AnyRecord:
    """The record of a type without encrypted leaves; NOT_FOUND on `field` without one."""
    row = await store.database.collection(record_type).find_one({"_id": key}, session=session)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
    record: AnyRecord = record_type.model_validate(row)
    return record


async def require_unique(
    store: Store, record_type: type[Record], query: Mapping[str, Any], field: str
) -> None:
    """DUPLICATE on `field` where a record has these values."""
    if await store.database.collection(record_type).find_one(dict(query), {"_id": 1}) is not None:
        raise RegistrarError(ErrorCode.DUPLICATE, field=field, others=record_type.subject_type)


def told_whole(record: Record) -> list[FieldChange]:
    """The changes that an entry about a new record tells."""
    row = record.to_bson()
    return [
        FieldChange(n, None, value) for n, value in row.items() if n not in _BOOKKEEPING and value is not None
    ]


async def insert_told(unit: UnitOfWork, record: Record, kind: str) -> ObjectId:
    await unit.insert(record)
    unit.audit(Subject(record.subject_type, record.key), kind, told_whole(record))
    return record.key


def opening(
    name: str,
    record_type: type[Record],
    payload: type[AnyPayload],
    key: str,
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
) -> Operation[AnyPayload]:
    """An operation that adds one record, whose id the payload has as `key`."""
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
    )
