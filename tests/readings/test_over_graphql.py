"""`Student.accessHistory` over GraphQL: its shape, its pages, and what is kept back with a line that says so."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from archive_store.access.retrieval_grants import Secrecy
from archive_store.access.viewer import Viewer
from archive_store.audit.chain import leaf_bytes
from archive_store.audit.documents import ENTRIES
from archive_store.audit.sequencer import sequence_entries
from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from tests.graphql.test_schema import recorded
from tests.readings.told import download, entries, family, grant, look, paper
from tests.school import PURPOSE, School

ALL = """at actorName actorPosts isOwn byGrant byTeam fields purpose logIndex entryId entrySequence entryHash
    scans { id documentType fileName contentUrl }"""


async def ask(school: School, viewer: Viewer, selection: str = ALL, arguments: str = "") -> tuple[Any, Any]:
    """The history of the first student and the redactions, by coordinate."""
    student = await school.student()
    query = f"""query ($id: ID!) {{ student(id: $id) {{ accessHistory{arguments} {{
        edges {{ cursor node {{ {selection} }} }} pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }} }}"""
    result = await build_schema().execute(
        query,
        variable_values={"id": global_id("Student", student.key)},
        context_value=Context(school.store, viewer),
    )
    if result.errors:
        return None, result.errors[0].extensions
    lines = (result.extensions or {}).get("redactions", [])
    told = (result.data or {})["student"]["accessHistory"]
    return told, {line["field"]: line["reason"] for line in lines}


async def test_a_guardian_is_told(school: School) -> None:
    student, director = await school.student(), await school.viewer("director")
    _, parent = await family(school)
    form = await paper(school, "2023级新生学籍信息表")
    paths = frozenset({"identity_number", "guardians.phone", "name"})
    await look(school, director, student.key, paths)
    await download(school, director, form)
    told, redactions = await ask(school, parent)
    scan, fields = [edge["node"] for edge in told["edges"]]
    assert redactions == {}
    (entry,) = [row for row in await entries(school.store) if row["sealed"]["reading"]["type"] == "Student"]
    assert fields == {
        "at": entry["at"].isoformat(),
        "actorName": director.name,
        "actorPosts": ["DIRECTOR"],
        "isOwn": False,
        "byGrant": False,
        "byTeam": False,
        "fields": ["guardians.phone", "identityNumber"],
        "purpose": PURPOSE,
        "logIndex": None,
        "entryId": global_id("AuditEntry", entry["_id"]),
        "entrySequence": 1,
        "entryHash": entry["hash"].hex(),
        "scans": [],
    }
    assert (scan["fields"], scan["scans"][0]["id"], scan["scans"][0]["documentType"]) == (
        [],
        global_id("Scan", form),
        "新生学籍信息表",
    )
    assert scan["scans"][0]["fileName"].startswith("2023级")


async def test_scans_are_shown_as_everywhere(school: School) -> None:
    """A sealed paper is told of without its bytes."""
    student = await school.student()
    _, parent = await family(school)
    medical = await paper(school, "2023级体检表")
    teacher = await school.viewer("teacher")
    await grant(school, teacher, Secrecy.SEALED, student_id=student.key, document_type="体检表")
    await download(school, await school.viewer("teacher"), medical)
    told, _ = await ask(school, parent)
    (row,) = told["edges"]
    assert (row["node"]["byGrant"], row["node"]["scans"][0]["documentType"]) == (True, "体检表")
    assert row["node"]["scans"][0]["contentUrl"] is None


@pytest.mark.parametrize("subject", ["teacher", "information", "deputy-1", "archive", "service"])
async def test_others_are_told_that_it_is_withheld(school: School, subject: str) -> None:
    await look(school, await school.viewer("director"), (await school.student()).key)
    told, redactions = await ask(school, await school.viewer(subject))
    assert (told, redactions) == (None, {"Student.accessHistory": "NOT_PERMITTED"})


async def test_a_purpose_kept_back_has_a_line_of_its_own(school: School) -> None:
    await look(school, await school.viewer("director"), (await school.student()).key)
    told, redactions = await ask(school, await school.viewer("vice-principal", None))
    assert told["edges"][0]["node"]["purpose"] is None
    assert redactions == {"AccessEvent.purpose": "PURPOSE_REQUIRED"}
    # Not where it is not asked for, which is no reading either.
    before = await school.counts()
    _, redactions = await ask(school, await school.viewer("vice-principal"), "actorName fields")
    assert (redactions, await school.counts()) == ({}, before)
    told, redactions = await ask(
        school, await school.viewer("vice-principal"), "... on AccessEvent { purpose }"
    )
    assert (told["edges"][0]["node"]["purpose"], redactions) == (PURPOSE, {})
    assert await school.counts() != before


async def test_pages_and_cursors(school: School) -> None:
    student = await school.student()
    own, parent = await family(school)
    for purpose in "甲乙丙":
        await look(school, await school.viewer("director", purpose), student.key)
    await look(school, parent, student.key)
    seen, arguments, pages = [], "(first: 2)", 0
    while True:
        told, _ = await ask(school, parent, "purpose", arguments)
        seen += [edge["node"]["purpose"] for edge in told["edges"]]
        pages += 1
        assert told["pageInfo"]["hasPreviousPage"] is (pages > 1)
        if not told["pageInfo"]["hasNextPage"]:
            break
        arguments = f'(first: 2, after: "{told["pageInfo"]["endCursor"]}")'
    assert (seen, pages) == (["丙", "乙", "甲"], 2)
    # A cursor holds the place and no more.
    (cursor, *_) = (edge["cursor"] for edge in told["edges"])
    assert base64.b64decode(cursor).decode().partition(":")[0] == "AccessEvent"
    told, _ = await ask(school, parent, "isOwn actorName", "(includeOwn: true)")
    assert [edge["node"]["isOwn"] for edge in told["edges"]] == [True, False, False, False]
    told, _ = await ask(school, own, "isOwn actorName")
    assert told["edges"][0]["node"] == {"isOwn": False, "actorName": parent.name}
    for after in ("x", global_id("Student", student.key), ""):
        _, error = await ask(school, parent, "purpose", f'(after: "{after}")')
        assert (error["code"], error["field"]) == ("invalid_argument", "after")
    for first in (0, 101):
        _, error = await ask(school, parent, "purpose", f"(first: {first})")
        assert (error["code"], error["field"]) == ("invalid_argument", "first")


async def test_a_page_that_costs_too_much_is_refused(school: School, settings: Any) -> None:
    wide = "accessHistory(first: 100) { edges { node { scans { id documentType fileName size } } } }"
    query = f"{{ students(first: 100) {{ edges {{ node {{ {wide} }} }} }} }}"
    commands, result = await recorded(school, settings, "director", query)
    assert result.errors[0].extensions["code"] == "too_complex"
    assert "aggregate access_events" not in commands.names


async def test_a_guardian_asks_for_the_proof_of_a_reading(school: School) -> None:
    student = await school.student()
    _, parent = await family(school)
    await look(school, await school.viewer("director"), student.key)
    await sequence_entries(school.store, seconds=60)
    told, _ = await ask(school, parent, "logIndex entryHash")
    (row,) = told["edges"]
    entry = await school.store.database.mongo[ENTRIES].find_one({"log_index": row["node"]["logIndex"]})
    assert entry is not None and entry["hash"].hex() == row["node"]["entryHash"]
    query = f"{{ inclusionProof(logIndex: {row['node']['logIndex']}) {{ leafHash }} }}"
    result = await build_schema().execute(query, context_value=Context(school.store, parent))
    leaf = hashlib.sha256(b"\0" + leaf_bytes(entry)).digest()
    assert result.data == {"inclusionProof": {"leafHash": base64.b64encode(leaf).decode()}}
