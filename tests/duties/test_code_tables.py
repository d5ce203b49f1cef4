"""`code_table.load`: the department head approves, everything is checked and labelled by it, and no code is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from archive_store.approvals.documents import RequestStatus
from archive_store.approvals.operations import Outcome, payload_of, perform
from archive_store.approvals.queries import change_requests_by_id, contents_for
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.duties.code_tables import CodeTableLoad
from archive_store.foundation.clock import school_day
from archive_store.foundation.code_table_versions import refresh_code_tables
from archive_store.foundation.code_tables import code_table, install_loaded, shipped_versions
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.export_columns import COLUMN_BY_HEADER
from tests.school import School

NOTICE = "市教育局关于户口性质代码的通知"
TABLE = "household_type"


@pytest.fixture(autouse=True)
def as_shipped() -> Iterator[None]:
    """The snapshot is the process's: other tests see what is shipped."""
    yield
    install_loaded([], date(2026, 9, 1))


def entries(name: str = TABLE, **until: date) -> list[dict[str, Any]]:
    return [
        {"code": e.code, "zh": e.zh, "en": e.en, "also": e.also, "until": until.get(f"c{e.code}")}
        for e in shipped_versions()[name][-1].entries
    ]


async def load(school: School, subject: str = "information", **told: Any) -> Outcome:
    values = {"table": TABLE, "edition": "2", "source": NOTICE, "entries": entries(), **told}
    values.setdefault("valid_from", school_day(school.store.clock.now()))
    payload = payload_of(CodeTableLoad, {"version_id": ObjectId(), **values})
    return await perform(
        school.store, await school.viewer(subject), "code_table.load", payload, reason="收到通知"
    )


async def loaded(school: School, **told: Any) -> None:
    request = (await load(school, **told)).change_request_id
    assert request is not None
    assert await school.approve("director", request) is RequestStatus.APPLIED
    school.store.versions_seen.clear()
    await refresh_code_tables(school.store)


async def test_records_are_checked_and_labelled_by_what_the_head_approved(school: School) -> None:
    today = school_day(school.store.clock.now())
    student = await school.student(0)
    stored = student.household_type
    assert stored is not None
    new = {"code": "10", "zh": "家庭户", "en": "family household", "also": ["家庭户口"]}
    with pytest.raises(RegistrarError) as refused:
        await school.request("information", student, household_type="10")
    assert refused.value.code is ErrorCode.UNKNOWN_CODE

    abolished = {f"c{stored}": today - timedelta(days=1)}
    await loaded(school, entries=[*entries(**abolished), new])

    await school.approve("director", await school.request("information", student, household_type="10"))
    changed = await school.student(0)
    assert changed.household_type == "10"
    column = COLUMN_BY_HEADER["户口性质"]
    assert column.cell({"household_type": "10"}) == "家庭户"
    assert code_table(TABLE).code_of("家庭户口") == "10"
    # The abolished one is labelled where it is stored, and refused where it would be given.
    label = shipped_versions()[TABLE][-1].labels[stored]
    assert column.cell({"household_type": stored}) == label
    before = await school.counts()
    with pytest.raises(RegistrarError) as refused:
        await school.request("information", changed, household_type=stored)
    assert (refused.value.code, refused.value.field) == (ErrorCode.UNKNOWN_CODE, "changes.household_type")
    assert await school.counts() == before
    other = await school.student(1)
    await school.approve("director", await school.request("information", other, native_place="杭州"))
    assert (await school.student(1)).household_type == other.household_type
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_version_of_a_day_to_come_waits_for_it(school: School) -> None:
    today = school_day(school.store.clock.now())
    await loaded(school, valid_from=today + timedelta(days=30))
    assert code_table(TABLE).loaded is None
    assert code_table(TABLE, today + timedelta(days=30)).loaded == 1


