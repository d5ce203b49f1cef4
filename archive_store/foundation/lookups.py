"""Looking for one record: `found` for a check, of a type without encrypted leaves; `loaded` for a change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import AnyRecord, UnitOfWork


async def found(
    store: Store,
    record_type: type[AnyRecord],
    key: ObjectId | None,
    field: str,
    session: AsyncClientSession | None = None,
) -> AnyRecord:
    """The record; NOT_FOUND on `field` without one."""
    row = await store.database.collection(record_type).find_one({"_id": key}, session=session)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
    record: AnyRecord = record_type.model_validate(row)
    return record


async def loaded(unit: UnitOfWork, record_type: type[AnyRecord], key: ObjectId, field: str) -> AnyRecord:
    """The record to change, encrypted leaves opened; NOT_FOUND on `field` without one."""
    record = await unit.load(record_type, key)
    if record is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
    return record


async def require_unique(
    store: Store, record_type: type[Record], query: Mapping[str, Any], field: str
) -> None:
    """DUPLICATE on `field` where a record has these values."""
    if await store.database.collection(record_type).find_one(dict(query), {"_id": 1}) is not None:
        raise RegistrarError(ErrorCode.DUPLICATE, field=field, others=record_type.subject_type)
