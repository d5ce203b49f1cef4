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
    NamedTypeNode,
    SelectionSetNode,
    is_abstract_type,
)
from graphql.execution.values import VariableValues, get_directive_values
from strawberry.types.nodes import get_variable_values


@dataclass(frozen=True, slots=True)
class Selection:
    """A selected field and what is selected below it.

    `on` names the object types that it is selected on, by the fragments around it; None where no fragment says.
    """

    name: str
    fields: tuple[Selection, ...]
    on: frozenset[str] | None = None

    def is_on(self, type_name: str) -> bool:
        return self.on is None or type_name in self.on


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


def _collect(
    raw: GraphQLResolveInfo[Any], selection_set: SelectionSetNode, on: frozenset[str] | None = None
) -> Iterator[Selection]:
    for node in selection_set.selections:
        if not _included(raw, node):
            continue
        if isinstance(node, FieldNode):
            below = tuple(_collect(raw, node.selection_set)) if node.selection_set else ()
            yield Selection(node.name.value, below, on)
        elif isinstance(node, InlineFragmentNode):
            yield from _collect(raw, node.selection_set, _narrowed(raw, on, node.type_condition))
        elif isinstance(node, FragmentSpreadNode):
            fragment = raw.fragments[node.name.value]
            yield from _collect(raw, fragment.selection_set, _narrowed(raw, on, fragment.type_condition))


def _narrowed(
    raw: GraphQLResolveInfo[Any], on: frozenset[str] | None, condition: NamedTypeNode | None
) -> frozenset[str] | None:
    if condition is None:
        return on
    named = raw.schema.type_map[condition.name.value]
    possible = raw.schema.get_possible_types(named) if is_abstract_type(named) else [named]
    names = frozenset(held.name for held in possible)
    return names if on is None else names & on


def _included(raw: GraphQLResolveInfo[Any], node: object) -> bool:
    if not node.directives:  # type: ignore[attr-defined]
        return True
    variables = VariableValues(sources={}, coerced=get_variable_values(raw))
    skip = get_directive_values(GraphQLSkipDirective, node, variables)  # type: ignore[arg-type]
    if skip and skip["if"]:
        return False
    include = get_directive_values(GraphQLIncludeDirective, node, variables)  # type: ignore[arg-type]
    return not (include and not include["if"])
