"""What an operation selects below the field being resolved, fragments and @skip/@include worked in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLResolveInfo,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionSetNode,
)
from graphql.execution.values import VariableValues, get_directive_values
from strawberry.types.nodes import get_variable_values


@dataclass(frozen=True, slots=True)
class Selection:
    """A selected field and what is selected below it."""

    name: str
    fields: tuple[Selection, ...]


def selected_fields(info: strawberry.Info, route: Sequence[str] = ()) -> tuple[Selection, ...]:
    """The selections below the field being resolved, after following `route` down."""
    raw = info._raw_info
    found = tuple(
        selection
        for node in raw.field_nodes
        if node.selection_set
        for selection in _collect(raw, node.selection_set)
    )
    for step in route:
        found = tuple(inner for selection in found if selection.name == step for inner in selection.fields)
    return found


def _collect(raw: GraphQLResolveInfo[Any], selection_set: SelectionSetNode) -> Iterator[Selection]:
    for node in selection_set.selections:
        if not _included(raw, node):
            continue
        if isinstance(node, FieldNode):
            below = tuple(_collect(raw, node.selection_set)) if node.selection_set else ()
            yield Selection(node.name.value, below)
        elif isinstance(node, InlineFragmentNode):
            yield from _collect(raw, node.selection_set)
        elif isinstance(node, FragmentSpreadNode):
            yield from _collect(raw, raw.fragments[node.name.value].selection_set)


def _included(raw: GraphQLResolveInfo[Any], node: object) -> bool:
    if not node.directives:  # type: ignore[attr-defined]
        return True
    variables = VariableValues(sources={}, coerced=get_variable_values(raw))
    skip = get_directive_values(GraphQLSkipDirective, node, variables)  # type: ignore[arg-type]
    if skip and skip["if"]:
        return False
    include = get_directive_values(GraphQLIncludeDirective, node, variables)  # type: ignore[arg-type]
    return not (include and not include["if"])
