"""Governed fields: a GraphQL field that shows one stored leaf, with its class in the SDL.

`governed` ties field to leaf; `GovernedType` tells from a selection which leaves to load, and from kept-back
leaves which coordinates to report in `extensions.redactions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import strawberry
from pydantic import BaseModel
from strawberry.extensions import SchemaExtension
from strawberry.types import get_object_definition

from archive_store.access.policy import Withheld
from schema.directives import directives_of
from schema.errors import camel_case
from schema.selection import Selection, selected_fields


def governed(record_type: type[BaseModel], path: str, description: str) -> Any:
    """A field that shows the leaf at `path` of the record type; null where the viewer may not read it."""
    return strawberry.field(
        description=description, directives=directives_of(record_type, path), metadata={"path": path}
    )


def governed_list(item_type: type, description: str) -> Any:
    """A field that shows a list of embedded documents, each leaf of them governed."""
    return strawberry.field(description=description, metadata={"item_type": item_type})


@dataclass(frozen=True)
class GovernedType:
    """The governed fields of a GraphQL type, nested ones included."""

    graphql_type: type

    @cached_property
    def leaves(self) -> dict[str, str]:
        """GraphQL field name to leaf path."""
        return {_spelt(f): f.metadata["path"] for f in self._fields if "path" in f.metadata}

    @cached_property
    def lists(self) -> dict[str, GovernedType]:
        """GraphQL field name to the type of its items."""
        return {
            _spelt(f): GovernedType(f.metadata["item_type"])
            for f in self._fields
            if "item_type" in f.metadata
        }

    @cached_property
    def name(self) -> str:
        return get_object_definition(self.graphql_type, strict=True).name

    @property
    def _fields(self) -> list[Any]:
        return list(get_object_definition(self.graphql_type, strict=True).fields)

    @cached_property
    def coordinates(self) -> dict[str, str]:
        """Leaf path to schema coordinate, such as `guardians.phone` to `Guardian.phone`."""
        own = {path: f"{self.name}.{name}" for name, path in self.leaves.items()}
        for nested in self.lists.values():
            own |= nested.coordinates
        return own

    def paths(self, selections: Iterable[Selection]) -> frozenset[str]:
        """The leaves that a selection on this type needs."""
        needed: set[str] = set()
        for selection in selections:
            if not selection.is_on(self.name):
                continue
            if path := self.leaves.get(selection.name):
                needed.add(path)
            elif nested := self.lists.get(selection.name):
                needed |= nested.paths(selection.fields)
        return frozenset(needed)

    def selected(self, info: strawberry.Info, *route: str) -> frozenset[str]:
        """The leaves needed below the field being resolved, at `route` (such as `edges`, `node`)."""
        return self.paths(selected_fields(info, route))

    def coordinates_of(self, paths: Mapping[str, Withheld]) -> dict[str, Withheld]:
        return {self.coordinates[path]: why for path, why in paths.items() if path in self.coordinates}


def _spelt(field: Any) -> str:
    if field.graphql_name:
        return str(field.graphql_name)
    return str(camel_case(field.python_name))


_SENTENCES = {
    Withheld.NOT_PERMITTED: (
        "您无权查阅此字段;确有需要的,可申请调阅授权。",
        "You may not read this field; where you need it, ask for a retrieval grant.",
    ),
    Withheld.PURPOSE_REQUIRED: (
        "查阅此字段须说明用途(请求头 Registrar-Purpose)。",
        "This field is read for a stated purpose (header Registrar-Purpose).",
    ),
}


class Redactions(SchemaExtension):
    """`extensions.redactions`: one line for each field coordinate that kept a value back."""

    def get_results(self) -> dict[str, Any]:
        redactions: dict[str, Withheld] = getattr(self.execution_context.context, "redactions", {})
        lines = [
            {
                "field": coordinate,
                "reason": reason.value,
                "messageZh": _SENTENCES[reason][0],
                "messageEn": _SENTENCES[reason][1],
            }
            for coordinate, reason in sorted(redactions.items())
        ]
        return {"redactions": lines} if lines else {}
