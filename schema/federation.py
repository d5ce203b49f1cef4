"""The schema as a subgraph of Apollo Federation: `_entities`, a door under the same decision as every other.

A type with a `@key` has `resolve_reference`, which is given the key and nothing else of what the caller sends.
"""

from __future__ import annotations

from typing import Any, cast

from strawberry.federation.schema import FederationAny
from strawberry.types import Info

from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.errors import TypedErrorSchema
from schema.nodes import key_of

REPRESENTATIONS_LIMIT = 100


class Subgraph(TypedErrorSchema):
    """Strawberry's own `_entities` makes an object of what the caller sends where a type has no resolver."""

    def entities_resolver(self, info: Info, representations: list[FederationAny]) -> list[FederationAny]:
        """The object of each representation, null where there is none to see."""
        if len(representations) > REPRESENTATIONS_LIMIT:
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field="representations",
                detail_zh=f"一次最多 {REPRESENTATIONS_LIMIT} 个",
                detail_en=f"at most {REPRESENTATIONS_LIMIT} at a time",
            )
        # Awaited together, so that their loaders batch.
        return [cast(FederationAny, self._reference(info, sent)) for sent in representations]

    def _reference(self, info: Info, sent: object) -> Any:
        """The awaitable object; None for what is no id of an entity, as for one that is missing."""
        if not isinstance(sent, dict):
            return None
        type_name, text = sent.get("__typename"), sent.get("id")
        if not isinstance(type_name, str) or not isinstance(text, str):
            return None
        known = self.schema_converter.type_map.get(type_name)
        origin = getattr(known.definition, "origin", None) if known else None
        resolve = getattr(origin, "resolve_reference", None)
        try:
            return resolve(info, key_of(text, type_name, field="id")) if resolve else None
        except RegistrarError:
            return None
