"""What an operation costs, counted before it runs from what it asks for.

A field costs 1, and one with fields below it as much again for each of its rows: the page size of a connection,
a fixed weight for any other list, otherwise one. A fragment costs what is in it, wherever it is spread. What is
replayed from a history has a weight of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    is_list_type,
    value_from_ast_untyped,
)
from strawberry.extensions import SchemaExtension

from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.selection import included

LIST_WEIGHT = 3
# Of a student at a moment and of a difference between two: all of their entries are opened.
REPLAY_WEIGHT = 100
_MOMENTS = frozenset({"asOf", "knownAt", "from"})


class _Costs:
    """The costs of one operation with its variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
    ) -> None:
        self._types = schema.type_map
        self._fragments = fragments
        self._variables = variables

    def of(self, selection_set: SelectionSetNode, parent: Any) -> int:
        total = 0
        for node in selection_set.selections:
            if not included(node, self._variables):
                continue
            if isinstance(node, FieldNode):
                total += self._of_field(node, parent)
            elif isinstance(node, InlineFragmentNode):
                total += self.of(node.selection_set, self._narrowed(parent, node.type_condition))
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                total += self.of(fragment.selection_set, self._narrowed(parent, fragment.type_condition))
        return total

    def _narrowed(self, parent: Any, condition: NamedTypeNode | None) -> Any:
        return self._types[condition.name.value] if condition else parent

    def _of_field(self, node: FieldNode, parent: Any) -> int:
        # Not among the fields of its parent: introspection.
        field: GraphQLField | None = getattr(parent, "fields", {}).get(node.name.value)
        if field is None or node.selection_set is None:
            return 1
        below = self.of(node.selection_set, get_named_type(field.type))
        replayed = any(argument.name.value in _MOMENTS for argument in node.arguments or ())
        return 1 + (REPLAY_WEIGHT if replayed else 0) + self._rows(node, field, parent) * (1 + below)

    def _rows(self, node: FieldNode, field: GraphQLField, parent: Any) -> int:
        if "first" in field.args:
            first = self._argument(node, field, "first")
            # Anything else is refused where it is read.
            return max(int(first), 1) if isinstance(first, (int, float)) else 1
        if "representations" in field.args:
            sent = self._argument(node, field, "representations")
            return max(len(sent), 1) if isinstance(sent, list) else 1
        # The rows of a connection are counted where its page size stands.
        is_list = is_list_type(get_nullable_type(field.type)) and "pageInfo" not in parent.fields
        return LIST_WEIGHT if is_list else 1

    def _argument(self, node: FieldNode, field: GraphQLField, name: str) -> Any:
        for argument in node.arguments or ():
            if argument.name.value == name:
                value = value_from_ast_untyped(argument.value, dict(self._variables))
                if value is not Undefined:
                    return value
        return field.args[name].default_value


def cost_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    given: Mapping[str, Any],
) -> int:
    """What the operation costs with the variables given. The document is valid."""
    fragments = {
        held.name.value: held for held in document.definitions if isinstance(held, FragmentDefinitionNode)
    }
    defaults = {
        held.variable.name.value: value_from_ast_untyped(held.default_value)
        for held in operation.variable_definitions or ()
        if held.default_value
    }
    root = schema.get_root_type(operation.operation)
    return _Costs(schema, fragments, defaults | dict(given)).of(operation.selection_set, root)


class CostLimit(SchemaExtension):
    """Refuses an operation over the installation's limit before it runs."""

    def on_execute(self) -> Iterator[None]:
        asked, context = self.execution_context, self.execution_context.context
        document = asked.graphql_document
        operation = get_operation_ast(document, asked.operation_name) if document else None
        # Without a context nothing is read, such as for the SDL.
        if document and operation and context:
            limit = context.store.settings.cost_limit
            cost = cost_of(asked.schema._schema, document, operation, asked.variables or {})
            if cost > limit:
                raise RegistrarError(
                    ErrorCode.TOO_COMPLEX,
                    detail_zh=f"成本 {cost},上限 {limit}",
                    detail_en=f"it costs {cost}, the limit is {limit}",
                )
        yield
