"""`/exports/students.csv` and `.xlsx` over HTTP, as a client sees it and as it breaks off."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest
from python_calamine import CalamineWorkbook

import archive_store.students.exports as exports
from api.app import create_app
from api.sign_in import SignIn
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.settings import Settings
from archive_store.students.documents import Export
from tests.conftest import STUDENTS
from tests.school import School

Bearer = Any
ADDRESS = "/exports/students.csv"


async def export_records(school: School) -> list[tuple[int | None, bool]]:
    rows = await school.store.database.collection(Export).find().to_list()
    return [(row["rows"], row["is_complete"]) for row in rows]


async def test_an_export_over_http(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    params = {"columns": "姓名,className,guardians.0.name", "grade": "七年级", "status": "ENROLLED"}
    got = await http.get(ADDRESS, params=params, headers=bearer("information"))
    assert got.status_code == 200
    assert got.headers["content-type"] == "text/csv; charset=utf-8"
    assert got.headers["content-disposition"] == 'attachment; filename="students.csv"'
    assert (got.headers["cache-control"], got.headers["x-content-type-options"]) == ("no-store", "nosniff")
    rows = list(csv.reader(io.StringIO(got.content.decode("utf-8-sig"), newline="")))
    assert rows[0] == ["姓名", "班级", "成员1姓名"]
    assert (len(rows), all(all(row) for row in rows)) == (STUDENTS + 1, True)
    assert await export_records(school) == [(STUDENTS, True)]
    nobody = await http.get(
        ADDRESS, params={"columns": "姓名", "className": "none"}, headers=bearer("logistics")
    )
    assert nobody.content == "\ufeff姓名\r\n".encode()


async def test_a_workbook_over_http(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    params = {"columns": "姓名,className", "grade": "七年级"}
    got = await http.get("/exports/students.xlsx", params=params, headers=bearer("information"))
    assert got.status_code == 200
    assert got.headers["content-type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert got.headers["content-disposition"] == 'attachment; filename="students.xlsx"'
    assert (got.headers["cache-control"], got.headers["x-content-type-options"]) == ("no-store", "nosniff")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(got.content)).get_sheet_by_index(0).to_python()
    assert rows[0] == ["姓名", "班级"]
    assert (len(rows), all(all(row) for row in rows)) == (STUDENTS + 1, True)
    assert await export_records(school) == [(STUDENTS, True)]
    before = await school.counts()
    refused = await http.get(
        "/exports/students.xlsx", params={"columns": "联系电话"}, headers=bearer("information", "核对")
    )
    assert (refused.status_code, refused.json()["error"]["field"]) == (403, "columns.联系电话")
    assert await school.counts() == before


@pytest.mark.parametrize("comma", [",", ",", "、", ", "])
async def test_columns_stand_between_commas(
    school: School, http: httpx.AsyncClient, bearer: Bearer, comma: str
) -> None:
    got = await http.get(ADDRESS, params={"columns": f"姓名{comma}班级"}, headers=bearer("teacher"))
    assert got.text.splitlines()[0] == "\ufeff姓名,班级"


@pytest.mark.parametrize(
    ("subject", "purpose", "query", "status", "code", "field"),
    [
        ("information", "核对", "columns=姓名,联系电话", 403, "forbidden", "columns.联系电话"),
        ("information", "核对", "columns=phone", 403, "forbidden", "columns.联系电话"),
        ("director", "", "columns=姓名,联系电话", 403, "purpose_required", "columns.联系电话"),
        ("teacher", "核对", "columns=联系电话", 403, "forbidden", "columns.联系电话"),
        ("analysis", "核对", "", 403, "forbidden", "columns"),
        ("logistics", "核对", "auxiliaryNumber=2023000001", 403, "forbidden", "where.auxiliaryNumber"),
        ("director", "核对", "columns=姓名,电话", 400, "unknown_column", "columns"),
        ("director", "核对", "columns=姓名,name", 400, "duplicate_column", "columns"),
        ("director", "核对", "columns=", 422, "required", "columns"),
        ("director", "核对", "className=", 422, "required", "className"),
        ("director", "核对", "classname=2023级1班", 400, "invalid_argument", "classname"),
        ("director", "核对", "identityNumber=1", 400, "invalid_argument", "identityNumber"),
        ("director", "核对", "grade=七年级&grade=八年级", 400, "invalid_argument", "grade"),
        ("director", "核对", "status=在读", 400, "invalid_argument", "status"),
        ("director", "核对", f"grade={'x' * 101}", 400, "too_long", "where.grade"),
        ("nobody", "核对", "", 401, "unauthenticated", None),
    ],
)
async def test_refusals_have_the_one_format_and_leave_nothing(
    school: School,
    http: httpx.AsyncClient,
    bearer: Bearer,
    subject: str,
    purpose: str,
    query: str,
    status: int,
    code: str,
    field: str | None,
) -> None:
    before = await school.counts()
    refused = await http.get(f"{ADDRESS}?{query}", headers=bearer(subject, purpose))
    told = refused.json()["error"]
    assert (refused.status_code, told["code"], told["field"]) == (status, code, field)
    assert told["message"]["zh"] and told["message"]["en"]
    assert await school.counts() == before


async def test_a_first_page_that_fails_is_an_error_and_not_a_torn_answer(
    school: School, http: httpx.AsyncClient, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object, **__: object) -> None:
        raise RegistrarError(ErrorCode.TRY_AGAIN)

    monkeypatch.setattr(exports, "list_students", busy)
    refused = await http.get(ADDRESS, headers=bearer("director"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "try_again")
    assert await export_records(school) == [(0, False)]


@pytest.mark.parametrize("address", [ADDRESS, "/exports/students.xlsx"])
@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_a_client_that_breaks_off_is_written_down(
    school: School,
    settings: Settings,
    bearer: Bearer,
    version: str,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Servers tell it by a message, and of version 2.4 on by an error of sending."""
    import asyncio

    monkeypatch.setattr(exports, "PAGE_ROWS", 2)
    app = create_app(settings)
    app.state.store, app.state.sign_in = school.store, SignIn(settings)
    gone = asyncio.Event()
    sent = 0

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal sent
        if message["type"] != "http.response.body":
            return
        sent += 1
        if sent == 2:
            gone.set()
            if version == "2.4":
                raise OSError("gone")
            await asyncio.sleep(30)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": version},
        "method": "GET",
        "path": address,
        "raw_path": address.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), text.encode()) for name, text in bearer("director").items()],
    }
    await app(scope, receive, send)  # type: ignore[arg-type]
    assert sent == 2
    assert await export_records(school) == [(4, False)]
