"""What the operations of the room share: who may ask, finding what is named, and telling a new record whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from bson import ObjectId
from pydantic import StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork

# Policy §一(一): academic affairs arranges the courses and keeps the grades.
ASKERS = frozenset({Post.ACADEMIC_AFFAIRS})
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_BOOKKEEPING = frozenset({"_id", "revision", "created_at", "updated_at"})


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
