"""GraphQL, uploads and health over HTTP, as a client sees them."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.dev.demo import demo_paper
from api.dev.roster import demo_workbook
from archive_store.students.accounts import link_guardian_account
from schema.nodes import global_id
from tests.school import School

Bearer = Any


async def ask(http: httpx.AsyncClient, headers: dict[str, str], query: str, **variables: Any) -> Any:
    # Escaped, so that any text at all can be sent.
    content = json.dumps({"query": query, "variables": variables})
    headers = headers | {"Content-Type": "application/json"}
    response = await http.post("/graphql", content=content, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


async def test_masked_fields_are_null_with_one_line_a_coordinate(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    query = """
      { students(first: 3) { edges { node { ...Part phone guardians { name number: phone } } } } }
      fragment Part on Student { name secret: identityNumber @include(if: true) skipped: phone @skip(if: true) }
    """
    told = await ask(http, bearer("information"), query)
    assert "errors" not in told
    for edge in told["data"]["students"]["edges"]:
        node = edge["node"]
        assert node["name"] and "skipped" not in node
        assert node["secret"] is None and node["phone"] is None
        assert [guardian["number"] for guardian in node["guardians"]] == [None, None]
    lines = told["extensions"]["redactions"]
    assert [line["field"] for line in lines] == ["Guardian.phone", "Student.identityNumber", "Student.phone"]
    assert all(line["messageZh"] and line["messageEn"] for line in lines)
    assert "extensions" not in await ask(http, bearer("director"), query)


async def test_a_change_from_request_to_history(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    student = global_id("Student", (await school.student()).key)
    update = """mutation ($input: StudentUpdateInput!) { studentUpdate(input: $input) {
        applied changeRequest { id status awaits } errors { code field messageZh } } }"""
    given = {"studentId": student, "reason": "搬家", "changes": {"address": "新路1号"}}
    told = (await ask(http, bearer("information"), update, input=given))["data"]["studentUpdate"]
    assert (told["applied"], told["errors"]) == (False, [])
    assert told["changeRequest"]["awaits"] == "DEPARTMENT_HEAD"
    approve = """mutation ($id: ID!) { changeRequestApprove(input: {id: $id}) {
        changeRequest { status } errors { code } } }"""
    request = told["changeRequest"]["id"]
    own = await ask(http, bearer("information"), approve, id=request)
    assert own["data"]["changeRequestApprove"]["errors"] == [{"code": "self_approval"}]
    done = await ask(http, bearer("director"), approve, id=request)
    assert done["data"]["changeRequestApprove"] == {"changeRequest": {"status": "APPLIED"}, "errors": []}
    history = """query ($id: ID!) { student(id: $id) { address auditHistory(first: 1) { edges { node {
        kind actorName actorPosts reason changeRequestId changes { field before after } } } } } }"""
    seen = (await ask(http, bearer("director"), history, id=student))["data"]["student"]
    assert seen["address"] == "新路1号"
    (edge,) = seen["auditHistory"]["edges"]
    assert edge["node"]["kind"] == "student:update"
    assert edge["node"]["actorPosts"] == ["DIRECTOR"]
    assert (edge["node"]["reason"], edge["node"]["changeRequestId"]) == ("搬家", request)
    assert [change["after"] for change in edge["node"]["changes"]] == ["新路1号"]


async def test_who_asked_sees_what_they_asked_for(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    request = await school.request("information", await school.student(), phone="13700000001")
    query = """query ($id: ID!) { changeRequest(id: $id) { changes { before after withheld } }
        __type(name: "RequestedChange") { fields { name description } } }"""
    told = await ask(http, bearer("information"), query, id=global_id("ChangeRequest", request))
    (change,) = told["data"]["changeRequest"]["changes"]
    assert change == {"before": None, "after": "13700000001", "withheld": True}
    described = {field["name"]: field["description"] for field in told["data"]["__type"]["fields"]}
    assert "not to who asked" in described["after"]


async def test_a_change_of_guardians_with_an_account_is_shown(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    student = await school.student()
    await link_guardian_account(school.store, student.key, 0, "parent")
    request = await school.request("information", await school.student(), guardians=[{"name": "新监护人"}])
    query = "query ($id: ID!) { changeRequest(id: $id) { changes { field before after } } }"
    told = await ask(http, bearer("director"), query, id=global_id("ChangeRequest", request))
    (change,) = told["data"]["changeRequest"]["changes"]
    assert [guardian["name"] for guardian in change["before"]] == [held.name for held in student.guardians]
    assert [guardian["name"] for guardian in change["after"]] == ["新监护人"]


async def test_relay_pages(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    query = """query ($after: String) { students(first: 4, after: $after, orderBy: NAME_DESCENDING) {
        edges { node { id } } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    first = (await ask(http, bearer("director"), query))["data"]["students"]
    second = (await ask(http, bearer("director"), query, after=first["pageInfo"]["endCursor"]))["data"][
        "students"
    ]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert (first["pageInfo"]["hasPreviousPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)
    ids = [edge["node"]["id"] for page in (first, second) for edge in page["edges"]]
    assert len(ids) == len(set(ids)) == 6


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ students(first: 0) { edges { cursor } } }", "invalid_argument"),
        ('{ students(after: "x") { edges { cursor } } }', "invalid_argument"),
        ('{ students(where: {identityNumber: "1"}) { edges { cursor } } }', "forbidden"),
        ('{ student(id: "nonsense") { name } }', "not_found"),
        ("{ nosuch }", "invalid_query"),
        ("{ students { edges { node { nosuch } } } }", "invalid_query"),
        ("{", "invalid_query"),
        ("query ($x: Int!) { viewer { name } }", "invalid_query"),
        ("{" + "a: viewer { name } " * 1000 + "}", "invalid_query"),
    ],
)
async def test_every_error_has_the_one_format(
    school: School, http: httpx.AsyncClient, bearer: Bearer, query: str, code: str
) -> None:
    told = await ask(http, bearer("information"), query)
    extensions = told["errors"][0]["extensions"]
    assert extensions["code"] == code
    assert extensions["messageZh"] and extensions["messageEn"]
    assert "Traceback" not in json.dumps(told)


async def test_a_defect_is_logged_once_and_shown_as_a_reference(
    school: School,
    http: httpx.AsyncClient,
    bearer: Bearer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import schema.students.queries as resolvers

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret 13900000000")

    monkeypatch.setattr(resolvers.store, "list_students", broken)
    told = await ask(http, bearer("director"), "{ students { edges { cursor } } }")
    assert told["errors"][0]["extensions"]["code"] == "internal"
    assert "secret" not in json.dumps(told)
    logged = capsys.readouterr()
    assert (logged.out + logged.err).count("ZeroDivisionError: secret") == 1


async def test_get_runs_no_mutation(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    before = await school.counts()
    mutation = 'mutation { changeRequestApprove(input: {id: "x"}) { errors { code } } }'
    response = await http.get("/graphql", params={"query": mutation}, headers=bearer("director"))
    assert response.status_code in (400, 405)
    assert await school.counts() == before


async def import_roster(
    http: httpx.AsyncClient, headers: dict[str, str], content: bytes, *, dry_run: bool = False
) -> Any:
    query = """mutation ($file: Upload!, $dryRun: Boolean!) { rosterImport(input: {file: $file, dryRun: $dryRun}) {
        report { rows added alreadyOnRecord refused bad { sheetRow errors { column code messageZh messageEn } } }
        errors { code field messageEn } } }"""
    form = {
        "operations": json.dumps({"query": query, "variables": {"file": None, "dryRun": dry_run}}),
        "map": json.dumps({"0": ["variables.file"]}),
    }
    response = await http.post("/graphql", data=form, files={"0": ("roster.xlsx", content)}, headers=headers)
    return response.json()["data"]["rosterImport"]


async def test_roster_import_by_graphql(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    roster = demo_workbook(3, cohort=2028, seed=2)
    told = await import_roster(http, bearer("information"), roster, dry_run=True)
    assert (told["report"]["added"], told["errors"]) == (3, [])
    told = await import_roster(http, bearer("information"), roster)
    assert told["report"] == {"rows": 3, "added": 3, "alreadyOnRecord": 0, "refused": 0, "bad": []}
    told = await import_roster(http, bearer("information"), roster)
    assert told["report"]["alreadyOnRecord"] == 3
    before = await school.counts()
    for content, code in (
        (b"", "empty_file"),
        (b"PK\x03\x04", "unreadable_workbook"),
        (b"a,b\n1,2", "header_not_found"),
    ):
        told = await import_roster(http, bearer("information"), content)
        assert (told["report"], told["errors"][0]["code"]) == (None, code)
    told = await import_roster(http, bearer("teacher"), roster)
    assert told["errors"][0]["code"] == "forbidden"
    assert await school.counts() == before


async def upload(
    http: httpx.AsyncClient, headers: dict[str, str], school: School, content: bytes
) -> httpx.Response:
    params = {"student": global_id("Student", (await school.student()).key), "fileName": "2023级户口簿.pdf"}
    return await http.post("/scans", params=params, content=content, headers=headers)


async def test_a_scan_over_http_and_back(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    paper = demo_paper("PDF", pages=2)
    digest = hashlib.sha256(paper).hexdigest()
    made = await upload(http, bearer("archive") | {"X-Content-SHA256": digest}, school, paper)
    assert made.status_code == 201
    scan = made.json()
    assert (scan["size"], scan["sha256"], scan["pageCount"]) == (len(paper), digest, 2)
    got = await http.get(f"/scans/{scan['id']}/content", headers=bearer("director"))
    assert got.content == paper
    assert got.headers["content-type"] == "application/pdf"
    assert got.headers["cache-control"] == "no-store"
    file_name = quote("2023级户口簿.pdf", safe="")
    assert got.headers["content-disposition"] == (
        f"attachment; filename=\"scan.pdf\"; filename*=UTF-8''{file_name}"
    )
    for subject, status in (("archive", 403), ("vice-principal", 403), ("logistics", 404), ("analysis", 404)):
        refused = await http.get(f"/scans/{scan['id']}/content", headers=bearer(subject))
        assert (refused.status_code, len(refused.content) < 500) == (status, True)
    assert (await http.get(f"/scans/{scan['id']}/content")).status_code == 401
    query = "query ($id: ID!) { scan(id: $id) { fileName size contentUrl } }"
    seen = await ask(http, bearer("director"), query, id=scan["id"])
    assert seen["data"]["scan"]["contentUrl"] == f"/scans/{scan['id']}/content"
    assert (await ask(http, bearer("archive"), query, id=scan["id"]))["data"]["scan"]["contentUrl"] is None
    assert (await ask(http, bearer("logistics"), query, id=scan["id"]))["data"]["scan"] is None


@pytest.mark.parametrize(
    ("content", "more", "status", "code"),
    [
        (b"", {}, 400, "empty_file"),
        (b"MZ\x90", {}, 415, "unsupported_media_type"),
        (b"%PDF-1.7\n", {"X-Content-SHA256": "0" * 64}, 422, "digest_mismatch"),
    ],
)
async def test_uploads_that_are_refused(
    school: School,
    http: httpx.AsyncClient,
    bearer: Bearer,
    content: bytes,
    more: dict[str, str],
    status: int,
    code: str,
) -> None:
    refused = await upload(http, bearer("archive") | more, school, content)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert (await school.counts())["scans"] == 0


@pytest.mark.parametrize(
    ("params", "status", "field"),
    [
        ({}, 422, "student"),
        ({"student": "x", "fileName": "2023级户口簿"}, 404, "student"),
        ({"student": "{student}"}, 422, "fileName"),
        ({"student": "{student}", "fileName": "scan001.pdf"}, 400, "fileName"),
    ],
)
async def test_uploads_with_wrong_parameters(
    school: School, http: httpx.AsyncClient, bearer: Bearer, params: dict[str, str], status: int, field: str
) -> None:
    student = global_id("Student", (await school.student()).key)
    given = {name: value.format(student=student) for name, value in params.items()}
    refused = await http.post("/scans", params=given, content=b"%PDF-1.7\n", headers=bearer("archive"))
    assert (refused.status_code, refused.json()["error"]["field"]) == (status, field)


async def test_health_and_metrics(school: School, http: httpx.AsyncClient) -> None:
    assert (await http.get("/health/live")).json() == {"live": True}
    ready = await http.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    text = (await http.get("/metrics")).text
    assert 'registrar_requests_total{route="/health/live",status="200"}' in text


async def test_unknown_paths_have_the_one_format(http: httpx.AsyncClient) -> None:
    missing = await http.get("/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    wrong = await http.get("/scans")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "invalid_argument")
    assert set(wrong.headers["allow"].split(", ")) == {"POST", "PUT"}


async def test_other_methods_are_told_the_allowed_ones(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    for method in ("PUT", "DELETE", "HEAD"):
        response = await http.request(method, "/graphql", headers=bearer("director"))
        assert response.status_code == 405
        assert {"GET", "POST"} <= set(response.headers["allow"].split(", "))


async def test_any_object_by_its_global_id(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    student = await school.student()
    request = await school.request("information", student, phone="13700000001")
    query = """query ($id: ID!) { node(id: $id) { __typename id
        ... on Student { name phone } ... on ChangeRequest { status } } }"""
    for type_name, key, more in (
        ("Student", student.key, {"name": student.name, "phone": student.phone}),
        ("ChangeRequest", request, {"status": "SUBMITTED"}),
    ):
        told = await ask(http, bearer("director"), query, id=global_id(type_name, key))
        assert told["data"]["node"] == {"__typename": type_name, "id": global_id(type_name, key), **more}
    masked = await ask(http, bearer("information"), query, id=global_id("Student", student.key))
    assert masked["data"]["node"]["phone"] is None
    for unseen in (global_id("Person", student.person_id), global_id("Student", request)):
        assert (await ask(http, bearer("director"), query, id=unseen))["data"]["node"] is None


async def test_an_uploaded_roster_never_touches_a_disk(
    school: School, http: httpx.AsyncClient, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    def refuse(*_: object) -> None:
        raise AssertionError("rolled over to a file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    big = demo_workbook(2, cohort=2040) + bytes(3 * 1024 * 1024)
    told = await import_roster(http, bearer("information"), big, dry_run=True)
    assert told["errors"] == [] or told["errors"][0]["code"] == "unreadable_workbook"


async def test_a_body_over_the_limit_is_refused(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    headers = bearer("director") | {"Content-Type": "application/json"}
    response = await http.post("/graphql", content=bytes(22 * 1024 * 1024), headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("over", [1, 2 * 1024 * 1024])
async def test_a_roster_over_the_limit_is_told_its_limit(
    school: School, http: httpx.AsyncClient, bearer: Bearer, over: int
) -> None:
    """Whether the body is within its own limit or not."""
    query = """mutation ($file: Upload!) { rosterImport(input: {file: $file}) {
        errors { code field messageEn } } }"""
    form = {
        "operations": json.dumps({"query": query, "variables": {"file": None}}),
        "map": json.dumps({"0": ["variables.file"]}),
    }
    files = {"0": ("roster.xlsx", bytes(50 * 1024 * 1024 + over))}
    told = (await http.post("/graphql", data=form, files=files, headers=bearer("information"))).json()
    if "error" in told:
        error = told["error"] | {"messageEn": told["error"]["message"]["en"]}
    else:
        (error,) = told["data"]["rosterImport"]["errors"]
    assert (error["code"], error["field"]) == ("too_large", "file")
    assert error["messageEn"] == "The content is larger than the limit of 50 MiB."


async def test_a_stored_row_that_does_not_fit_is_not_shown_in_the_log(
    school: School, capsys: pytest.CaptureFixture[str]
) -> None:
    from pydantic import ValidationError

    from archive_store.students.documents import Student

    with pytest.raises(ValidationError) as caught:
        Student.model_validate({"phone": 13900000000, "name": "王", "nosuch": "secret"})
    assert "13900000000" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["\x00", "王\x00", "\x1b[2J"])
async def test_text_that_cannot_be_stored_is_bad_input(
    school: School, http: httpx.AsyncClient, bearer: Bearer, text: str
) -> None:
    before = await school.counts()
    query = "query ($text: String!) { students(where: {namePrefix: $text}) { edges { cursor } } }"
    told = await ask(http, bearer("director"), query, text=text)
    assert told["errors"][0]["extensions"]["code"] == "invalid_argument"
    update = """mutation ($id: ID!, $text: String!, $name: String!) {
        studentUpdate(input: {studentId: $id, reason: $text, changes: {name: $name}}) { errors { code } } }"""
    student = global_id("Student", (await school.student()).key)
    for reason, name in ((text, "王"), ("改名", text)):
        told = await ask(http, bearer("information"), update, id=student, text=reason, name=name)
        assert told["data"]["studentUpdate"]["errors"][0]["code"] in ("invalid_argument", "required")
    assert await school.counts() == before


async def test_a_roster_that_is_no_file_is_bad_input(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    query = "mutation ($file: Upload!) { rosterImport(input: {file: $file}) { errors { code field } } }"
    told = await ask(http, bearer("information"), query, file="text")
    assert told["data"]["rosterImport"]["errors"] == [{"code": "invalid_argument", "field": "file"}]


async def test_a_store_that_does_not_answer_asks_to_try_again(
    school: School, http: httpx.AsyncClient, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import api.scans
    from archive_store.foundation.object_store import ObjectStoreError

    async def down(*_: object, **__: object) -> None:
        raise ObjectStoreError("ConnectionError")

    monkeypatch.setattr(api.scans, "open_scan", down)
    scan = global_id("Scan", (await school.student()).key)
    told = await http.get(f"/scans/{scan}/content", headers=bearer("director"))
    assert (told.status_code, told.json()["error"]["code"]) == (503, "try_again")


async def test_a_defect_of_a_route_is_logged_once(
    school: School,
    http: httpx.AsyncClient,
    bearer: Bearer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import api.scans

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(api.scans, "open_scan", broken)
    scan = global_id("Scan", (await school.student()).key)
    told = await http.get(f"/scans/{scan}/content", headers=bearer("director"))
    assert (told.status_code, told.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in told.text
    logged = capsys.readouterr()
    assert (logged.out + logged.err).count("ZeroDivisionError: secret") == 1
