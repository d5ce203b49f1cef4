"""Batches over GraphQL and HTTP: who sees them, what is told, and progress."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from api.dev.roster import demo_rows
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.imports.sealed_file import SealedFile
from schema.nodes import global_id
from tests.conftest import STUDENTS
from tests.imports.batches import begun, roster, run
from tests.school import School

BATCH = "id status rowCount added updated alreadyOnRecord refused skipped undone isMapped processed"
ERRORS = "errors { code field messageZh messageEn }"


def content(count: int = 3, cohort: int = 2031) -> bytes:
    return roster(list(demo_rows(count, cohort=cohort, seed=cohort)))


class Door:
    def __init__(self, http: httpx.AsyncClient, bearer: Any) -> None:
        self.http, self.bearer = http, bearer

    async def ask(self, query: str, subject: str = "information", **variables: Any) -> Any:
        asked = {"query": query, "variables": variables}
        answer = (await self.http.post("/graphql", json=asked, headers=self.bearer(subject))).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def act(self, name: str, subject: str = "information", **values: Any) -> Any:
        kind = {"importUndo": "ImportUndoInput", "importMap": "ImportMapInput"}.get(name, "ImportInput")
        query = f"mutation ($i: {kind}!) {{ {name}(input: $i) {{ importBatch {{ {BATCH} }} changeRequest {{ id }} "
        return (await self.ask(f"{query} {ERRORS} }} }}", subject, i=values))[name]

    async def put(self, content: bytes, subject: str = "information", **told: str) -> httpx.Response:
        parameters = {"fileName": "花名册.csv"} | told
        return await self.http.put(
            "/imports", params=parameters, content=content, headers=self.bearer(subject)
        )


@pytest.fixture
def door(school: School, http: httpx.AsyncClient, bearer: Any) -> Door:
    return Door(http, bearer)


async def test_from_the_file_to_records_and_back(school: School, door: Door) -> None:
    rows = list(demo_rows(3, cohort=2031, seed=1))
    rows[1]["性别"] = "?"
    begin = f"""mutation ($f: Upload!) {{ importBegin(input: {{file: $f}}) {{
        importBatch {{ {BATCH} columns {{ header column certainty }} }} {ERRORS} }} }}"""
    form = {
        "operations": json.dumps({"query": begin, "variables": {"f": None}}),
        "map": json.dumps({"0": ["variables.f"]}),
    }
    files = {"0": ("花名册.csv", roster(rows))}
    told = (
        await door.http.post("/graphql", data=form, files=files, headers=door.bearer("information"))
    ).json()
    batch = told["data"]["importBegin"]["importBatch"]
    assert (batch["status"], batch["rowCount"], batch["isMapped"]) == ("BEGUN", 3, True)
    assert {column["certainty"] for column in batch["columns"]} == {"EXACT"}
    key = batch["id"]
    check = await door.ask(
        f"""mutation ($i: ImportCheckInput!) {{ importCheck(input: $i) {{ report {{ hasMore
        counts {{ rows added refused enters }} told {{ sheetRow errors {{ column code }} }} }} {ERRORS} }} }}""",
        i={"id": key},
    )
    assert check["importCheck"]["report"] == {
        "hasMore": False,
        "counts": {"rows": 3, "added": 2, "refused": 1, "enters": True},
        "told": [{"sheetRow": 3, "errors": [{"column": "性别", "code": "unknown_code"}]}],
    }
    assert (await school.counts())["students"] == STUDENTS
    done = (await door.act("importRun", id=key))["importBatch"]
    assert (done["status"], done["added"], done["refused"], done["processed"]) == ("DONE", 2, 1, 3)
    query = """query ($id: ID!, $after: String) { importBatch(id: $id) { rows(first: 2, after: $after) {
        edges { node { sheetRow outcome studentId } } pageInfo { hasNextPage endCursor } } } }"""
    page = (await door.ask(query, id=key))["importBatch"]["rows"]
    assert [edge["node"]["outcome"] for edge in page["edges"]] == ["ADDED", "REFUSED"]
    assert page["edges"][0]["node"]["studentId"] is not None
    rest = (await door.ask(query, id=key, after=page["pageInfo"]["endCursor"]))["importBatch"]["rows"]
    assert [edge["node"]["sheetRow"] for edge in rest["edges"]] == [4]
    undo = await door.act("importUndo", id=key, reason="文件有误")
    request = undo["changeRequest"]["id"]
    approve = (
        "mutation ($i: ChangeRequestDecisionInput!) { changeRequestApprove(input: $i) { errors { code } } }"
    )
    approved = await door.http.post(
        "/graphql",
        json={
            "query": approve.replace("ChangeRequestDecisionInput", await _input_of(door)),
            "variables": {"i": {"id": request}},
        },
        headers=door.bearer("director"),
    )
    assert approved.json()["data"]["changeRequestApprove"]["errors"] == []
    from archive_store.imports.jobs import run_due

    await run_due(school.store, school.store.clock.now())
    assert (await school.counts())["students"] == STUDENTS
    assert (await verify_history(school.store, RECORD_TYPES)).sound
    history = await door.ask(
        "query ($id: ID!) { importBatch(id: $id) { auditHistory { edges { node { kind } } } } }", id=key
    )
    kinds = {edge["node"]["kind"] for edge in history["importBatch"]["auditHistory"]["edges"]}
    assert {"roster:begin", "roster:import", "roster:end", "roster:undo"} <= kinds


async def _input_of(door: Door) -> str:
    query = '{ __type(name: "Mutation") { fields { name args { type { ofType { name } } } } } }'
    told = await door.http.post("/graphql", json={"query": query}, headers=door.bearer("director"))
    fields = told.json()["data"]["__type"]["fields"]
    field = next(field for field in fields if field["name"] == "changeRequestApprove")
    return str(field["args"][0]["type"]["ofType"]["name"])


async def test_a_file_over_http(school: School, door: Door) -> None:
    told = await door.put(content())
    assert told.status_code == 201
    assert (told.json()["rows"], told.json()["isMapped"], told.json()["earlierBatchId"]) == (3, True, None)
    again = await door.put(content())
    assert again.json()["earlierBatchId"] == told.json()["id"]
    before = await school.counts()
    for response, status, code in (
        (await door.put(content(), subject="teacher"), 403, "forbidden"),
        (await door.put(content(), subject="admissions"), 403, "forbidden"),
        (await door.put(b""), 400, "empty_file"),
        (await door.put(b"PK\x03\x04 nothing"), 400, "unreadable_workbook"),
        (await door.put(content(), kind="NONE"), 400, "invalid_argument"),
        (await door.put(content(), kind="ADMISSION"), 422, "required"),
        (await door.put(bytes(50 * 1024 * 1024 + 1)), 413, "too_large"),
    ):
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert await school.counts() == before


async def test_the_admissions_office_sees_its_own_kind_alone(school: School, door: Door) -> None:
    key = global_id("ImportBatch", (await begun(school, content())).key)
    query = "query ($id: ID!) { importBatch(id: $id) { id } importBatches { edges { node { id } } } }"
    for subject in ("admissions", "teacher", "service", "principal"):
        told = await door.ask(query, subject, id=key)
        assert told == {"importBatch": None, "importBatches": {"edges": []}}
        assert (await door.act("importRun", subject, id=key))["errors"][0]["code"] in (
            "forbidden",
            "not_found",
        )
    response = await door.put(content(), "admissions", kind="ADMISSION", stage="SENIOR", cohort="2031")
    assert response.status_code == 201
    told = await door.ask(query, "admissions", id=response.json()["id"])
    assert told["importBatch"] is not None
    assert len(told["importBatches"]["edges"]) == 1


async def test_rows_of_students_on_record_tell_nothing_of_them(school: School, door: Door) -> None:
    batch = await run(school, await begun(school, roster(list(demo_rows(2)))))
    query = """query ($id: ID!) { importBatch(id: $id) { rows { edges { node {
        outcome studentId changeRequestId errors { code } } } } } }"""
    told = await door.ask(query, id=global_id("ImportBatch", batch.key))
    nothing = {"outcome": "ALREADY_ON_RECORD", "studentId": None, "changeRequestId": None, "errors": []}
    assert [edge["node"] for edge in told["importBatch"]["rows"]["edges"]] == [nothing] * 2
    assert "student_id" not in str(
        await school.store.database.mongo["import_rows"].find_one({"batch_id": batch.key})
    )


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 500_003])
def test_a_sealed_file_reads_as_it_was_written(size: int) -> None:
    told = bytes(place * 7 % 251 for place in range(size))
    with SealedFile() as file:
        for start in range(0, size, 70_001):
            file.write(told[start : start + 70_001])
        assert (file.seek(0), file.read()) == (0, told)
        for start in (0, 1, size // 2, max(0, size - 1), size):
            file.seek(start)
            assert file.read(1000) == told[start : start + 1000]
        assert size < 32 or told[:32] not in file._file.read(size)
        file._file.seek(0)
        assert size < 32 or told[:32] not in file._file.read()
