"""`Record`, the base of every stored document, and its way into BSON.

Beanie gives models, indexes and validation. It does not write: the unit of work does, since a write that
goes around it would be neither encrypted nor audited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, NoReturn, cast

from beanie import Document, PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field

from archive_store.foundation.field_classes import FieldClass

_STORED_AS_IS = frozenset({str, int, float, bool, bytes, type(None), datetime, ObjectId, PydanticObjectId})
_NOT_STORED = frozenset({"id", "revision_id"})


class Record(Document):
    """A stored document. `revision` counts its changes from 1; times are UTC."""

    # A validation error is logged; the values it is about must not be.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    subject_type: ClassVar[str]
    filterable_paths: ClassVar[frozenset[str]] = frozenset()  # what a query may filter or order by
    # The fields that no entry tells, of a record whose history gives it whole; None where it need not.
    bookkeeping: ClassVar[frozenset[str] | None] = None

    id: PydanticObjectId | None = Field(default_factory=PydanticObjectId)
    revision: Annotated[int, FieldClass.F0] = 1
    created_at: Annotated[datetime | None, FieldClass.F1] = None
    updated_at: Annotated[datetime | None, FieldClass.F1] = None

    async def insert(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("records are written by a UnitOfWork")

    save = replace = update = delete = insert

    @property
    def key(self) -> ObjectId:
        assert self.id is not None  # noqa: S101 - the default factory sets it
        return self.id

    def to_bson(self) -> dict[str, Any]:
        """The stored shape, not yet encrypted: dates as ISO text, enums as their codes."""
        # Where pydantic keeps them: Beanie's way to an attribute is several times as long.
        held = self.__dict__
        document = {
            name: value if type(value) in _STORED_AS_IS else bson_value(value)
            for name, value in held.items()
            if name not in _NOT_STORED
        }
        return {"_id": self.id, **document}


@cache
def _defaults(model: type[BaseModel]) -> tuple[dict[str, Any], dict[str, Callable[[], Any]], frozenset[str]]:
    """What a new one holds where nothing is said, in the order of the fields; what is made anew; what must be said."""
    fields = {name: told for name, told in model.model_fields.items() if name not in _NOT_STORED}
    held = {name: None if told.is_required() else bson_value(told.default) for name, told in fields.items()}
    made = {name: told.default_factory for name, told in fields.items() if told.default_factory is not None}
    required = frozenset(name for name, told in fields.items() if told.is_required())
    return held, cast("dict[str, Callable[[], Any]]", made), required


def stored_shape(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a model of these values is stored as, without making one: for many whose values were checked already.

    `values` are as they are stored. KeyError for a field that the model does not have, or must.
    """
    held, made, required = _defaults(model)
    if (unknown := values.keys() - held.keys()) or (missing := required - values.keys()):
        raise KeyError(f"{model.__name__}: {sorted(unknown or missing)}")
    row: dict[str, Any] = {**held, **values}
    for name, make in made.items():
        if name not in values:
            row[name] = make()
    return row


def bson_value(value: Any) -> Any:
    """A Python value as it is stored."""
    if type(value) in _STORED_AS_IS:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(bson_value(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [bson_value(item) for item in value]
    if isinstance(value, dict):
        return {bson_value(name): bson_value(item) for name, item in value.items()}
    if hasattr(type(value), "model_fields"):
        return {name: bson_value(held) for name, held in value.__dict__.items()}
    return value


def plain_value(value: Any) -> Any:
    """A stored value as JSON can carry it: keys as text."""
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {name: plain_value(item) for name, item in value.items()}
    return str(value) if isinstance(value, ObjectId) else value
