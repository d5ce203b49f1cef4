"""What every step of a batch does: load it, and write it with an entry that tells how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import ObjectId

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.imports.documents import COUNTERS, ImportBatch

RULE = "policy §三(一)"
_TOLD = (*COUNTERS, "status", "policy", "kind", "mapping", "enters", "obstacle", "obstacle_row")


def subject_of(batch: ImportBatch) -> Subject:
    return Subject(ImportBatch.subject_type, batch.key)


async def read_batch(store: Store, batch_id: ObjectId) -> ImportBatch:
    """NOT_FOUND without one. Whether it may be seen is asked elsewhere."""
    row = await store.database.collection(ImportBatch).find_one({"_id": batch_id})
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    batch: ImportBatch = ImportBatch.model_validate(row)
    return batch


async def load_batch(unit: UnitOfWork, batch_id: ObjectId) -> ImportBatch:
    """As of the transaction; NOT_FOUND without one."""
    batch = await unit.load(ImportBatch, batch_id)
    if batch is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    return batch


async def write(unit: UnitOfWork, batch: ImportBatch, verb: str, values: Mapping[str, Any]) -> None:
    """Set fields; the entry tells of counters and decisions."""
    changes = [
        FieldChange(name, bson_value(getattr(batch, name)), bson_value(values[name]))
        for name in _TOLD
        if name in values and getattr(batch, name) != values[name]
    ]
    await unit.change(batch, values)
    unit.audit(subject_of(batch), f"roster:{verb}", changes)


def wrong_state(batch: ImportBatch) -> RegistrarError:
    return RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=batch.status)