async def test_who_approves_sees_what_changes(school: School) -> None:
    request = (await load(school, entries=entries(c1=date(2026, 12, 31)))).change_request_id
    assert request is not None
    director = await school.viewer("director")
    (held,) = await change_requests_by_id(school.store, director, [request])
    assert held is not None
    (content,) = await contents_for(school.store, director, [held])
    shown = {change.field: (change.before, change.after) for change in content.changes}
    before, after = shown["entries"]
    told = "1 农业家庭户口 agricultural household (农业户口, 农业)"
    assert told in before
    assert f"{told} until 2026-12-31" in after
    assert not any(change.withheld for change in content.changes)


async def test_two_requests_for_a_table_conflict(school: School) -> None:
    first = (await load(school)).change_request_id
    second = (await load(school, edition="3")).change_request_id
    assert first is not None and second is not None
    await school.approve("director", second)
    with pytest.raises(RegistrarError) as refused:
        await school.approve("director", first)
    assert refused.value.code is ErrorCode.CONFLICT


def changed(position: int, **leaves: Any) -> list[dict[str, Any]]:
    held = entries()
    held[position] |= leaves
    return held


@pytest.mark.parametrize(
    ("told", "code", "field"),
    [
        ({"table": "nosuch"}, ErrorCode.NOT_FOUND, "table"),
        ({"source": " "}, ErrorCode.REQUIRED, "source"),
        ({"source": "通\n知"}, ErrorCode.INVALID_ARGUMENT, "source"),
        ({"valid_from": date(1949, 10, 1)}, ErrorCode.OUT_OF_RANGE, "valid_from"),
        ({"entries": []}, ErrorCode.INVALID_ARGUMENT, "entries"),
        ({"entries": entries()[1:]}, ErrorCode.INVALID_ARGUMENT, "entries"),
        ({"entries": entries() + entries()[:1]}, ErrorCode.DUPLICATE, "entries.6.code"),
        ({"entries": changed(1, zh="农业 户口")}, ErrorCode.DUPLICATE, "entries.1"),
        ({"entries": changed(1, also=["５"])}, ErrorCode.DUPLICATE, "entries.4"),
        ({"entries": changed(1, zh="甲\u202e乙")}, ErrorCode.INVALID_ARGUMENT, "entries.1.zh"),
        ({"entries": changed(1, code="2 3")}, ErrorCode.INVALID_ARGUMENT, "entries.1.code"),
        ({"entries": changed(1, en="")}, ErrorCode.REQUIRED, "entries.1.en"),
        (
            {"table": "gender", "entries": entries("gender", c9=date(2026, 1, 1))},
            ErrorCode.INVALID_ARGUMENT,
            "entries",
        ),
        (
            {"table": "gender", "entries": [*entries("gender"), {"code": "3", "zh": "三", "en": "three"}]},
            ErrorCode.INVALID_ARGUMENT,
            "entries",
        ),
    ],
)
async def test_what_is_no_table(school: School, told: dict[str, Any], code: ErrorCode, field: str) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as refused:
        await load(school, **told)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert await school.counts() == before


async def test_who_may_not_ask_and_what_is_loaded_already(school: School) -> None:
    before = await school.counts()
    for subject in ("archive", "analysis", "logistics", "principal"):
        with pytest.raises(RegistrarError) as refused:
            await load(school, subject)
        assert refused.value.code is ErrorCode.FORBIDDEN
    assert await school.counts() == before
    await loaded(school)
    with pytest.raises(RegistrarError) as refused:
        await load(school, source="又一份")
    assert refused.value.code is ErrorCode.NOTHING_TO_CHANGE


