"""Relay: global ids, the `Node` interface, connections with keyset cursors."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Generic, TypeVar

import strawberry
from bson import ObjectId
from bson.errors import InvalidId

from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.plans.compiler import FROM_SOURCE


def global_id(type_name: str, key: ObjectId) -> str:
    return base64.b64encode(f"{type_name}:{key}".encode()).decode()


def parse_global_id(text: str) -> tuple[str, ObjectId]:
    """Type name and key; NOT_FOUND for anything that is no id of ours."""
    try:
        type_name, _, key = base64.b64decode(text.encode(), validate=True).decode().partition(":")
        return type_name, ObjectId(key)
    except (ValueError, binascii.Error, InvalidId) as error:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id") from error


def key_of(text: str, type_name: str, *, field: str) -> ObjectId:
    """The key inside a global id of this type; NOT_FOUND on `field` otherwise."""
    try:
        found, key = parse_global_id(text)
    except RegistrarError:
        found, key = "", ObjectId()
    if found != type_name:
        raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
    return key


def key_of_source(source: Any) -> ObjectId:
    key = source["_id"] if isinstance(source, dict) else source.id
    assert isinstance(key, ObjectId)  # noqa: S101
    return key


def global_id_of_source(source: Any, type_name: str) -> strawberry.ID:
    return strawberry.ID(global_id(type_name, key_of_source(source)))


@strawberry.interface(description="An object with a global id (Relay).")
class Node:
    @strawberry.field(description="Global id.", metadata={FROM_SOURCE: global_id_of_source})
    def id(self, info: strawberry.Info) -> strawberry.ID:
        return global_id_of_source(self, info._raw_info.parent_type.name)


NodeType = TypeVar("NodeType")


@strawberry.federation.type(shareable=True, description="Where a page stands in its list (Relay).")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="A node and its place (Relay).")
class Edge(Generic[NodeType]):
    node: NodeType
    cursor: str


@strawberry.type(description="A page of a list (Relay).")
class Connection(Generic[NodeType]):
    edges: list[Edge[NodeType]]
    page_info: PageInfo


def connection(rows: Any, cursors: Any, *, has_next: bool, after: str | None) -> Any:
    """A `Connection` over rows and their cursors."""
    return Connection(
        edges=[Edge(node=row, cursor=cursor) for row, cursor in zip(rows, cursors, strict=True)],
        page_info=PageInfo(
            has_next_page=has_next,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
    )
