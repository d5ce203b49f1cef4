"""The subgraph: its SDL, and `_entities`, which must show what every other door shows and no more."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId
from graphql import build_ast_schema, parse
from strawberry.federation.schema_directives import Key
from strawberry.types import get_object_definition

from api.dev.demo import STAFF, demo_paper
from archive_store.access.retrieval_grants import AccessEvent
from archive_store.access.viewer import Viewer
from archive_store.crisis.documents import CrisisTeam
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.scans.uploads import file_scan
from schema.access import GovernedType
from schema.context import Context
from schema.federation import REPRESENTATIONS_LIMIT
from schema.nodes import global_id
from schema.root import build_schema, export_sdl
from schema.scans.types import SCAN
from schema.students.types import STUDENT
from tests.conftest import STUDENTS
from tests.graphql.test_schema import recorded
from tests.scans.test_pipeline import body
from tests.school import PURPOSE, School

ENTITIES = ("ChangeRequest", "Scan", "Student")
ENTITIES_QUERY = "query ($of: [_Any!]!) {{ _entities(representations: $of) {{ __typename {on} }} }}"


# Of leaves that GraphQL shows as objects.
BELOW = {"findings": "findings { code pages messageZh messageEn }"}


def every_field(governed: GovernedType) -> str:
    nested = "".join(f" {name} {{ {every_field(below)} }}" for name, below in governed.lists.items())
    return " ".join(BELOW.get(name, name) for name in governed.leaves) + nested


SCAN_FIELDS = f"id {every_field(SCAN)} contentClass contentUrl viewerCan(action: DOWNLOAD) {{ allowed }}"
FIELDS = {
    "Student": f"id {every_field(STUDENT)} scans {{ {SCAN_FIELDS} }} "
    "auditHistory { edges { node { kind reason changes { field before after withheld } } } } "
    "fieldAccess { field readable reason changeable } viewerCan(action: STUDENT_UPDATE) { allowed }",
    "ChangeRequest": "id operation status chain requestedByName createdAt appliedAt targetId awaits reason "
    "steps { tier comment } changes { field before after withheld } viewerCan(action: APPROVE) { allowed }",
    "Scan": SCAN_FIELDS,
}
ROOT_FIELDS = {"Student": "student", "ChangeRequest": "changeRequest", "Scan": "scan"}


async def run(school: School, viewer: Viewer, query: str, **variables: Any) -> Any:
    context = Context(school.store, viewer)
    return await build_schema().execute(query, variable_values=variables, context_value=context)


async def entities(school: School, viewer: Viewer, on: str, *representations: Any) -> Any:
    return await run(school, viewer, ENTITIES_QUERY.format(on=on), of=list(representations))


def reference(type_name: str, key: ObjectId, **others: Any) -> dict[str, Any]:
    return {"__typename": type_name, "id": global_id(type_name, key), **others}


async def with_records(school: School) -> dict[str, list[ObjectId]]:
    """Keys by type: a student, a request about them, and scans of theirs, one of them sealed."""
    student = await school.student()
    request = await school.request("information", student, phone="13900001111", former_name="王小明")
    archive, paper = await school.viewer("archive"), demo_paper("PDF", pages=2)
    names = ("2023级户口簿.pdf", "2023级体检表.pdf")
    scans = [await file_scan(school.store, archive, student.key, name, body(paper)) for name in names]
    return {"Student": [student.key], "ChangeRequest": [request], "Scan": [scan.key for scan in scans]}


def test_the_sdl_of_the_service_is_the_exported_one() -> None:
    result = build_schema().execute_sync("{ _service { sdl } }")
    assert result.data is not None
    assert result.data["_service"]["sdl"] + "\n" == export_sdl()
    assert build_ast_schema(parse(export_sdl()), assume_valid_sdl=True).type_map["Student"]


def test_entities_have_a_key_a_resolver_and_need_a_signed_in_viewer() -> None:
    converter = build_schema().schema_converter
    found = []
    for name, known in converter.type_map.items():
        directives = getattr(known.definition, "directives", None) or ()
        if any(isinstance(directive, Key) for directive in directives):
            found.append(name)
            assert hasattr(
                get_object_definition(known.definition.origin, strict=True).origin, "resolve_reference"
            )
            assert f'type {name} implements Node @key(fields: "id") @authenticated' in export_sdl()
    assert sorted(found) == list(ENTITIES)


def test_the_directive_of_classes_is_defined_linked_and_composed() -> None:
    sdl = export_sdl()
    assert "directive @fieldClass(is: FieldClass!, changeTiers: [Tier!]) on FIELD_DEFINITION" in sdl
    assert '@composeDirective(name: "@fieldClass")' in sdl
    assert '@link(url: "https://registrar.example/spec/access/v0.1", import: ["@fieldClass"])' in sdl


def test_fields_tell_class_tiers_and_policy() -> None:
    sdl = export_sdl()
    both = "changeTiers: [DEPARTMENT_HEAD, VICE_PRINCIPAL]"
    assert f"name: String @fieldClass(is: F0, {both})\n" in sdl
    assert (
        f'identityNumber: String @fieldClass(is: F3, {both}) @policy(policies: [["field-class-F3"]])\n' in sdl
    )
    assert "revision: Int @fieldClass(is: F0)\n" in sdl  # no operation changes it
    # Each field of a sensitive class names its policy, and no other does.
    shown = [line for line in sdl.splitlines() if "@fieldClass(is: F3" in line]
    assert len(shown) >= len(encrypted_paths(CrisisTeam)) + len(encrypted_paths(AccessEvent))
    assert [line for line in sdl.splitlines() if '@policy(policies: [["field-class-F3"]])' in line] == shown


@pytest.mark.parametrize("subject", [*(subject for subject, *_ in STAFF), "service"])
async def test_every_role_is_shown_what_the_direct_query_shows(school: School, subject: str) -> None:
    keys = await with_records(school)
    for purpose in (PURPOSE, None):
        viewer = await school.viewer(subject, purpose)
        for type_name, fields in FIELDS.items():
            for key in keys[type_name]:
                query = f"query ($id: ID!) {{ found: {ROOT_FIELDS[type_name]}(id: $id) {{ __typename {fields} }} }}"
                direct = await run(school, viewer, query, id=global_id(type_name, key))
                told = await entities(
                    school, viewer, f"... on {type_name} {{ {fields} }}", reference(type_name, key)
                )
                assert direct.errors is None
                assert told.errors is None
                assert told.data["_entities"] == [direct.data["found"]]
                assert told.extensions == direct.extensions


async def test_the_roles_differ_and_someone_sees_something(school: School) -> None:
    """Guards the comparison above against comparing nothing with nothing."""
    keys = await with_records(school)
    seen = {}
    for subject in ("director", "information", "analysis", "logistics"):
        on = "... on Student { name phone } ... on ChangeRequest { operation } ... on Scan { size }"
        references = [reference(name, key) for name in ENTITIES for key in keys[name]]
        told = await entities(school, await school.viewer(subject), on, *references)
        seen[subject] = [bool(found) for found in told.data["_entities"]]
        phones = [found["phone"] for found in told.data["_entities"] if found and "phone" in found]
        assert any(phones) is (subject == "director")
    assert seen == {
        "director": [True] * 4,
        "information": [True, True, False, True],  # not the sealed scan
        "analysis": [False] * 4,
        "logistics": [False, False, False, True],
    }


async def test_fields_that_the_caller_sends_are_never_shown(school: School) -> None:
    keys = await with_records(school)
    spoofed = {
        "name": "spoofed",
        "phone": "spoofed",
        "operation": "spoofed",
        "documentType": "spoofed",
        "file_name": "spoofed",
        "_id": "spoofed",
        "info": "spoofed",
        "key": "spoofed",
    }
    on = "... on Student { name phone } ... on ChangeRequest { operation } ... on Scan { documentType fileName }"
    for subject in ("director", "information", "logistics", "analysis"):
        viewer = await school.viewer(subject)
        honest = [reference(name, keys[name][0]) for name in ENTITIES]
        lying = [{**told, **spoofed} for told in honest]
        expected, told = (
            await entities(school, viewer, on, *honest),
            await entities(school, viewer, on, *lying),
        )
        assert told.errors is None
        assert told.data == expected.data
        assert "spoofed" not in json.dumps(told.data)


async def test_what_cannot_be_seen_is_as_what_is_missing(school: School) -> None:
    """Also what is no id, of another type, or no entity at all: null, without an error or a redaction."""
    keys = await with_records(school)
    student, sealed = keys["Student"][0], keys["Scan"][1]
    viewer = await school.viewer("teacher")
    viewer = replace(viewer, class_names=frozenset({"2023级9班"}), homeroom_class_names=frozenset())
    odd: list[Any] = [
        reference("Student", ObjectId()),
        reference("Student", student),
        reference("ChangeRequest", keys["ChangeRequest"][0]),
        reference("Scan", ObjectId()),
        reference("Scan", sealed),
        {"__typename": "Student", "id": global_id("Scan", student)},
        {"__typename": "Scan", "id": global_id("Student", sealed)},
        {"__typename": "Student", "id": str(student)},
        {"__typename": "Student", "id": "\ud800"},
        {"__typename": "Student", "id": ""},
        {"__typename": "Student", "id": 7},
        {"__typename": "Student", "id": {"$ne": None}},
        {"__typename": "Student"},
        {"__typename": "Guardian", "id": global_id("Guardian", student), "phone": "spoofed"},
        {"__typename": "Node", "id": global_id("Student", student)},
        {"__typename": "Query", "id": global_id("Query", student)},
        {"__typename": "String", "id": global_id("String", student)},
        {"__typename": "Nothing", "id": global_id("Nothing", student)},
        {"__typename": ["Student"], "id": global_id("Student", student)},
        {"id": global_id("Student", student)},
        {},
        [],
        "Student",
        7,
    ]
    on = "... on Student { name phone } ... on ChangeRequest { reason } ... on Scan { size fileName }"
    before = await school.counts()
    for sent in odd:
        told = await entities(school, viewer, on, sent)
        assert (told.errors, told.data, told.extensions) == (None, {"_entities": [None]}, {}), sent
    told = await entities(school, viewer, on, *odd)
    assert (told.errors, told.data, told.extensions) == (None, {"_entities": [None] * len(odd)}, {})
    assert await school.counts() == before


async def test_a_batch_keeps_order_duplicates_and_types_apart(school: School) -> None:
    keys = await with_records(school)
    first, second = await school.student(0), await school.student(1)
    scan, request = keys["Scan"][0], keys["ChangeRequest"][0]
    director = await school.viewer("director")
    on = "... on Student { name phone } ... on ChangeRequest { operation } ... on Scan { documentType }"
    told = await entities(
        school,
        director,
        on,
        reference("Student", second.key),
        reference("Scan", scan),
        reference("Student", ObjectId()),
        reference("Student", first.key),
        reference("ChangeRequest", request),
        reference("Student", second.key),
        reference("Scan", scan),
    )
    assert told.errors is None
    assert told.data["_entities"] == [
        {"__typename": "Student", "name": second.name, "phone": second.phone},
        {"__typename": "Scan", "documentType": "户口簿"},
        None,
        {"__typename": "Student", "name": first.name, "phone": first.phone},
        {"__typename": "ChangeRequest", "operation": "student.update"},
        {"__typename": "Student", "name": second.name, "phone": second.phone},
        {"__typename": "Scan", "documentType": "户口簿"},
    ]


def batch(*references: dict[str, Any]) -> str:
    sent = ", ".join(f'{{__typename: "{held["__typename"]}", id: "{held["id"]}"}}' for held in references)
    return f"_entities(representations: [{sent}])"


async def test_a_batch_costs_the_same_queries_however_long(school: School, settings: Any) -> None:
    keys = await with_records(school)
    students = [(await school.student(position)).key for position in range(STUDENTS)]
    on = "{ ... on Student { name } ... on ChangeRequest { operation } ... on Scan { size } }"
    counts = []
    for times in (1, STUDENTS):
        references = [reference("Student", key) for key in students[:times]]
        references += [reference("Scan", key) for key in keys["Scan"][:times]]
        references += [reference("ChangeRequest", keys["ChangeRequest"][0])] * times
        commands, result = await recorded(school, settings, "director", f"{{ {batch(*references)} {on} }}")
        assert result.errors is None
        assert None not in result.data["_entities"]
        counts.append(sorted(commands.names))
    # Of scans: what is in them, and who may see it.
    assert counts == [["find change_requests", "find scans", "find students", "find students"]] * 2


async def test_only_what_is_selected_on_the_type_and_allowed_is_loaded(school: School, settings: Any) -> None:
    """`status` and `createdAt` are selected on the others, `grade` on an interface it is not of, `phone` withheld."""
    student = await school.student()
    selection = """{
      ... on ChangeRequest { status createdAt }
      ... on Node { id ... on Student { phone ...Names } ... on Scan { documentType pageCount } }
      ... on Student @skip(if: true) { gender }
      ... { __typename }
    } """
    fragment = " fragment Names on Student { name guardians { ... on Guardian { name } } }"
    query = f"{{ {batch(reference('Student', student.key))} {selection} }}{fragment}"
    commands, result = await recorded(school, settings, "information", query)
    assert result.errors is None
    assert commands.projections == [{"_id": 1, "name": 1, "guardians.name": 1}]
    assert [line["field"] for line in result.extensions["redactions"]] == ["Student.phone"]


async def test_reading_sensitive_values_is_recorded_once_a_batch(school: School) -> None:
    students = [(await school.student(position)).key for position in range(3)]
    before = await school.counts()
    references = [reference("Student", key) for key in (*students, students[0])]
    director = await school.viewer("director")
    told = await entities(school, director, "... on Student { phone }", *references)
    assert all(found["phone"] for found in told.data["_entities"])
    after = await school.counts()
    added = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)}
    assert added == {"access_events": 1, "audit_entries": 1, "audit_heads": 1}
    event = await school.store.database.collection(AccessEvent).find_one(sort=[("_id", -1)])
    assert event is not None
    assert [sorted(group["subject_ids"]) for group in event["groups"]] == [sorted(students)]


async def test_without_a_purpose_the_redaction_says_so(school: School) -> None:
    student = await school.student()
    viewer = await school.viewer("director", None)
    told = await entities(school, viewer, "... on Student { phone }", reference("Student", student.key))
    assert told.data["_entities"] == [{"__typename": "Student", "phone": None}]
    (line,) = told.extensions["redactions"]
    assert (line["field"], line["reason"]) == ("Student.phone", "PURPOSE_REQUIRED")


async def test_a_batch_has_a_limit(school: School) -> None:
    director, sent = await school.viewer("director"), reference("Student", (await school.student()).key)
    on = "... on Student { name }"
    told = await entities(school, director, on, *[sent] * REPRESENTATIONS_LIMIT)
    assert told.errors is None
    assert len(told.data["_entities"]) == REPRESENTATIONS_LIMIT
    before = await school.counts()
    told = await entities(school, director, on, *[sent] * (REPRESENTATIONS_LIMIT + 1))
    (error,) = told.errors
    assert error.extensions["code"] == "invalid_argument"
    assert error.extensions["field"] == "representations"
    assert await school.counts() == before
