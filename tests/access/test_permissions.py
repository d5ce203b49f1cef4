"""`viewerCan` and `fieldAccess` say beforehand what trying would answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from schema.nodes import global_id
from tests.access.test_readings import paper
from tests.http.test_http import ask
from tests.school import School

Bearer = Any
STUDENT = """query ($id: ID!, $action: StudentAction!, $fields: [String!]) { student(id: $id) {
    viewerCan(action: $action, fields: $fields) { allowed tiers posts operation reason { code messageZh } } } }"""


async def student_can(
    school: School, http: httpx.AsyncClient, headers: dict[str, str], action: str, *fields: str
) -> Any:
    key = global_id("Student", (await school.student()).key)
    told = await ask(http, headers, STUDENT, id=key, action=action, fields=list(fields))
    return told["data"]["student"] and told["data"]["student"]["viewerCan"]


@pytest.mark.parametrize(
    ("subject", "action", "fields", "tiers"),
    [
        ("information", "STUDENT_UPDATE", ("phone",), ["DEPARTMENT_HEAD"]),
        ("information", "STUDENT_UPDATE", ("phone", "name"), ["DEPARTMENT_HEAD", "VICE_PRINCIPAL"]),
        ("director", "STUDENT_UPDATE", ("phone",), ["VICE_PRINCIPAL"]),
        ("archive", "SCAN_FILE", (), []),
        ("teacher", "RETRIEVAL_GRANT", (), ["DEPARTMENT_HEAD"]),
        ("teacher", "RETRIEVAL_GRANT_SEALED", (), ["DEPARTMENT_HEAD", "VICE_PRINCIPAL"]),
    ],
)
async def test_what_a_viewer_may_ask_for(
    school: School,
    http: httpx.AsyncClient,
    bearer: Bearer,
    subject: str,
    action: str,
    fields: tuple[str, ...],
    tiers: list[str],
) -> None:
    can = await student_can(school, http, bearer(subject), action, *fields)
    assert (can["allowed"], can["tiers"], can["reason"]) == (True, tiers, None)


async def test_what_a_viewer_may_not_and_who_may(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    can = await student_can(school, http, bearer("teacher"), "STUDENT_UPDATE", "phone")
    assert (can["allowed"], can["tiers"]) == (False, ["DEPARTMENT_HEAD"])
    assert can["posts"] == ["DEPUTY_DIRECTOR", "DIRECTOR", "INFORMATION_GROUP"]
    assert can["reason"]["code"] == "forbidden" and can["reason"]["messageZh"]
    assert not (await student_can(school, http, bearer("service"), "STUDENT_UPDATE"))["allowed"]
    assert await student_can(school, http, bearer("analysis"), "STUDENT_UPDATE") is None


async def test_an_unknown_field_is_named(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    key = global_id("Student", (await school.student()).key)
    told = await ask(
        http, bearer("information"), STUDENT, id=key, action="STUDENT_UPDATE", fields=["personId"]
    )
    (error,) = told["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("unknown_field", "fields")


async def test_a_scan_says_how_its_bytes_are_obtained(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    query = """query ($id: ID!) { scan(id: $id) { contentUrl contentClass
        viewerCan(action: DOWNLOAD) { allowed operation reason { code } } } }"""
    form, medical = await paper(school, "2023级成绩单"), await paper(school, "2023级体检表")

    async def told(headers: dict[str, str], key: Any) -> Any:
        return (await ask(http, headers, query, id=global_id("Scan", key)))["data"]["scan"]

    archive = await told(bearer("archive"), form)
    assert archive["viewerCan"] == {
        "allowed": False,
        "operation": "retrieval_grant.give",
        "reason": {"code": "forbidden"},
    }
    assert (archive["contentUrl"], archive["contentClass"]) == (None, "F3")
    unsaid = await told(bearer("director", ""), form)
    assert unsaid["viewerCan"]["reason"] == {"code": "purpose_required"}
    stated = await told(bearer("director"), form)
    assert (stated["viewerCan"]["allowed"], bool(stated["contentUrl"])) == (True, True)
    sealed = await told(bearer("director"), medical)
    assert (sealed["contentClass"], sealed["viewerCan"]["operation"]) == ("F4", "retrieval_grant.give_sealed")
    assert await told(bearer("information"), medical) is None


async def test_a_request_says_whose_it_is_to_decide(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    key = await school.request("information", await school.student(), phone="13700000001")
    query = """query ($id: ID!) { changeRequest(id: $id) {
        approve: viewerCan(action: APPROVE) { allowed reason { code } }
        withdraw: viewerCan(action: WITHDRAW) { allowed reason { code } } } }"""
    seen = {}
    for subject in ("information", "director", "principal"):
        told = await ask(http, bearer(subject), query, id=global_id("ChangeRequest", key))
        request = told["data"]["changeRequest"]
        seen[subject] = [
            request[action]["allowed"] or request[action]["reason"]["code"]
            for action in ("approve", "withdraw")
        ]
    assert seen == {
        "information": ["self_approval", True],
        "director": [True, "forbidden"],
        "principal": ["forbidden", "forbidden"],
    }
    await school.approve("director", key)
    told = await ask(http, bearer("director"), query, id=global_id("ChangeRequest", key))
    assert told["data"]["changeRequest"]["approve"]["reason"] == {"code": "wrong_state"}


async def test_field_access_tells_a_form_what_to_show(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    key = global_id("Student", (await school.student()).key)
    query = """query ($id: ID!) { student(id: $id) { fieldAccess {
        field fieldClass readable reason filterable changeable operation changeTiers } } }"""

    async def access(headers: dict[str, str]) -> dict[str, Any]:
        told = await ask(http, headers, query, id=key)
        assert "errors" not in told
        return {line.pop("field"): line for line in told["data"]["student"]["fieldAccess"]}

    mine = await access(bearer("information"))
    assert mine["phone"] == {
        "fieldClass": "F3",
        "readable": False,
        "reason": "NOT_PERMITTED",
        "filterable": False,
        "changeable": True,
        "operation": "student.update",
        "changeTiers": ["DEPARTMENT_HEAD"],
    }
    assert mine["name"]["changeTiers"] == ["DEPARTMENT_HEAD", "VICE_PRINCIPAL"]
    assert (mine["guardians.phone"]["readable"], mine["guardians.phone"]["changeable"]) == (False, True)
    assert (mine["status"]["operation"], mine["status"]["filterable"]) == ("student.correct", True)
    assert (await access(bearer("director", "")))["phone"]["reason"] == "PURPOSE_REQUIRED"
    assert (await access(bearer("director")))["phone"]["readable"] is True
    teacher = await access(bearer("teacher"))
    assert not any(line["changeable"] for line in teacher.values())


async def test_a_grant_over_http_from_request_to_reading(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    key = global_id("Student", (await school.student()).key)
    request = """mutation ($input: RetrievalGrantRequestInput!) { retrievalGrantRequest(input: $input) {
        changeRequest { id awaits changes { field after } } errors { code field } } }"""
    wanted = {"studentId": key, "secrecy": "SENSITIVE", "purpose": "家访", "days": 3, "views": 1}
    told = (await ask(http, bearer("teacher", ""), request, input=wanted))["data"]["retrievalGrantRequest"]
    assert (told["errors"], told["changeRequest"]["awaits"]) == ([], "DEPARTMENT_HEAD")
    approve = """mutation ($id: ID!) { changeRequestApprove(input: {id: $id}) { errors { code } } }"""
    await ask(http, bearer("director"), approve, id=told["changeRequest"]["id"])
    mine = "{ retrievalGrants(first: 5) { edges { node { id purpose viewsAllowed viewsTaken studentId } } } }"
    read = "query ($id: ID!) { student(id: $id) { phone } }"
    # The viewer is remembered for seconds, so ask as a request after that does.
    http._transport.app.state.sign_in._viewers.clear()  # type: ignore[attr-defined]
    student = await ask(http, bearer("teacher", ""), read, id=key)
    assert student["data"]["student"]["phone"] == (await school.student()).phone
    (edge,) = (await ask(http, bearer("teacher", ""), mine))["data"]["retrievalGrants"]["edges"]
    assert edge["node"] | {"id": ""} == {
        "id": "",
        "purpose": "家访",
        "viewsAllowed": 1,
        "viewsTaken": 1,
        "studentId": key,
    }
    revoke = """mutation ($id: ID!) { retrievalGrantRevoke(input: {id: $id, reason: "已家访"}) {
        retrievalGrant { expiresAt } errors { code } } }"""
    done = await ask(http, bearer("director"), revoke, id=edge["node"]["id"])
    assert done["data"]["retrievalGrantRevoke"]["errors"] == []


async def test_a_policy_over_http(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    policy = (await ask(http, bearer("teacher"), "{ fieldAccessPolicy { version rules } }"))["data"][
        "fieldAccessPolicy"
    ]
    assert policy["version"] == 1
    replace = """mutation ($input: PolicyReplaceInput!) { policyReplace(input: $input) {
        differences { post purposeStated gains loses } changeRequest { id chain } errors { code field } } }"""
    rules = policy["rules"]
    rules["by_post"]["LOGISTICS"] = ["F0", "F1"]
    wanted = {"rules": rules, "effectiveFrom": "2099-01-01", "reason": "宿舍分配"}
    dry = await ask(http, bearer("director"), replace, input=wanted | {"dryRun": True})
    assert dry["data"]["policyReplace"]["changeRequest"] is None
    assert [held["post"] for held in dry["data"]["policyReplace"]["differences"]] == ["LOGISTICS"] * 2
    asked = (await ask(http, bearer("director"), replace, input=wanted))["data"]["policyReplace"]
    assert asked["changeRequest"]["chain"] == ["VICE_PRINCIPAL", "PRINCIPAL"]
    for bad, code in ((5, "invalid_argument"), ({"by_post": 1}, "required")):
        told = await ask(http, bearer("director"), replace, input=wanted | {"rules": bad})
        assert told["data"]["policyReplace"]["errors"][0]["code"] in (code, "invalid_argument")
