"""Limits of a query document, checked before anything walks it.

Each rule of validation is fast on a document within these limits, and none is on every other: fragments that
spread fragments twice grow by powers of two, and fields of one name are compared each with each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from strawberry.extensions import SchemaExtension

from archive_store.foundation.errors import ErrorCode, RegistrarError

QUERY_LIMIT = 64 * 1024
TOKENS_LIMIT = 2_000
SIZE_LIMIT = 10_000
NESTING_LIMIT = 100
DEPTH_LIMIT = 15
ALIASES_LIMIT = 30
EQUAL_NAMES_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a selection set holds with its fragments written out.

    `size` counts selections, `depth` fields inside each other, `nesting` these and fragments.
    """

    size: int = 0
    aliases: int = 0
    depth: int = 0
    nesting: int = 0


class _Extents:
    """The extents of a document, each fragment measured once."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, Extent | None] = {}

    def of(self, selection_set: SelectionSetNode) -> Extent:
        size = aliases = depth = nesting = 0
        for node in selection_set.selections:
            inner, own = Extent(), 0
            if isinstance(node, FragmentSpreadNode):
                inner = self._of_fragment(node.name.value)
            elif isinstance(node, (FieldNode, InlineFragmentNode)) and node.selection_set:
                inner = self.of(node.selection_set)
                own = int(isinstance(node, FieldNode))
            size += 1 + inner.size
            aliases += inner.aliases + int(isinstance(node, FieldNode) and node.alias is not None)
            nesting = max(nesting, 1 + inner.nesting)
            # How deep introspection may go is a rule of validation's own.
            if not (isinstance(node, FieldNode) and node.name.value.startswith("__")):
                depth = max(depth, own + inner.depth)
        return Extent(size, aliases, depth, nesting)

    def _of_fragment(self, name: str) -> Extent:
        if name not in self._known:
            self._known[name] = None
            fragment = self._fragments.get(name)
            # Validation says so of a fragment that is not there.
            self._known[name] = self.of(fragment.selection_set) if fragment else Extent()
        if (known := self._known[name]) is None:
            detail = f'Cannot spread fragment "{name}" within itself.'
            raise RegistrarError(ErrorCode.INVALID_QUERY, detail=detail)
        return known


def check_query(query: str) -> None:
    """TOO_LARGE for a text over the limit. Parsed queries are kept, so that they must be small."""
    if len(query.encode()) > QUERY_LIMIT:
        raise RegistrarError(ErrorCode.TOO_LARGE, field="query", limit=f"{QUERY_LIMIT} bytes")


def check_document(document: DocumentNode) -> None:
    """Raise TOO_COMPLEX for a document over a limit, INVALID_QUERY for fragments in a circle."""
    definitions = [held for held in document.definitions if isinstance(held, ExecutableDefinitionNode)]
    fragments = {held.name.value: held for held in definitions if isinstance(held, FragmentDefinitionNode)}
    extents = _Extents(fragments)
    try:
        whole = [extents.of(held.selection_set) for held in definitions]
    except RecursionError:
        raise _over("嵌套层数", "levels of nesting", NESTING_LIMIT) from None
    operations = [
        extent
        for extent, held in zip(whole, definitions, strict=True)
        if isinstance(held, OperationDefinitionNode)
    ]
    if sum(extent.size for extent in whole) > SIZE_LIMIT:
        raise _over("字段数", "fields, with fragments written out", SIZE_LIMIT)
    if max((extent.nesting for extent in whole), default=0) > NESTING_LIMIT:
        raise _over("嵌套层数", "levels of nesting", NESTING_LIMIT)
    if max((extent.depth for extent in operations), default=0) > DEPTH_LIMIT:
        raise _over("字段层数", "levels of fields", DEPTH_LIMIT)
    if sum(extent.aliases for extent in operations) > ALIASES_LIMIT:
        raise _over("别名数", "aliases", ALIASES_LIMIT)
    if max(_equal_names(definitions, fragments), default=0) > EQUAL_NAMES_LIMIT:
        raise _over("同名字段数", "fields of one name in one place", EQUAL_NAMES_LIMIT)


def _equal_names(
    definitions: list[ExecutableDefinitionNode], fragments: dict[str, FragmentDefinitionNode]
) -> Iterator[int]:
    """For each place of an answer, how many fields of the document are merged into it."""
    places: list[list[SelectionSetNode]] = [[held.selection_set] for held in definitions]
    while places:
        merged: dict[str, list[FieldNode]] = defaultdict(list)
        spread: set[str] = set()
        sets = places.pop()
        for selection_set in sets:  # grows by the fragments met
            for node in selection_set.selections:
                if isinstance(node, FieldNode):
                    merged[(node.alias or node.name).value].append(node)
                elif isinstance(node, InlineFragmentNode):
                    sets.append(node.selection_set)
                elif isinstance(node, FragmentSpreadNode) and (name := node.name.value) not in spread:
                    spread.add(name)
                    if fragment := fragments.get(name):
                        sets.append(fragment.selection_set)
        for nodes in merged.values():
            yield len(nodes)
            if below := [node.selection_set for node in nodes if node.selection_set]:
                places.append(below)


def _over(zh: str, en: str, limit: int) -> RegistrarError:
    return RegistrarError(
        ErrorCode.TOO_COMPLEX, detail_zh=f"{zh}超过上限 {limit}", detail_en=f"more than {limit} {en}"
    )


class DocumentLimits(SchemaExtension):
    """Refuses a document over a limit before it is validated."""

    def on_validate(self) -> Iterator[None]:
        if document := self.execution_context.graphql_document:
            check_document(document)
        yield
