"""From a selection to a function: the source text of a plan, and what it calls by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from graphql import (
    FieldNode,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetails, GroupedFieldSet
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

Plan = Callable[[Any], Any]
# Metadata of a field whose resolver is this function of its source and the name of its type.
FROM_SOURCE = "from_source"
# What is larger is not worth its compilation.
FIELDS_LIMIT = 500
_INDENT = "    "
_EXACT: dict[GraphQLLeafType, str] = {
    GraphQLString: "type({0}) is not str",
    GraphQLID: "type({0}) is not str",
    GraphQLBoolean: "type({0}) is not bool",
    GraphQLInt: "type({0}) is not int or not -0x80000000 <= {0} <= 0x7FFFFFFF",
}


class UnplannedError(Exception):
    """A value that the plan leaves to graphql-core."""


class NotPlainError(Exception):
    """A selection that has no plan."""


class Collector(Protocol):
    """What is taken from the executor: the selections below a field, fragments and directives worked in."""

    schema: GraphQLSchema

    def collect_subfields(
        self, return_type: GraphQLObjectType, field_details_list: list[FieldDetails]
    ) -> CollectedFields: ...


def compiled_group(
    executor: Collector, parent: GraphQLObjectType, group: GroupedFieldSet
) -> tuple[Plan | None, Mapping[str, Plan]]:
    """The plan of a whole selection; where that is None, the plans of those of its fields that have one, by name."""
    try:
        return _Compiler(executor).object_plan(parent, group), {}
    except NotPlainError:
        pass
    plans: dict[str, Plan] = {}
    for name, details in group.items():
        try:
            plans[name] = _Compiler(executor).field_plan(parent, details)
        except NotPlainError:
            continue
    return None, plans


class _Compiler:
    """Writes the functions of one plan. `_names` are what their text refers to."""

    def __init__(self, executor: Collector) -> None:
        self._executor = executor
        self._names: dict[str, Any] = {"UnplannedError": UnplannedError, "refuse": _refuse}
        self._lines: list[str] = []
        self._fields = 0

    def object_plan(self, parent: GraphQLObjectType, group: GroupedFieldSet) -> Plan:
        return self._loaded(self._object(parent, group))

    def field_plan(self, parent: GraphQLObjectType, details: list[FieldDetails]) -> Plan:
        """From the source to the completed value of one field."""
        field, read_row, read_object = self._reading(parent, details)
        body = [f"value = {read_row} if type(source) is dict else {read_object}"]
        body += self._completion(field.type, "value", details)
        return self._loaded(self._function("field", "source", [*body, "return value"]))

    def _loaded(self, name: str) -> Plan:
        exec(compile("\n".join(self._lines), "<plan>", "exec"), self._names)  # noqa: S102 - text of our own
        plan: Plan = self._names[name]
        return plan

    def _named(self, kind: str, value: Any) -> str:
        name = f"{kind}_{len(self._names)}"
        self._names[name] = value
        return name

    def _function(self, kind: str, argument: str, body: list[str]) -> str:
        name = self._named(kind, None)
        self._lines += [f"def {name}({argument}):", *(_INDENT + line for line in body)]
        return name

    def _object(self, of: GraphQLObjectType, group: GroupedFieldSet) -> str:
        """A function from a source to the answer of its selection."""
        rows, objects, completions, shown = [], [], [], []
        for place, (name, details) in enumerate(group.items()):
            field, read_row, read_object = self._reading(of, details)
            value = f"value_{place}"
            rows.append(f"{value} = {read_row}")
            objects.append(f"{value} = {read_object}")
            completions += self._completion(field.type, value, details)
            shown.append(f"{name!r}: {value}")
        body = []
        if of.is_type_of:
            checks = self._named("is_type_of", of.is_type_of)
            body.append(f"if {checks}(source, None) is not True: raise UnplannedError")
        body += ["if type(source) is dict:", _INDENT + "get = source.get"]
        body += [_INDENT + line for line in rows] + ["else:", _INDENT + "refuse(source)"]
        body += [_INDENT + line for line in objects] + completions
        return self._function("object", "source", [*body, f"return {{{', '.join(shown)}}}"])

    def _reading(
        self, parent: GraphQLObjectType, details: list[FieldDetails]
    ) -> tuple[GraphQLField, str, str]:
        """The field, and how it is read off a row and off an object: each an expression of `source`."""
        node = details[0].node
        self._require_plain(details)
        field = self._executor.schema.get_field(parent, node.name.value)
        if field is None or field.args:
            raise NotPlainError
        if node.name.value == "__typename":
            return field, repr(parent.name), repr(parent.name)
        definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if not isinstance(definition, StrawberryField):
            raise NotPlainError
        if getattr(field.resolve, "_is_default", False):
            name = definition.python_name
            return field, f"source.get({name!r})", f"source.{name}"
        if from_source := definition.metadata.get(FROM_SOURCE):
            call = f"{self._named('from_source', from_source)}(source, {parent.name!r})"
        elif _reads_source_alone(definition):
            assert definition.base_resolver  # noqa: S101
            call = f"{self._named('resolve', definition.base_resolver.wrapped_func)}(source)"
        else:
            raise NotPlainError
        return field, call, call

    def _require_plain(self, details: list[FieldDetails]) -> None:
        self._fields += len(details)
        if self._fields > FIELDS_LIMIT or any(
            held.defer_usage or held.fragment_variable_values or _is_streamed(held.node) for held in details
        ):
            raise NotPlainError

    def _completion(self, of: GraphQLOutputType, value: str, details: list[FieldDetails]) -> list[str]:
        """Lines that complete a variable in its place."""
        if isinstance(of, GraphQLNonNull):
            return [
                f"if {value} is None: raise UnplannedError",
                *self._completion_of_present(of.of_type, value, details),
            ]
        lines = self._completion_of_present(of, value, details)
        return [f"if {value} is not None:", *(_INDENT + line for line in lines)]

    def _completion_of_present(
        self, of: GraphQLOutputType, value: str, details: list[FieldDetails]
    ) -> list[str]:
        if isinstance(of, GraphQLObjectType):
            return [f"{value} = {self._object_below(of, details)}({value})"]
        if isinstance(of, GraphQLList):
            items = self._item(of.of_type, details)
            return [
                f"if type({value}) is not list and type({value}) is not tuple: raise UnplannedError",
                f"{value} = [{items} for item in {value}]",
            ]
        if isinstance(of, GraphQLLeafType):
            completed = f"{value} = {self._leaf(of)}({value})"
            exact = _EXACT.get(of)
            return [f"if {exact.format(value)}: {completed}"] if exact else [completed]
        raise NotPlainError  # an interface or union: its types are found out by graphql-core

    def _item(self, of: GraphQLOutputType, details: list[FieldDetails]) -> str:
        """An expression of `item`."""
        if isinstance(of, GraphQLNonNull) and isinstance(of.of_type, GraphQLObjectType):
            return f"{self._object_below(of.of_type, details)}(item)"
        body = [*self._completion(of, "item", details), "return item"]
        return f"{self._function('complete', 'item', body)}(item)"

    def _object_below(self, of: GraphQLObjectType, details: list[FieldDetails]) -> str:
        below = self._executor.collect_subfields(of, details)
        if below.new_defer_usages:
            raise NotPlainError
        return self._object(of, below.grouped_field_set)

    def _leaf(self, of: GraphQLLeafType) -> str:
        return self._named("leaf", _leaf_completion(of))


def _refuse(source: Any) -> None:
    """Raise of a source that is no object to read from."""
    if isinstance(source, (Exception, Awaitable)) or source is None or isinstance(source, dict):
        raise UnplannedError


def _reads_source_alone(definition: StrawberryField) -> bool:
    resolver = definition.base_resolver
    return (
        resolver is not None
        and not definition.is_async
        and not definition.extensions
        and list(resolver.signature.parameters) == ["self"]
    )


def _is_streamed(node: FieldNode) -> bool:
    return any(directive.name.value == "stream" for directive in node.directives or ())


def _leaf_completion(of: GraphQLLeafType) -> Callable[[Any], Any]:
    """As graphql-core completes a leaf. Text of an enum is looked up once."""
    known: dict[str, Any] = {}

    def complete(value: Any) -> Any:
        if isinstance(value, (Exception, Awaitable)):
            raise UnplannedError
        completed = of.coerce_output_value(value)
        if completed is None or completed is Undefined:
            raise UnplannedError
        return completed

    def complete_once(value: Any) -> Any:
        if type(value) is not str:
            return complete(value)
        if value not in known:
            known[value] = complete(value)
        return known[value]

    return complete_once if isinstance(of, GraphQLEnumType) else complete