async def test_over_http(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    async def ask(subject: str, query: str, **variables: Any) -> Any:
        content = {"query": query, "variables": variables}
        told = (await http.post("/graphql", json=content, headers=bearer(subject))).json()
        assert "errors" not in told, told
        return told["data"]

    unsigned = await http.post("/graphql", json={"query": "{ codeTables { name } }"})
    assert unsigned.status_code == 401

    tables = (await ask("logistics", "{ codeTables { name titleZh titleEn standard source } }"))["codeTables"]
    assert [table["name"] for table in tables] == sorted(shipped_versions())
    assert all(table["titleZh"] and table["titleEn"] and table["source"] for table in tables)

    page = """query ($after: String) { codeTable(name: "ethnic_group") { entries(first: 30, after: $after) {
        edges { node { code labelZh labelEn spellings isAbolished } } pageInfo { hasNextPage endCursor } } } }"""
    first = (await ask("logistics", page))["codeTable"]["entries"]
    second = (await ask("logistics", page, after=first["pageInfo"]["endCursor"]))["codeTable"]["entries"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    shown = [edge["node"] for edge in first["edges"] + second["edges"]]
    assert [node["code"] for node in shown] == [e.code for e in shipped_versions()["ethnic_group"][0].entries]
    assert shown[0] | {"spellings": []} == {
        "code": "01", "labelZh": "汉族", "labelEn": "Han", "spellings": [], "isAbolished": False,
    }  # fmt: skip
    assert (await ask("logistics", '{ codeTable(name: "nosuch") { name } }'))["codeTable"] is None
    for cursor in ("x", "Y29kZTo", "é"):
        told = await http.post(
            "/graphql", json={"query": page, "variables": {"after": cursor}}, headers=bearer("logistics")
        )
        assert told.json()["errors"][0]["extensions"]["code"] == "invalid_argument"

    division = (
        '{ division(code: "110103") { fullName parents validFromYear validToYear isAbolished source } }'
    )
    found = (await ask("logistics", division))["division"]
    assert "BSD" in found.pop("source")
    assert found == {
        "fullName": "北京市崇文区", "parents": ["北京市"], "validFromYear": 1980, "validToYear": 2009,
        "isAbolished": True,
    }  # fmt: skip
    assert (await ask("logistics", '{ division(code: "999999") { name } }'))["division"] is None

    given = {
        "name": TABLE, "edition": "2027", "validFrom": "2026-01-01", "source": NOTICE, "reason": "收到通知",
        "entries": [
            {"code": e["code"], "labelZh": e["zh"], "labelEn": e["en"], "spellings": list(e["also"]),
             "until": "2025-12-31" if e["code"] == "1" else None}
            for e in entries()
        ],
    }  # fmt: skip
    mutation = """mutation ($input: CodeTableLoadInput!) { codeTableLoad(input: $input) {
        codeTable { edition } changeRequest { id awaits } errors { code field } } }"""
    asked = (await ask("information", mutation, input=given))["codeTableLoad"]
    assert (asked["errors"], asked["codeTable"]["edition"]) == ([], "practice-1")
    assert asked["changeRequest"]["awaits"] == "DEPARTMENT_HEAD"
    approve = "mutation ($id: ID!) { changeRequestApprove(input: {id: $id}) { errors { code } } }"
    await ask("director", approve, id=asked["changeRequest"]["id"])
    school.store.versions_seen.clear()
    query = f"""query ($on: Date, $all: Boolean = true) {{ codeTable(name: "{TABLE}", on: $on) {{ edition loadedVersion
        validFrom editions entries(includeAbolished: $all) {{ edges {{ node {{ code until isAbolished }} }} }} }} }}"""
    now = (await ask("teacher", query))["codeTable"]
    assert (now["edition"], now["loadedVersion"], now["validFrom"]) == ("2027", 1, "2026-01-01")
    assert now["editions"] == ["practice-1", "2027"]
    assert now["entries"]["edges"][0]["node"] == {"code": "1", "until": "2025-12-31", "isAbolished": True}
    part = (await ask("teacher", query, all=False))["codeTable"]["entries"]["edges"]
    assert len(part) == len(entries()) - 1
    assert (await ask("teacher", query, on="2025-06-01"))["codeTable"]["edition"] == "practice-1"
    wrong = (await ask("information", mutation, input=given | {"name": "x"}))["codeTableLoad"]
    assert wrong["errors"] == [{"code": "not_found", "field": "name"}]
    given["entries"][2]["labelZh"] = ""
    wrong = (await ask("information", mutation, input=given))["codeTableLoad"]
    assert wrong["errors"] == [{"code": "required", "field": "entries.2.labelZh"}]
