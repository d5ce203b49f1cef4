"""What a query may ask for: limits of its document, and what it costs."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import get_introspection_query, get_operation_ast, parse

from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.context import Context
from schema.cost import cost_of
from schema.limits import check_document
from schema.nodes import global_id
from schema.root import build_schema
from schema.scans.types import SCAN
from schema.students.types import STUDENT
from scripts.bench import LIST_QUERY
from tests.school import School


def doubling(levels: int) -> str:
    """A fragment that spreads another twice, and so on: each level doubles what there is to walk."""
    fragments = [f"fragment F{i} on Student {{ ...F{i + 1} ...F{i + 1} }}" for i in range(levels)]
    last = f"fragment F{levels} on Student {{ name }}"
    return " ".join(["{ students(first: 1) { edges { node { ...F0 } } } }", *fragments, last])


def nested(levels: int) -> str:
    return "{" + "a {" * levels + "a" + "}" * levels + "}"


def chain(links: int) -> str:
    fragments = [f"fragment F{i} on Query {{ ...F{i + 1} }}" for i in range(links)]
    return " ".join(["{ ...F0 }", *fragments, f"fragment F{links} on Query {{ viewer {{ name }} }}"])


def deep_chain() -> str:
    fragments = [f"fragment F{i} on Query {{ {'a {' * 150} ...F{i + 1} {'}' * 150} }}" for i in range(12)]
    return " ".join(["{ ...F0 }", *fragments, "fragment F12 on Query { a }"])


def aliases(count: int) -> str:
    return "{" + " ".join(f"a{i}: viewer {{ name }}" for i in range(count)) + "}"


@pytest.mark.parametrize(
    "query",
    [
        doubling(10),
        nested(15),
        chain(50),
        get_introspection_query(input_value_deprecation=True),
        aliases(30),
        "{ ...A ...A ...A } fragment A on Query {" + aliases(10)[1:],
        "{ viewer {" + " name" * 50 + "} }",
        "{ nosuch { ...Missing } }",  # validation says so
        "{ __schema { types { " + "ofType { " * 30 + "name" + " }" * 30 + " } } }",
    ],
)
def test_documents_within_the_limits(query: str) -> None:
    check_document(parse(query))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (doubling(20), "10000 fields"),
        (doubling(150), "10000 fields"),
        (nested(16), "15 levels of fields"),
        (nested(150), "100 levels of nesting"),
        (chain(120), "100 levels of nesting"),
        (deep_chain(), "levels of nesting"),
        (aliases(31), "30 aliases"),
        ("{ ...A ...A ...A ...A } fragment A on Query {" + aliases(10)[1:], "30 aliases"),
        ("{ viewer {" + " name" * 51 + "} }", "50 fields of one name"),
        ("{" + " viewer { name }" * 51 + "}", "50 fields of one name"),
        (
            "{ viewer {" + " ...A" + " name" * 30 + "} } fragment A on Viewer {" + " name" * 30 + "}",
            "50 fields",
        ),
        ("{ viewer {" + " ... on Viewer { name }" * 51 + "} }", "50 fields of one name"),
        ("{" + " viewer { name name name }" * 20 + "}", "50 fields of one name"),
    ],
)
def test_documents_over_a_limit_are_refused_at_once(query: str, told: str) -> None:
    document = parse(query)
    started = time.perf_counter()
    with pytest.raises(RegistrarError, match=told) as caught:
        check_document(document)
    assert caught.value.code is ErrorCode.TOO_COMPLEX
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    "query",
    [
        "{ ...A } fragment A on Query { ...A }",
        "{ viewer { ...A } } fragment A on Viewer { name ...B } fragment B on Viewer { ...A }",
        "{ ...A } fragment A on Query { node { ...A } }",
        "{ viewer { name } } fragment A on Query { ...A }",
    ],
)
def test_fragments_in_a_circle_are_refused(query: str) -> None:
    with pytest.raises(RegistrarError, match="within itself") as caught:
        check_document(parse(query))
    assert caught.value.code is ErrorCode.INVALID_QUERY


ENTITIES = "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Student { name } } }"


def cost(query: str, **variables: Any) -> int:
    document = parse(query)
    operation = get_operation_ast(document)
    assert operation
    return cost_of(build_schema()._schema, document, operation, variables)


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("{ viewer { name posts } }", {}, 4),
        ("{ __typename __schema { types { name } } }", {}, 2),
        ("{ students(first: 100) { __typename } }", {}, 201),
        ("{ students { __typename } }", {}, 41),
        ("query ($n: Int!) { students(first: $n) { __typename } }", {"n": 5}, 11),
        ("query ($n: Int!) { students(first: $n) { __typename } }", {"n": 5.0}, 11),
        ("query ($n: Int! = 7) { students(first: $n) { __typename } }", {}, 15),
        ("query ($n: Int! = 7) { students(first: $n) { __typename } }", {"n": "x"}, 3),
        ("query ($n: Int) { students(first: $n) { __typename } }", {}, 41),
        ("{ students(first: -9) { __typename } }", {}, 3),
        ('{ student(id: "x") { guardians { name phone } } }', {}, 1 + 1 + 1 + 3 * 3),
        ('{ student(id: "x") { ...F ...F } } fragment F on Student { name }', {}, 4),
        ('{ node(id: "x") { ... on Student { name } ... on ChangeRequest { status } } }', {}, 4),
        (ENTITIES, {"r": [{}, {}, {}]}, 7),
        (ENTITIES, {"r": "x"}, 3),
        ("query ($x: Boolean!) { viewer { name @skip(if: $x) posts @include(if: $x) } }", {"x": True}, 3),
    ],
)
def test_costs(query: str, variables: dict[str, Any], expected: int) -> None:
    assert cost(query, **variables) == expected


HISTORIES = "{ students(first: 100) { edges { node { auditHistory(first: 100) { %s } } } } }"


async def test_what_the_cost_limit_lets_through(school: School) -> None:
    limit = school.store.settings.cost_limit
    assert cost(LIST_QUERY) * 4 < limit
    for selection in (
        "__typename",
        "pageInfo { hasNextPage }",
        "edges { cursor }",
        "edges { node { kind } }",
    ):
        assert cost(HISTORIES % selection) > limit
    assert (
        cost('{ student(id: "x") { auditHistory(first: 100) { edges { node { changes { field } } } } } }')
        < limit
    )


async def answer(school: School, query: str, **variables: Any) -> Any:
    context = Context(school.store, await school.viewer("director", "核对"))
    return await build_schema().execute(query, variables, context_value=context)


async def test_an_operation_over_the_cost_limit_does_not_run(school: School) -> None:
    query = "query ($n: Int!) { students(first: $n) { edges { node { name } } } }"
    assert (await answer(school, query, n=6)).errors is None
    for sent, n in ((query, 5_000), (query, 10**12), (HISTORIES % "__typename", 1)):
        told = await answer(school, sent, n=n)
        assert told.data is None
        (error,) = told.errors
        assert error.extensions["code"] == "too_complex"
        assert "成本" in error.extensions["messageZh"]
    settings = school.store.settings.model_copy(update={"cost_limit": 3})
    strict = School(replace(school.store, settings=settings))
    assert (await answer(strict, "{ viewer { name posts } }")).errors[0].extensions["code"] == "too_complex"


async def test_fragments_that_double_do_not_hold_the_server_up(school: School) -> None:
    told = await answer(school, doubling(10))
    assert told.errors is None
    assert told.data["students"]["edges"][0]["node"]["name"]
    # Of this process alone: others may hold the machine up.
    started = time.process_time()
    for query in (doubling(20), "{ viewer {" + " name" * 480 + "} }"):
        told = await answer(school, query)
        assert told.errors[0].extensions["code"] == "too_complex"
    assert time.process_time() - started < 0.5


async def test_fields_of_two_fragments_are_one(school: School) -> None:
    query = """
      { students(first: 1) { ...A edges { node { ...C } } ...B } }
      fragment A on StudentConnection { edges { node { name guardians { name } } } }
      fragment B on StudentConnection { edges { node { grade guardians { ...D } } } }
      fragment C on Student { className ...E } fragment E on Student { ...F ...F }
      fragment F on Student { status } fragment D on Guardian { phone }
    """
    told = await answer(school, query)
    assert told.errors is None
    (edge,) = told.data["students"]["edges"]
    assert all(edge["node"].values())
    assert all(guardian["name"] and guardian["phone"] for guardian in edge["node"]["guardians"])


@pytest.mark.parametrize(
    ("header", "variables", "shown"),
    [
        ("query ($id: ID!, $x: Boolean!)", {"x": True}, True),
        ("query ($id: ID!, $x: Boolean!)", {"x": False}, False),
        ("query ($id: ID!, $x: Boolean = true)", {}, True),
        ("query ($id: ID!, $x: Boolean = false)", {}, False),
        ("query ($id: ID!, $x: Boolean! = true)", {"x": False}, False),
        ("query ($id: ID!, $x: Boolean!)", {}, None),
        ("query ($id: ID!, $x: Boolean = true)", {"x": None}, None),
        ("query ($id: ID!, $x: Boolean)", {}, None),
    ],
)
async def test_skip_and_include_by_variables(
    school: School, header: str, variables: dict[str, Any], shown: bool | None
) -> None:
    student = await school.student()
    for entry in ("student(id: $id) {", "node(id: $id) { ... on Student {"):
        fields = "phone @include(if: $x) email @skip(if: $x) ... @include(if: $x) { name } grade"
        query = f"{header} {{ {entry} {fields} {'}' * entry.count('{')} }}"
        told = await answer(school, query, id=global_id("Student", student.key), **variables)
        if shown is None:
            assert {error.extensions["code"] for error in told.errors} == {"invalid_query"}
            continue
        assert told.errors is None
        (found,) = told.data.values()
        assert set(found) == {"grade", *(("phone", "name") if shown else ("email",))}
        assert found["grade"] == student.grade
    query = f"{header} {{ students(first: 1) @include(if: $x) {{ edges {{ node {{ name @skip(if: $x) id }} }} }} }}"
    told = await answer(school, query.replace("$id: ID!, ", ""), **variables)
    assert (told.errors is None) is (shown is not None)


def test_fragments_on_other_types_ask_for_nothing() -> None:
    query = """{ node(id: "x") { ...S ... on ChangeRequest { s: status } ... on Node { ... on Scan { sha256 } }
        ... on Node { ... on Student { grade ... on ChangeRequest { name } } } } }
        fragment S on Student { phone guardians { ...G } }
        fragment G on Guardian { name }"""
    document = parse(query)
    operation = get_operation_ast(document)
    assert operation
    raw = SimpleNamespace(
        schema=build_schema()._schema,
        field_nodes=list(operation.selection_set.selections),
        fragments={held.name.value: held for held in document.definitions[1:]},  # type: ignore[attr-defined]
        variable_values={},
    )
    info: Any = SimpleNamespace(_raw_info=raw)
    assert STUDENT.selected(info) == {"phone", "grade", "guardians.name"}
    assert SCAN.selected(info) == {"sha256"}
