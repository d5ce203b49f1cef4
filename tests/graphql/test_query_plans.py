"""Every list has an index for each filter and order it allows: no plan of MongoDB's reads a whole collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLScalarType,
    get_named_type,
    is_list_type,
)

from archive_store.people.sign_in import load_viewer
from archive_store.students.queries import FILTER_FIELDS, StudentOrder
from schema.errors import camel_case
from schema.root import build_schema
from tests.academics.terms import arranged
from tests.graphql.test_schema import Commands, recorded, recording
from tests.school import School

QUERY = build_schema()._schema.query_type
assert QUERY is not None
LISTS = sorted(
    name
    for name, field in QUERY.fields.items()
    if get_named_type(field.type).name.endswith("Connection")
    and not any(
        isinstance(held.type, GraphQLNonNull) and held.default_value is None for held in field.args.values()
    )
)
# What is told of all of them at once, whoever asks: pairs, and what is rare among all.
OF_ALL = {"duplicateCandidates": {"persons"}, "pseudonymisedStudents": {"students"}, "staff": {"role_grants"}}
# Who keeps, decides, enters, audits: among them every list has a reader.
READERS = ("director", "principal", "archive", "information", "analysis", "academic-affairs", "teacher")


def filters(field: Any) -> Iterator[dict[str, Any]]:
    """No filter, then each argument and each member of `where` by itself, with a value that fits its type."""
    yield {}
    for name, held in field.args.items():
        if name in ("first", "after"):
            continue
        of = get_named_type(held.type)
        if isinstance(of, GraphQLInputObjectType):
            for member, inner in of.fields.items():
                for value in values(inner.type):
                    yield {name: {member: value}}
        else:
            for value in values(held.type):
                yield {name: value}


def values(of: Any) -> Iterator[Any]:
    named = get_named_type(of)
    known = {
        "Boolean": (True, False),
        "Int": (1,),
        "Date": ("2026-03-01",),
        "DateTime": ("2026-03-01T00:00:00Z",),
    }
    if isinstance(named, GraphQLEnumType):
        found: tuple[Any, ...] = tuple(named.values)[:3]
    elif isinstance(named, GraphQLScalarType):
        found = known.get(named.name, ("x",))
    else:
        found = ()
    for value in found:
        yield [value] if is_list_type(getattr(of, "of_type", of)) or is_list_type(of) else value


def spelt(value: Any, of: Any) -> str:
    """A value as a literal of the query language."""
    if isinstance(value, dict):
        held = get_named_type(of)
        return (
            "{"
            + ", ".join(f"{name}: {spelt(each, held.fields[name].type)}" for name, each in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(spelt(each, of) for each in value) + "]"
    if isinstance(get_named_type(of), GraphQLEnumType):
        return str(value)
    return orjson.dumps(value).decode()


async def whole_readings(school: School, commands: Commands) -> set[str]:
    """The collections that a recorded reading went through from end to end."""
    found = set()
    for command in commands.read:
        kept = {
            name: value
            for name, value in command.items()
            if name
            not in (
                "lsid",
                "$db",
                "$clusterTime",
                "txnNumber",
                "startTransaction",
                "autocommit",
                "readConcern",
            )
        }
        told = await school.store.database.mongo.command("explain", kept, verbosity="queryPlanner")
        collection = command.get("find") or command.get("aggregate")
        if "COLLSCAN" in orjson.dumps(told, default=str).decode():
            found.add(str(collection))
    return found


@pytest.mark.parametrize("name", LISTS)
async def test_no_filter_of_a_list_reads_a_whole_collection(school: School, settings: Any, name: str) -> None:
    assert QUERY is not None
    field, answered, faults = QUERY.fields[name], 0, set()
    for where in filters(field):
        arguments = "".join(f", {key}: {spelt(value, field.args[key].type)}" for key, value in where.items())
        for reader in READERS:
            query = f"{{ {name}(first: 5{arguments}) {{ edges {{ cursor }} pageInfo {{ hasNextPage }} }} }}"
            commands, result = await recorded(school, settings, reader, query)
            codes = {error.extensions["code"] for error in result.errors or ()}
            assert codes <= {"forbidden", "purpose_required", "not_found", "invalid_argument"}, (query, codes)
            answered += not codes
            whole = await whole_readings(school, commands)
            faults |= {(collection, arguments) for collection in whole - OF_ALL.get(name, set())}
            if not codes:
                break
    assert answered
    assert not faults


@pytest.mark.parametrize("subject", ["director", "teacher", "information"])
async def test_each_filter_and_order_of_students_is_a_range_of_an_index(
    school: School, settings: Any, subject: str
) -> None:
    some = await school.student()
    for order in StudentOrder:
        for attribute in (None, *FILTER_FIELDS):
            told = {None: None, "name_prefix": some.name[:1], "status": "ENROLLED", "identity_number": "X1"}
            value = told.get(attribute) or (attribute and getattr(some, FILTER_FIELDS[attribute]))
            spelling = value if attribute == "status" else orjson.dumps(value).decode()
            where = f", where: {{ {camel_case(attribute)}: {spelling} }}" if attribute else ""
            first = f"{{ students(first: 1, orderBy: {order.name}{where}) {{ pageInfo {{ endCursor }} }} }}"
            commands, result = await recorded(school, settings, subject, first)
            if result.errors:
                continue
            assert not await whole_readings(school, commands), (attribute, order)
            after = result.data["students"]["pageInfo"]["endCursor"]
            if after is not None:
                next_page = first.replace("first: 1", f'first: 1, after: "{after}"')
                commands, result = await recorded(school, settings, subject, next_page)
                assert result.errors is None
                assert not await whole_readings(school, commands), (attribute, order)


async def test_who_signs_in_is_found_by_an_index(school: School, settings: Any) -> None:
    async with recording(school, settings) as (store, commands):
        assert await load_viewer(store, "director") is not None
        assert not await whole_readings(school, commands)


async def test_grades_of_a_term_are_counted_by_an_index(school: School, settings: Any) -> None:
    await arranged(school)
    query = """{ gradeDistributions(terms: ["2025-1"]%s) { distributions { className } } }"""
    for courses in ("", ', courses: ["MATH"]'):
        commands, result = await recorded(school, settings, "academic-affairs", query % courses)
        assert result.errors is None
        assert "grade_records" in {command.get("find") for command in commands.read}
        assert "grade_records" not in await whole_readings(school, commands)
