"""The schema as exported, its classes, and how many queries it costs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type
from pymongo import AsyncMongoClient, monitoring
from strawberry.types import get_object_definition

import schema
from archive_store.archive import RECORD_TYPES
from archive_store.foundation.database import Database
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.store import Store
from archive_store.students.documents import Student as StoredStudent
from schema.context import Context
from schema.root import build_schema, export_sdl
from schema.students.types import STUDENT, Student
from tests.school import School

SDL = Path(schema.__file__).with_name("schema.graphql")


def test_the_checked_in_sdl_is_current() -> None:
    assert SDL.read_text(encoding="utf-8") == export_sdl(), (
        "run: registrar schema export schema/schema.graphql"
    )


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_every_stored_leaf_has_a_class(record_type: Any) -> None:
    assert field_classes(record_type)


def test_every_field_of_a_student_is_governed_or_computed() -> None:
    computed = {"id", "scans", "auditHistory", "accessHistory", "viewerCan", "fieldAccess", "moment", "diff"}
    computed |= {
        "archiveCompleteness",
        "certificates",
        "fileTransfers",
        "transferCases",
        "major",
        "mergedRecords",
        "numberHistory",
        "numberState",
        "objections",
        "schoolClass",
    }
    computed |= {"attendance", "awards", "dormitory", "gpa", "meals", "grades", "sanctions", "transcripts"}
    names = {field.name for field in get_object_definition(Student, strict=True).fields}
    shown = set(STUDENT.leaves) | set(STUDENT.lists)
    fields = build_schema().schema_converter.type_map["Student"].implementation
    assert isinstance(fields, GraphQLObjectType)
    assert set(fields.fields) == shown | computed
    assert names


def test_every_leaf_of_a_student_is_shown_or_meant_to_be_hidden() -> None:
    hidden = {"person_id", "pseudonym", "created_at", "guardians.person_id"}
    assert set(STUDENT.coordinates) == field_classes(StoredStudent).keys() - hidden


def test_sensitive_fields_are_nullable_and_carry_their_class() -> None:
    text = SDL.read_text(encoding="utf-8")
    assert "identityNumber: String @fieldClass(is: F3," in text
    assert "auxiliaryNumber: String @fieldClass(is: F1," in text
    graphql_schema = build_schema()._schema
    for name, field in graphql_schema.type_map["Student"].fields.items():  # type: ignore[attr-defined]
        if name not in {"id", "viewerCan", "fieldAccess"}:
            assert not str(field.type).endswith("!"), name


def test_every_type_and_field_of_the_root_is_described() -> None:
    graphql_schema = build_schema()._schema
    for root in ("Query", "Mutation"):
        for name, field in graphql_schema.type_map[root].fields.items():  # type: ignore[attr-defined]
            if name.startswith("_"):  # Federation's own
                continue
            assert field.description, f"{root}.{name}"
            assert get_named_type(field.type).description, f"type of {root}.{name}"


class Commands(monitoring.CommandListener):
    def __init__(self) -> None:
        self.names: list[str] = []
        self.projections: list[dict[str, Any]] = []
        self.read: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("find", "aggregate"):
            self.names.append(f"{event.command_name} {event.command[event.command_name]}")
            self.projections.append(dict(event.command.get("projection") or {}))
            self.read.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@asynccontextmanager
async def recording(school: School, settings: Any) -> AsyncIterator[tuple[Store, Commands]]:
    """The store on a connection of its own, whose commands are recorded."""
    commands = Commands()
    database = Database.__new__(Database)
    url = settings.mongodb_url.get_secret_value()
    database.client = AsyncMongoClient(url, tz_aware=True, event_listeners=[commands])
    database.mongo = database.client[settings.mongodb_database]
    try:
        yield replace(school.store, database=database), commands
    finally:
        await database.client.close()


async def recorded(school: School, settings: Any, subject: str, query: str) -> tuple[Commands, Any]:
    """Run the query, and what was read for it."""
    async with recording(school, settings) as (store, commands):
        context = Context(store, await school.viewer(subject))
        result = await build_schema().execute(query, context_value=context)
        return commands, result


async def test_a_list_costs_one_query_a_level_however_long(school: School, settings: Any) -> None:
    counts = []
    for first in (1, 6):
        fields = "name guardians { name } scans { size } auditHistory(first: 2) { edges { node { kind } } }"
        query = f"{{ students(first: {first}) {{ edges {{ node {{ {fields} }} }} }} }}"
        commands, result = await recorded(school, settings, "information", query)
        assert result.errors is None
        counts.append(commands.names)
    assert sorted(counts[0]) == sorted(counts[1])
    # The page, then for each nested list who may see it and what is in it.
    assert sorted(counts[0]) == [
        "aggregate audit_entries",
        "find scans",
        "find students",
        "find students",
        "find students",
    ]


async def test_reading_sensitive_values_is_recorded_once_a_query_however_long(
    school: School, settings: Any
) -> None:
    for first in (1, 6):
        before = await school.counts()
        query = f"{{ students(first: {first}) {{ edges {{ node {{ phone guardians {{ phone }} }} }} }} }}"
        _, result = await recorded(school, settings, "director", query)
        assert result.errors is None
        after = await school.counts()
        added = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)}
        assert added == {"access_events": 1, "audit_entries": 1, "audit_heads": 1}


async def test_what_is_skipped_by_a_variable_is_not_loaded(school: School) -> None:
    """Nothing else tells than that the reading of `phone` is not recorded."""
    query = """query ($phone: Boolean!, $name: Boolean = true) { students(first: 2) { edges { node {
      name @include(if: $name) phone @include(if: $phone) ... on Student @skip(if: $phone) { grade }
    } } } }"""
    for wanted in (True, False):
        before = (await school.counts()).get("access_events", 0)
        context = Context(school.store, await school.viewer("director"))
        result = await build_schema().execute(query, {"phone": wanted}, context_value=context)
        assert result.errors is None
        assert result.data is not None
        for edge in result.data["students"]["edges"]:
            assert edge["node"].keys() == ({"name", "phone"} if wanted else {"name", "grade"})
            assert all(edge["node"].values())
        assert (await school.counts()).get("access_events", 0) - before == wanted


async def test_forbidden_values_are_not_even_asked_for(school: School, settings: Any) -> None:
    query = (
        "{ students(first: 2) { edges { node { name phone identityNumber address guardians { phone } } } } }"
    )
    commands, _ = await recorded(school, settings, "information", query)
    (projection,) = commands.projections
    secret = {path for path, held in field_classes(StoredStudent).items() if held is FieldClass.F3}
    assert secret.isdisjoint(projection)
    assert "name" in projection
