"""Every answer with plans is the answer without: data, errors, and where errors null what is around them.

The schema here has every shape a plan knows and those that it leaves alone; its values are often not what their types
say. `REGISTRAR_PLANNED_OPERATIONS` is how many operations are drawn.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any

import orjson
import pytest
import strawberry
from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
)
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema import Schema

from schema.plans.compiler import FIELDS_LIMIT, FROM_SOURCE
from schema.plans.executor import PlannedExecutor, planned_executor
from schema.scalars import CONFIG, Day

OPERATIONS = int(os.environ.get("REGISTRAR_PLANNED_OPERATIONS", "500"))


@strawberry.enum
class Colour(Enum):
    RED = "red"
    GREEN = "green"


def _told(source: Any, type_name: str) -> str:
    return f"{type_name} {source['name']}"


@strawberry.interface
class Named:
    name: str | None

    @strawberry.field(metadata={FROM_SOURCE: _told})  # type: ignore[untyped-decorator]
    def told(self, info: strawberry.Info) -> str | None:
        return _told(self, info._raw_info.parent_type.name)


@strawberry.type
class Leaf(Named):
    number: int | None
    weight: float | None
    flag: bool | None
    key: strawberry.ID | None
    day: Day | None
    at: datetime | None
    colour: Colour | None
    sure: str
    sure_number: int
    texts: list[str] | None
    maybe_texts: list[str | None]
    grid: list[list[int]] | None

    @classmethod
    def is_type_of(cls, source: Any, info: Any) -> bool:
        return isinstance(source, dict) and "colours" not in source

    @strawberry.field
    def loud(self) -> str | None:
        return self["name"].upper()  # type: ignore[index, no-any-return]


@strawberry.type
class Branch(Named):
    leaf: Leaf | None
    sure_leaf: Leaf
    leaves: list[Leaf]
    maybe_leaves: list[Leaf | None] | None
    branch: Branch | None
    branches: list[Branch] | None
    named: Named | None
    either: Annotated[Leaf | Plain, strawberry.union("Either")] | None
    plain: Plain | None
    plains: list[Plain] | None

    @classmethod
    def is_type_of(cls, source: Any, info: Any) -> bool:
        return isinstance(source, dict)

    @strawberry.field
    async def later(self) -> str | None:
        return self["name"]  # type: ignore[index, no-any-return]

    @strawberry.field
    def times(self, by: int = 2) -> int | None:
        return self["number"] * by  # type: ignore[index, no-any-return]

    @strawberry.field
    def of_info(self, info: strawberry.Info) -> str:
        return str(info.path.key)


@strawberry.type
class Plain:
    """Read off an object."""

    text: str | None
    sure: str
    leaf: Leaf | None


class Unexpected:
    """A value of no type."""

    def __repr__(self) -> str:
        return "unexpected"


def _value(chance: random.Random, *usual: Any) -> Any:
    """One of the usual values, or seldom something that no type expects."""
    if chance.random() < 0.93 or isinstance(chance, Sound):
        return chance.choice(usual)
    odd: tuple[Any, ...] = (
        None,
        ValueError("kept"),
        "text",
        7,
        2**40,
        float("nan"),
        [],
        {},
        ("t",),
        Unexpected(),
    )
    return chance.choice(odd)


class Sound(random.Random):
    """Draws usual values alone."""


def leaf(chance: random.Random) -> Any:
    return {
        "name": _value(chance, "a", "b", None),
        "number": _value(chance, 1, 2, None),
        "weight": _value(chance, 1.5, 2, None),
        "flag": _value(chance, True, False, None),
        "key": _value(chance, "k", 12, None),
        "day": _value(chance, "2026-11-29", None),
        "at": _value(chance, datetime(2026, 11, 29, tzinfo=UTC), None),
        "colour": _value(chance, "red", Colour.GREEN, "green", "blue" if chance.random() < 0.1 else "red"),
        "sure": _value(chance, "s"),
        "sure_number": _value(chance, 3),
        "texts": _value(chance, ["x", "y"], ("z",), [], None),
        "maybe_texts": _value(chance, ["x", None], []),
        "grid": _value(chance, [[1], [2, 3]], [[]], None),
    }


@dataclass
class PlainSource:
    text: Any
    sure: Any
    leaf: Any


@dataclass
class PlainSourceWithoutSure:
    text: Any = "t"
    leaf: Any = None


def plain(chance: random.Random) -> Any:
    if chance.random() < 0.05:
        return PlainSourceWithoutSure()
    if chance.random() < 0.05:
        return None
    return PlainSource(_value(chance, "t", None), _value(chance, "s"), _value(chance, leaf(chance), None))


def branch(chance: random.Random, depth: int = 3) -> Any:
    below = [branch(chance, depth - 1) for _ in range(chance.randint(0, 2))] if depth else []
    leaves = [leaf(chance) for _ in range(chance.randint(0, 3))]
    return {
        "name": _value(chance, "a", "b"),
        "number": 3,
        "leaf": _value(chance, leaf(chance), None),
        "sure_leaf": _value(chance, leaf(chance)),
        "leaves": _value(chance, leaves),
        "maybe_leaves": _value(chance, [*leaves, None], (item for item in leaves), None),
        "branch": below[0] if below else None,
        "branches": _value(chance, below, None),
        "named": _value(chance, leaf(chance), None),
        "either": _value(chance, leaf(chance), None),
        "plain": plain(chance),
        "plains": _value(chance, [plain(chance), plain(chance)], None),
    }


async def _later(value: Any) -> Any:
    return value


@strawberry.type
class Query:
    @strawberry.field
    def branch(self, info: strawberry.Info, seed: int) -> Branch | None:
        return branch(random.Random(seed))  # type: ignore[no-any-return]

    @strawberry.field
    def sound(self, seed: int) -> list[Branch]:
        chance = Sound(seed)
        return [branch(chance, 2) for _ in range(5)]

    @strawberry.field
    async def branches(self, info: strawberry.Info, seed: int) -> list[Branch] | None:
        chance = random.Random(seed)
        made = [branch(chance, 2) for _ in range(5)]
        return [_later(made[0]), *made[1:]]


class QuietSchema(Schema):
    """Errors are what this is about; they are compared, not logged."""

    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        pass


def both() -> tuple[Schema, Schema]:
    """The schema without plans, and with them."""
    return tuple(  # type: ignore[return-value]
        QuietSchema(
            query=Query,
            types=[Leaf],
            config=CONFIG,
            execution_context_class=executor,
            # The nodes of a document are known again where it is parsed once.
            extensions=[lambda: ParserCache(maxsize=100), lambda: ValidationCache(maxsize=100)],
        )
        for executor in (None, planned_executor())
    )


@dataclass
class Operation:
    """Draws one operation of a schema."""

    schema: Schema
    chance: random.Random
    fragments: list[str] = field(default_factory=list)
    declared: dict[str, bool] = field(default_factory=dict)
    aliases: int = 0

    def text(self) -> str:
        roots = " ".join(
            f"r{place}: {name}(seed: {self.chance.randrange(10**6)}) {{ {self._selection('Branch', 3)} }}"
            for place, name in enumerate(self.chance.choices(("branch", "branches"), k=2))
        )
        variables = ", ".join(f"${name}: Boolean!" for name in self.declared)
        head = f"query Q({variables})" if variables else "query Q"
        return " ".join([f"{head} {{ {roots} }}", *self.fragments])

    def _type(self, name: str) -> GraphQLNamedType:
        return self.schema._schema.type_map[name]

    def _selection(self, type_name: str, depth: int) -> str:
        of = self._type(type_name)
        if isinstance(of, GraphQLUnionType):
            inner = " ".join(f"... on {name} {{ {self._selection(name, 0)} }}" for name in ("Leaf", "Plain"))
            return f"__typename {inner}"
        assert isinstance(of, (GraphQLObjectType, GraphQLInterfaceType))
        names = self.chance.sample(list(of.fields), min(len(of.fields), self.chance.randint(1, 6)))
        parts = [part for name in names if (part := self._field(of, name, depth))]
        if self.chance.random() < 0.2:
            parts.append("__typename")
        return " ".join(self._wrapped(part, type_name) for part in parts) or "__typename"

    def _field(self, of: Any, name: str, depth: int) -> str | None:
        below = get_named_type(of.fields[name].type)
        shown = name
        if self.chance.random() < 0.2 and self.aliases < 25:
            self.aliases += 1
            shown = f"a{self.aliases}: {name}"
        if not isinstance(below, (GraphQLObjectType, GraphQLInterfaceType, GraphQLUnionType)):
            return f"{shown}(by: 3)" if name == "times" and self.chance.random() < 0.5 else shown
        return f"{shown} {{ {self._selection(below.name, depth - 1)} }}" if depth else None

    def _wrapped(self, part: str, type_name: str) -> str:
        kind = self.chance.random()
        if kind < 0.75:
            return part
        if kind < 0.85:
            return f"... on {type_name}{self._condition()} {{ {part} }}"
        if kind < 0.9:
            return f"...{self._condition()} {{ {part} }}"
        name = f"F{len(self.fragments)}"
        self.fragments.append("")  # its place, for those inside it
        self.fragments[int(name[1:])] = f"fragment {name} on {type_name} {{ {part} }}"
        return f"...{name}{self._condition()}"

    def _condition(self) -> str:
        if self.chance.random() < 0.5:
            return ""
        name = f"v{len(self.declared)}"
        self.declared[name] = self.chance.random() < 0.6
        return f" @{self.chance.choice(('include', 'skip'))}(if: ${name})"


async def answer(schema: Schema, text: str, variables: dict[str, Any]) -> str:
    result = await schema.execute(text, variables)
    errors = sorted(
        (orjson.dumps(error.formatted, option=orjson.OPT_SORT_KEYS) for error in result.errors or ()),
    )
    # Members of an answer in their order, too.
    return (orjson.dumps([result.data], default=str) + b"".join(errors)).decode()


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the fields that graphql-core resolves, by the executor's name."""
    counted: Counter[str] = Counter()
    build = PlannedExecutor.__mro__[1].build_resolve_info  # type: ignore[attr-defined]

    def counting(self: Any, *args: Any) -> Any:
        counted[type(self).__name__] += 1
        return build(self, *args)

    monkeypatch.setattr(PlannedExecutor.__mro__[1], "build_resolve_info", counting)
    return counted


