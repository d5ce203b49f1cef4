"""Keyset paging: a page starts after the last key seen, so that its cost does not grow with its number."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from bson import ObjectId
from bson.errors import InvalidId
from pymongo.asynchronous.collection import AsyncCollection

from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A slice of a list and whether more follows."""

    rows: Sequence[Item]
    has_next: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the value it was ordered by (text or None) and the record's key."""

    order: str
    value: str | None
    key: ObjectId

    def encode(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self.order, self.value, str(self.key)])).decode()

    @classmethod
    def decode(cls, text: str, *, order: str) -> Cursor:
        """INVALID_ARGUMENT on `after` unless this is a cursor of the same order."""
        try:
            held_order, value, key = orjson.loads(base64.urlsafe_b64decode(text.encode()))
            if held_order == order and (value is None or isinstance(value, str)):
                return cls(order, value, ObjectId(key))
        except (ValueError, TypeError, binascii.Error, InvalidId):
            pass
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="after",
            detail_zh="不是此列表此排序的游标",
            detail_en="not a cursor of this list in this order",
        )


def rows_after(field: str, direction: int, cursor: Cursor) -> Row:
    """Filter of the rows behind the cursor. MongoDB sorts null before text and never compares the two."""
    compare = "$gt" if direction > 0 else "$lt"
    same_value: Row = {field: cursor.value, "_id": {compare: cursor.key}}
    if cursor.value is None:
        return {"$or": [same_value, {field: {"$ne": None}}]} if direction > 0 else same_value
    behind: list[Row] = [same_value, {field: {compare: cursor.value}}]
    if direction < 0:
        behind.append({field: None})
    return {"$or": behind}


async def page_of_newest(
    collection: AsyncCollection[Row],
    query: Row,
    projection: Mapping[str, Any],
    *,
    first: int,
    after: ObjectId | None,
) -> Page[Row]:
    """A page ordered by key, newest first."""
    if after is not None:
        query = {"$and": [query, {"_id": {"$lt": after}}]}
    found = await collection.find(query, projection or None).sort("_id", -1).limit(first + 1).to_list()
    return Page(found[:first], len(found) > first)


def foreign_cursor() -> RegistrarError:
    """The refusal of an `after` that is no cursor of the list."""
    return RegistrarError(
        ErrorCode.INVALID_ARGUMENT,
        field="after",
        detail_zh="不是此列表的游标",
        detail_en="not a cursor of this list",
    )


def check_page_size(first: int, limit: int) -> None:
    """INVALID_ARGUMENT on `first` unless a page may have so many."""
    if not 0 < first <= limit:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="first",
            detail_zh=f"须为 1 至 {limit}",
            detail_en=f"must be from 1 to {limit}",
        )
