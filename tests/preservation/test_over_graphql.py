"""Preservation over HTTP: the whole way of a hold and of a disposal, and what each role is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from archive_store.foundation.clock import school_day
from archive_store.foundation.records import bson_value
from archive_store.scans.retention import DEFAULT_CONTENT
from schema.nodes import global_id
from tests.access.test_readings import events
from tests.http.test_http import ask
from tests.preservation.archive import KEPT, LONG_AGO, PLAIN, SEALED, file_paper, set_scan
from tests.school import School

Bearer = Any
HOLD = """mutation ($input: ScanHoldInput!) { scanHold(input: $input) {
    legalHold { id reason placedByName releasedAt scans { id status } viewerCan(action: RELEASE) { allowed tiers } }
    changeRequest { id } errors { code field messageZh messageEn } } }"""
RELEASE = """mutation ($input: ScanReleaseHoldInput!) { scanReleaseHold(input: $input) {
    legalHold { id releasedAt } changeRequest { id targetId } errors { code } } }"""
APPROVE = """mutation ($input: ChangeRequestApproveInput!) { changeRequestApprove(input: $input) {
    changeRequest { status } errors { code field messageZh } } }"""
PROPOSE = """mutation ($input: DisposalProposeInput!) { disposalPropose(input: $input) {
    items { documentType retention dueOn filedOn studentId scan { id status } }
    disposalBatch { id status reason items { documentType } } changeRequest { id } errors { code field } } }"""
SCAN = """query ($id: ID!) { scan(id: $id) { status disposedAt retentionUntil lockedUntil contentUrl
    viewerCan(action: DOWNLOAD) { allowed reason { code messageZh } }
    hold: viewerCan(action: HOLD) { allowed } dispose: viewerCan(action: PROPOSE_DISPOSAL) { allowed tiers } } }"""


@pytest.fixture
async def told(http: httpx.AsyncClient, bearer: Bearer) -> Any:
    async def ask_as(subject: str, query: str, **variables: Any) -> Any:
        answer = await ask(http, bearer(subject), query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    return ask_as


async def test_a_hold_from_its_reason_to_its_end(school: School, told: Any) -> None:
    scan = global_id("Scan", await file_paper(school))
    held = (await told("director", HOLD, input={"scanIds": [scan], "reason": "诉讼"}))["scanHold"]
    assert held["errors"] == [] and held["changeRequest"] is None
    hold = held["legalHold"]
    assert (hold["reason"], hold["scans"]) == ("诉讼", [{"id": scan, "status": "ON_HOLD"}])
    assert hold["viewerCan"] == {"allowed": True, "tiers": ["VICE_PRINCIPAL"]}
    asked = (await told("archive", RELEASE, input={"id": hold["id"], "reason": "结案"}))["scanReleaseHold"]
    request = asked["changeRequest"]
    assert request["targetId"] == hold["id"] and asked["legalHold"]["releasedAt"] is None
    for subject in ("director", "vice-principal"):
        signed = (await told(subject, APPROVE, input={"id": request["id"]}))["changeRequestApprove"]
        assert signed["errors"] == []
    assert (await told("director", SCAN, id=scan))["scan"]["status"] == "FILED"
    read = len(await events(school))
    query = (
        "{ legalHolds { edges { node { releasedByName viewerCan(action: RELEASE) { reason { code } } } } } }"
    )
    (edge,) = (await told("archive", query))["legalHolds"]["edges"]
    refusal = {"reason": {"code": "wrong_state"}}
    assert edge["node"] == {"releasedByName": "郑副校长", "viewerCan": refusal}
    assert len(await events(school)) == read  # of what was not shown nothing is recorded


async def test_a_disposal_from_the_list_to_the_stub(school: School, told: Any) -> None:
    key = await file_paper(school, filed_at=LONG_AGO)
    scan = global_id("Scan", key)
    before = (await told("archive", SCAN, id=scan))["scan"]
    assert (before["retentionUntil"], before["dispose"]) == ("2021-01-01", {"allowed": True, "tiers": []})
    kept = global_id("Scan", await file_paper(school, KEPT, filed_at=LONG_AGO))
    fresh = (await told("archive", SCAN, id=kept))["scan"]
    assert (fresh["retentionUntil"], fresh["dispose"]["allowed"]) == (None, False)
    assert [fresh["hold"]["allowed"], (await told("director", SCAN, id=kept))["scan"]["hold"]["allowed"]] == [
        False,
        True,
    ]
    due = await told("archive", "{ disposalDue { edges { cursor node { dueOn scan { id } } } } }")
    assert [edge["node"]["scan"]["id"] for edge in due["disposalDue"]["edges"]] == [scan]
    dry = (await told("archive", PROPOSE, input={"dryRun": True}))["disposalPropose"]
    assert dry["disposalBatch"] is dry["changeRequest"] is None
    (item,) = dry["items"]
    assert (item["retention"], item["filedOn"], item["dueOn"]) == ("YEARS_10", "2010-06-01", "2021-01-01")
    without = (await told("archive", PROPOSE, input={}))["disposalPropose"]
    assert [error["code"] for error in without["errors"]] == ["required"]
    asked = (await told("archive", PROPOSE, input={"reason": "保管期满"}))["disposalPropose"]
    assert asked["disposalBatch"]["status"] == "PROPOSED"
    request = asked["changeRequest"]["id"]
    shown = """query ($id: ID!) { changeRequest(id: $id) { operation awaits changes { field after withheld } } }"""
    for subject in ("director", "vice-principal", "principal"):
        view = (await told(subject, shown, id=request))["changeRequest"]
        items = next(change for change in view["changes"] if change["field"] == "items")
        assert not items["withheld"] and items["after"][0]["dueOn"] == "2021-01-01"
        signed = (await told(subject, APPROVE, input={"id": request}))["changeRequestApprove"]
        assert signed["errors"] == []
    stub = (await told("director", SCAN, id=scan))["scan"]
    assert (stub["status"], stub["contentUrl"], stub["viewerCan"]["allowed"]) == ("DISPOSED", None, False)
    assert not stub["hold"]["allowed"] and not stub["dispose"]["allowed"]
    assert stub["viewerCan"]["reason"]["code"] == "disposed" and stub["disposedAt"]
    batch = asked["disposalBatch"]["id"]
    node = """query ($id: ID!) { node(id: $id) { ... on DisposalBatch { status closedAt
        auditHistory { edges { node { kind reason } } } } } }"""
    found = (await told("archive", node, id=batch))["node"]
    assert found["status"] == "DISPOSED"
    kinds = [edge["node"]["kind"] for edge in found["auditHistory"]["edges"]]
    assert kinds == ["disposal_batch:dispose", "disposal_batch:propose"]
    assert (await told("information", node, id=batch))["node"] is None


async def test_the_bytes_of_a_stub_are_gone(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    key = await file_paper(school, filed_at=LONG_AGO)
    await set_scan(school, key, status="DISPOSED", wrapped_data_key=None)
    path = f"/scans/{global_id('Scan', key)}/content"
    answer = await http.get(path, headers=bearer("director"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "disposed")
    assert (await http.get(path, headers=bearer("archive"))).status_code == 403
    assert (await http.get(path, headers=bearer("logistics"))).status_code == 404


LISTS = ("disposalDue { edges { cursor } }", "incompleteArchiveFiles { edges { cursor } }")


@pytest.mark.parametrize(
    "subject", ["information", "deputy-2", "teacher", "analysis", "logistics", "service"]
)
async def test_who_keeps_no_archive_gets_nothing(
    school: School, http: httpx.AsyncClient, bearer: Bearer, subject: str
) -> None:
    key = await file_paper(school, SEALED, filed_at=LONG_AGO)
    for field in (*LISTS, "archiveCompletenessRate { students complete rate }"):
        answer = await ask(http, bearer(subject), f"{{ {field} }}")
        assert answer["data"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["forbidden"]
    for field in ("legalHolds", "disposalBatches"):
        answer = await ask(http, bearer(subject), f"{{ {field} {{ edges {{ cursor }} }} }}")
        assert answer["data"][field]["edges"] == []
    hold = {"scanIds": [global_id("Scan", key)], "reason": "x"}
    answer = await ask(http, bearer(subject), HOLD, input=hold)
    assert [error["code"] for error in answer["data"]["scanHold"]["errors"]] == ["forbidden"]


async def test_completeness_with_the_student(school: School, told: Any) -> None:
    student = global_id("Student", (await school.student()).key)
    query = (
        """query ($id: ID!) { student(id: $id) { archiveCompleteness { required missing isComplete } } }"""
    )
    archive = (await told("archive", query, id=student))["student"]["archiveCompleteness"]
    assert "体检表" in archive["missing"] and not archive["isComplete"]
    teacher = (await told("information", query, id=student))["student"]["archiveCompleteness"]
    assert "体检表" not in repr(teacher)
    assert (await told("logistics", query, id=student))["student"]["archiveCompleteness"] is None
    rate = await told("archive", "{ archiveCompletenessRate { students complete rate } }")
    assert rate["archiveCompletenessRate"] == {"students": 6, "complete": 0, "rate": 0.0}
    files = await told(
        "archive", "{ incompleteArchiveFiles(first: 2) { edges { node { studentId missing } } } }"
    )
    assert files["incompleteArchiveFiles"]["edges"][0]["node"]["studentId"] == student


async def test_the_table_its_versions_and_a_dry_run(school: School, told: Any) -> None:
    query = "query ($v: Int) { retentionTable(version: $v) { version content } }"
    for subject in ("teacher", "archive"):
        table = (await told(subject, query))["retentionTable"]
        assert table == {"version": 0, "content": bson_value(DEFAULT_CONTENT)}
    assert (await told("teacher", query, v=0))["retentionTable"] == table
    assert (await told("teacher", query, v=7))["retentionTable"] is None
    content = table["content"]
    content["others"]["retention"] = "YEARS_30"
    replace = """mutation ($input: RetentionTableReplaceInput!) { retentionTableReplace(input: $input) {
        differences { documentType before after } requirements { status } changeRequest { id }
        errors { code field } } }"""
    day = school_day(school.store.clock.now()) + timedelta(days=1)
    given = {"content": content, "effectiveFrom": day.isoformat(), "reason": "学校决定"}
    dry = (await told("director", replace, input={**given, "dryRun": True}))["retentionTableReplace"]
    assert dry["differences"] == [{"documentType": None, "before": "PERMANENT", "after": "YEARS_30"}]
    assert (dry["requirements"], dry["changeRequest"], dry["errors"]) == ([], None, [])
    asked = (await told("director", replace, input=given))["retentionTableReplace"]
    assert asked["changeRequest"] is not None
    refused = (await told("archive", replace, input=given))["retentionTableReplace"]
    assert [error["code"] for error in refused["errors"]] == ["forbidden"]


async def test_a_hold_is_personal(school: School, told: Any) -> None:
    scan = global_id("Scan", await file_paper(school, PLAIN))
    await told("director", HOLD, input={"scanIds": [scan], "reason": "诉讼"})
    assert (await told("information", SCAN, id=scan))["scan"]["status"] == "ON_HOLD"
    assert (await told("academic-affairs", SCAN, id=scan))["scan"]["status"] is None