async def test_answers_are_those_of_graphql_core(
    resolved: Counter[str], record_property: Callable[[str, object], None]
) -> None:
    without, planned = both()
    chance, counted = random.Random(1), Counter[str]()
    for _ in range(OPERATIONS):
        operation = Operation(without, random.Random(chance.randrange(2**32)))
        text, variables = operation.text(), operation.declared
        expected = await answer(without, text, variables)
        for _ in range(2):  # compiled when it is met again
            assert await answer(planned, text, variables) == expected, text
        turned = {name: not value for name, value in variables.items()}
        assert await answer(planned, text, turned) == await answer(without, text, turned), text
        counted["with errors"] += '"path"' in expected
    record_property("fields resolved", dict(resolved))
    assert counted["with errors"] > OPERATIONS // 20
    # Two askings in three are planned; what is left alone stands beside what is not.
    assert resolved["PlannedExecutor"] < 1.6 * resolved["StrawberryGraphQLCoreExecutionContext"], resolved


async def test_what_is_plain_is_not_resolved_field_by_field(resolved: Counter[str]) -> None:
    without, planned = both()
    text = "{ sound(seed: 9) { name leaves { name number colour told } branch { sureLeaf { day at } } } }"
    expected = await answer(without, text, {})
    await answer(planned, text, {})
    assert resolved["PlannedExecutor"] == resolved["StrawberryGraphQLCoreExecutionContext"] > 30
    resolved.clear()
    assert await answer(planned, text, {}) == expected
    assert resolved["PlannedExecutor"] == 1


async def test_a_selection_over_the_limit_is_left_to_graphql_core() -> None:
    without, planned = both()
    fields = " ".join(f"a{place}: name" for place in range(FIELDS_LIMIT + 1))
    text = f"{{ branch(seed: 1) {{ {fields} }} }}"
    expected = await answer(without, text, {})
    for _ in range(3):
        assert await answer(planned, text, {}) == expected
