"""What an operation selects below the field being resolved, fragments and @skip/@include worked in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLResolveInfo,
    InlineFragmentNode,
    NamedTypeNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)
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
    found = _collect(raw, [node.selection_set for node in raw.field_nodes if node.selection_set])
    for step in route:
        found = tuple(inner for selection in found if selection.name == step for inner in selection.fields)
    return found


def _collect(raw: GraphQLResolveInfo[Any], sets: Sequence[SelectionSetNode]) -> tuple[Selection, ...]:
    """The fields of these sets as one: a fragment is entered once, and equal fields are one with all below."""
    below: dict[tuple[str, frozenset[str] | None], list[SelectionSetNode]] = {}
    spread: set[tuple[str, frozenset[str] | None]] = set()
    variables = get_variable_values(raw)
    pending: list[tuple[SelectionSetNode, frozenset[str] | None]] = [(held, None) for held in sets]
    for selection_set, on in pending:  # grows by the fragments met
        for node in selection_set.selections:
            if not included(node, variables):
                continue
            if isinstance(node, FieldNode):
                inner = below.setdefault((node.name.value, on), [])
                if node.selection_set:
                    inner.append(node.selection_set)
            elif isinstance(node, InlineFragmentNode):
                pending.append((node.selection_set, _narrowed(raw, on, node.type_condition)))
            elif isinstance(node, FragmentSpreadNode) and (node.name.value, on) not in spread:
                spread.add((node.name.value, on))
                fragment = raw.fragments[node.name.value]
                pending.append((fragment.selection_set, _narrowed(raw, on, fragment.type_condition)))
    return tuple(Selection(name, _collect(raw, inner), on) for (name, on), inner in below.items())


def _narrowed(
    raw: GraphQLResolveInfo[Any], on: frozenset[str] | None, condition: NamedTypeNode | None
) -> frozenset[str] | None:
    if condition is None:
        return on
    named = raw.schema.type_map[condition.name.value]
    possible = raw.schema.get_possible_types(named) if is_abstract_type(named) else [named]
    names = frozenset(held.name for held in possible)
    return names if on is None else names & on


def included(node: SelectionNode, variables: Mapping[str, Any]) -> bool:
    """Whether @skip and @include leave the node in. The document is valid, so each has its `if`."""
    for directive in node.directives or ():
        if directive.name.value in ("skip", "include"):
            value: Any = (directive.arguments or ())[0].value
            met = variables.get(value.name.value) if isinstance(value, VariableNode) else value.value
            if bool(met) is (directive.name.value == "skip"):
                return False
    return True
