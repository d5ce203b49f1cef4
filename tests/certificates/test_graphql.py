"""Certificates over GraphQL: asking, and what each viewer is shown."""

from __future__ import annotations

from typing import Any

import httpx

from archive_store.foundation.clock import school_day
from schema.nodes import global_id
from tests.certificates.papers import certificates, issued, ready
from tests.school import School

ISSUE = """mutation ($in: CertificateIssueInput!) { certificateIssue(input: $in) {
    changeRequest { id operation } applied errors { code field } } }"""
OPEN = """mutation ($in: CertificateNumberRangeOpenInput!) { certificateNumberRangeOpen(input: $in) {
    changeRequest { operation } errors { code field } } }"""
REVOKE = """mutation ($in: CertificateRevokeInput!) { certificateRevoke(input: $in) {
    changeRequest { operation } errors { code field } } }"""
REISSUE = """mutation ($in: CertificateReissueInput!) { certificateReissue(input: $in) {
    changeRequest { operation } errors { code field } } }"""
SHOWN = """query ($id: ID!) { student(id: $id) { certificates {
    id number kind state name birthDate code paperUrl auditHistory(first: 5) { edges { node { kind } } } } } }"""
RANGES = "{ certificateNumberRanges { kind year prefix digits firstNumber lastNumber nextNumber } }"


async def _ask(http: httpx.AsyncClient, headers: dict[str, str], query: str, **variables: Any) -> Any:
    body = {"query": query, "variables": variables}
    return (await http.post("/graphql", json=body, headers=headers)).json()


async def test_everything_can_be_asked_for(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    student, held = await issued(school)
    other = await school.student(1)
    today = school_day(school.store.clock.now())
    issue = {
        **{"kind": "GRADUATION", "studentIds": [global_id("Student", other.key)], "stage": "JUNIOR"},
        **{"studiedUntil": f"{today:%Y-%m}", "issuedOn": today.isoformat(), "reason": "毕业"},
    }
    opened = {
        **{"kind": "COMPLETION", "year": today.year, "prefix": "JY", "digits": 4},
        **{"firstNumber": 1, "lastNumber": 100, "reason": "毕业"},
    }
    key = global_id("Certificate", held.key)
    for query, told, operation in (
        (ISSUE, issue, "certificate.issue"),
        (OPEN, opened, "certificate_range.open"),
        (REVOKE, {"id": key, "reason": "误发"}, "certificate.revoke"),
        (REISSUE, {"id": key, "issuedOn": today.isoformat(), "reason": "遗失"}, "certificate.reissue"),
    ):
        answer = await _ask(http, bearer("information"), query, **{"in": told})
        (payload,) = answer["data"].values()
        assert payload["errors"] == []
        assert payload["changeRequest"]["operation"] == operation
    issue["studentIds"] = [global_id("Student", student.key)]
    answer = await _ask(http, bearer("information"), ISSUE, **{"in": issue})
    assert answer["data"]["certificateIssue"]["errors"] == [{"code": "duplicate", "field": "studentIds.0"}]


async def test_each_viewer_is_shown_what_the_record_ties_them_to(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    student, held = await issued(school)

    async def shown(subject: str) -> Any:
        answer = await _ask(http, bearer(subject), SHOWN, id=global_id("Student", student.key))
        return answer["data"]["student"]["certificates"], answer.get("extensions", {}).get("redactions", [])

    (whole,), kept = await shown("information")
    assert (whole["number"], whole["state"], whole["code"]) == (held.number, "VALID", held.code)
    assert whole["auditHistory"]["edges"][0]["node"]["kind"] == "certificate:issue"
    assert kept == []
    (part,), kept = await shown("academic-affairs")
    assert (part["number"], part["birthDate"], part["code"], part["paperUrl"]) == (
        *(held.number, None),
        *(None, None),
    )
    assert {line["field"] for line in kept} == {"Certificate.birthDate", "Certificate.code"}
    found, kept = await shown("logistics")
    assert found is None
    assert [line["field"] for line in kept] == ["Student.certificates"]


async def test_ranges_are_for_those_who_ask_and_sign(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    await ready(school)
    (told,) = (await _ask(http, bearer("vice-principal"), RANGES))["data"]["certificateNumberRanges"]
    assert (told["firstNumber"], told["lastNumber"], told["nextNumber"]) == (1, 20, 1)
    answer = await _ask(http, bearer("teacher"), RANGES)
    assert answer["errors"][0]["extensions"]["code"] == "forbidden"
    assert await certificates(school) == []
