"""Bodies of GraphQL requests: their limits, what is no operation, and what must not reach the log."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from schema.nodes import global_id
from tests.school import School

Bearer = Any

VIEWER = "{ viewer { name } }"
UPLOAD = "mutation ($f: Upload!) { rosterImport(input: {file: $f}) { errors { code } } }"


def problem(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Any:
    def read() -> str:
        told = capsys.readouterr()
        return told.out + told.err

    return read


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"{",
        b"[]",
        b'"x"',
        b"5",
        b"null",
        b"[5]",
        b"[" * 100_000,
        b'{"query": "{viewer{name}}", "variables": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"query": "{viewer{name}}", "variables": {"a": ' + b"[" * 2_000 + b"]" * 2_000 + b"}}",
        b'{"query": "{viewer{name}}", "variables": "x"}',
        b'{"query": "{viewer{name}}", "variables": [1]}',
        b'{"query": "{viewer{name}}", "extensions": 5}',
        b'{"query": "{viewer{name}}", "operationName": 5}',
        b'{"query": "{viewer{name}}", "operationName": {"a": 1}}',
        b'{"query": 5}',
        b'{"query": null}',
        b'{"query": "{viewer(a: \\"\\ud800\\"){name}}"}',
        b'{"query": "{viewer{name}}", "variables": {"x": "\\ud800"}}',
        b'{"query": "{viewer{name}}", "operationName": "\\udfff"}',
        b"\xff\xfe",
        b'{"query": "{viewer{name}}", "variables": {"x": NaN}}',
    ],
    ids=lambda content: content[:60].decode("latin-1"),
)
async def test_json_that_is_no_operation(
    school: School, http: httpx.AsyncClient, bearer: Bearer, logged: Any, content: bytes
) -> None:
    headers = bearer("director") | {"Content-Type": "application/json"}
    assert problem(await http.post("/graphql", content=content, headers=headers)) == (400, "invalid_query")
    assert "Traceback" not in logged()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"query": VIEWER, "variables": "["}, "invalid_query"),
        ({"query": VIEWER, "variables": "[" * 20_000}, "invalid_query"),
        ({"query": VIEWER, "variables": '"x"'}, "invalid_query"),
        ({"query": VIEWER, "extensions": "5"}, "invalid_query"),
        ({"query": ""}, "invalid_query"),
        ({"variables": "{}"}, "invalid_query"),
    ],
)
async def test_parameters_that_are_no_operation(
    school: School, http: httpx.AsyncClient, bearer: Bearer, params: dict[str, str], code: str
) -> None:
    headers = bearer("director") | {"Accept": "application/json"}
    response = await http.get("/graphql", params=params, headers=headers)
    assert problem(response) == (400, code)


@pytest.mark.parametrize(
    ("operations", "files_map"),
    [
        ({"query": UPLOAD, "variables": {"f": None}}, "5"),
        ({"query": UPLOAD, "variables": {"f": None}}, "null"),
        ({"query": UPLOAD, "variables": {"f": None}}, '"x"'),
        ({"query": UPLOAD, "variables": {"f": None}}, "[1]"),
        ({"query": UPLOAD, "variables": {"f": None}}, '{"0": 5}'),
        ({"query": UPLOAD, "variables": {"f": None}}, '{"0": [5]}'),
        ({"query": UPLOAD, "variables": {"f": None}}, '{"0": ["variables.f.0"]}'),
        ({"query": UPLOAD, "variables": {"f": None}}, '{"0": ["variables.g.h"]}'),
        ({"query": UPLOAD, "variables": {"f": []}}, '{"0": ["variables.f.7"]}'),
        ({"query": UPLOAD, "variables": {"f": []}}, '{"0": ["variables.f.x"]}'),
        ({"query": UPLOAD, "variables": {"f": "x"}}, '{"0": ["variables.f.0"]}'),
        ({"query": UPLOAD, "variables": {"f": None}}, '{"1": ["variables.f"]}'),
        ({"query": UPLOAD, "variables": {"f": None}}, '{"0": ["query"]}'),
        ({"query": UPLOAD, "variables": {"f": None}}, '{"0": ["operationName"]}'),
        ({"query": UPLOAD, "variables": {"f": None}}, "[" * 50_000),
        (5, "{}"),
        ("x", "{}"),
        (None, "{}"),
        ([], "{}"),
    ],
)
async def test_forms_that_are_no_operation(
    school: School, http: httpx.AsyncClient, bearer: Bearer, logged: Any, operations: object, files_map: str
) -> None:
    form = {"operations": json.dumps(operations), "map": files_map}
    files = {"0": ("roster.xlsx", b"x")}
    response = await http.post("/graphql", data=form, files=files, headers=bearer("director"))
    assert problem(response) == (400, "invalid_query")
    assert "Traceback" not in logged()


@pytest.mark.parametrize("name", ["operations", "map"])
async def test_a_file_in_place_of_a_form_field(
    school: School, http: httpx.AsyncClient, bearer: Bearer, logged: Any, name: str
) -> None:
    files = {name: ("x.json", b"{}"), "0": ("roster.xlsx", b"x")}
    response = await http.post("/graphql", files=files, headers=bearer("director"))
    assert problem(response) == (400, "invalid_query")
    assert "Traceback" not in logged()


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=x", "x;;=", "", f"x; a*{'0' * 5000}=1"],
)
async def test_bodies_that_are_not_what_they_say(
    school: School, http: httpx.AsyncClient, bearer: Bearer, content_type: str
) -> None:
    headers = bearer("director") | {"Content-Type": content_type}
    response = await http.post("/graphql", content=b"--y\r\n\r\n", headers=headers)
    assert problem(response) == (400, "invalid_query")


async def test_a_query_text_has_a_limit(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    headers = bearer("director")
    limit = 64 * 1024
    for length, fits in ((limit, True), (limit + 1, False)):
        query = VIEWER.ljust(length)
        for response in (
            await http.post("/graphql", json={"query": query}, headers=headers),
            await http.post(
                "/graphql",
                data={"operations": json.dumps({"query": query}), "map": "{}"},
                files={"0": b"x"},
                headers=headers,
            ),
        ):
            if fits:
                assert response.json()["data"]["viewer"]["name"]
            else:
                assert problem(response) == (413, "too_large")
    # Bytes are counted.
    response = await http.post("/graphql", json={"query": VIEWER + "#" + "学" * 21_900}, headers=headers)
    assert problem(response) == (413, "too_large")


async def test_a_body_without_files_has_a_limit_of_its_own(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    headers = bearer("director") | {"Content-Type": "application/json"}
    body = json.dumps({"query": VIEWER, "variables": {}}).encode()
    limit = 1024 * 1024
    assert (await http.post("/graphql", content=body.ljust(limit), headers=headers)).status_code == 200
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        headers["Content-Type"] = content_type
        response = await http.post("/graphql", content=body.ljust(limit + 1), headers=headers)
        assert problem(response) in ((413, "too_large"), (400, "invalid_query"))
        assert (content_type == "application/json") is (response.status_code == 413)


UPDATE = """mutation ($id: ID!, $changes: StudentChangesInput!) {
    studentUpdate(input: {studentId: $id, reason: "r", changes: $changes}) { errors { code } } }"""


@pytest.mark.parametrize(
    ("changes", "code", "may_tell"),
    [
        ({"birthDate": "SECRET-110101199001011234"}, "invalid_date", False),
        ({"birthDate": 20200101}, "invalid_date", False),
        ({"birthDate": {"SECRET": 1}}, "invalid_date", False),
        ({"gender": "SECRET"}, "invalid_query", True),
        ({"phone": {"SECRET": 1}}, "invalid_query", True),
        ({"SECRET": 1}, "invalid_query", True),
        ({"isOrphan": "SECRET"}, "invalid_query", True),
        ("SECRET", "invalid_query", True),
    ],
)
async def test_values_that_do_not_fit_their_type_are_not_logged(
    school: School,
    http: httpx.AsyncClient,
    bearer: Bearer,
    logged: Any,
    changes: object,
    code: str,
    may_tell: bool,
) -> None:
    student = global_id("Student", (await school.student()).key)
    body = {"query": UPDATE, "variables": {"id": student, "changes": changes}}
    response = await http.post("/graphql", json=body, headers=bearer("information"))
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == code
    assert may_tell or "SECRET" not in response.text
    text = logged()
    assert "SECRET" not in text
    assert "unexpected_error" not in text


@pytest.mark.parametrize("value", ['"SECRET"', "20200101", "{SECRET: 1}", '["SECRET"]'])
async def test_a_date_in_the_query_that_is_none(
    school: School, http: httpx.AsyncClient, bearer: Bearer, logged: Any, value: str
) -> None:
    query = f"""mutation {{ studentUpdate(input: {{studentId: "x", reason: "r", changes: {{birthDate: {value}}}}})
        {{ errors {{ code }} }} }}"""
    response = await http.post("/graphql", json={"query": query}, headers=bearer("information"))
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] in ("invalid_date", "invalid_query")
    assert "SECRET" not in error["message"] or value.startswith(("{", "["))
    assert "SECRET" not in logged()


async def test_months_are_written_in_plain_digits(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    student = global_id("Student", (await school.student()).key)
    for month in ("٢٠٢٣-09", "2023-09\n", "２０２３-09", "2023-13"):
        body = {"query": UPDATE, "variables": {"id": student, "changes": {"enrolledMonth": month}}}
        response = await http.post("/graphql", json=body, headers=bearer("information"))
        (error,) = response.json()["data"]["studentUpdate"]["errors"]
        assert error["code"] == "invalid_argument", month
