"""The life of a change request as a front end sees it."""

from __future__ import annotations

from typing import Any

import httpx

from archive_store.foundation.clock import school_day
from schema.nodes import global_id
from tests.access.test_readings import paper
from tests.http.test_http import ask
from tests.school import School

Bearer = Any
REQUEST = """id status round digest awaits awaitsPosts awaitsPersonName effectiveFrom
    evidence { id documentType } steps { tier post decision onBehalfOfName comment isVoid }"""


async def mutate(
    http: httpx.AsyncClient, headers: dict[str, str], name: str, fields: str, **given: Any
) -> Any:
    kind = f"{name[0].upper()}{name[1:]}Input"
    query = f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {fields} errors {{ code field }} }} }}"
    return (await ask(http, headers, query, input=given))["data"][name]


async def test_from_a_draft_with_evidence_to_a_revised_and_applied_change(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    student = global_id("Student", (await school.student()).key)
    scan = global_id("Scan", await paper(school, "2023级户口簿"))
    information, director = bearer("information"), bearer("director")
    draft = await mutate(
        http,
        information,
        "studentUpdate",
        f"changeRequest {{ {REQUEST} }}",
        studentId=student,
        changes={"address": "新路1号"},
        evidence=[scan],
        draft=True,
    )
    request = draft["changeRequest"]
    assert (request["status"], request["evidence"]) == ("DRAFT", [{"id": scan, "documentType": "户口簿"}])
    empty = await mutate(http, information, "changeRequestSubmit", "changeRequest { id }", id=request["id"])
    assert empty["errors"] == [{"code": "required", "field": "reason"}]
    await mutate(http, information, "studentUpdateRevise", "applied", id=request["id"], reason="搬家")
    sent = await mutate(
        http, information, "changeRequestSubmit", f"changeRequest {{ {REQUEST} }}", id=request["id"]
    )
    assert (sent["changeRequest"]["status"], sent["changeRequest"]["awaitsPosts"]) == (
        "SUBMITTED",
        ["DIRECTOR"],
    )
    back = await mutate(
        http,
        director,
        "changeRequestReturn",
        f"changeRequest {{ {REQUEST} }}",
        id=request["id"],
        comment="门牌?",
    )
    assert (back["changeRequest"]["status"], back["changeRequest"]["awaitsPosts"]) == ("RETURNED", [])
    again = await mutate(
        http,
        information,
        "studentUpdateRevise",
        f"changeRequest {{ {REQUEST} }}",
        id=request["id"],
        changes={"address": "新路1号2室"},
    )
    revised = again["changeRequest"]
    assert revised["round"] == 3 and revised["steps"][0]["isVoid"] and revised["evidence"]
    stale = await mutate(
        http,
        director,
        "changeRequestApprove",
        "changeRequest { id }",
        id=request["id"],
        digest=request["digest"],
    )
    assert stale["errors"] == [{"code": "conflict", "field": "digest"}]
    done = await mutate(
        http,
        director,
        "changeRequestApprove",
        "changeRequest { status }",
        id=request["id"],
        digest=revised["digest"],
    )
    assert done["changeRequest"]["status"] == "APPLIED"


async def test_evidence_is_a_scan_of_the_student(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    other = global_id("Student", (await school.student(1)).key)
    scan = global_id("Scan", await paper(school, "2023级户口簿"))
    told = await mutate(
        http,
        bearer("information"),
        "studentUpdate",
        "applied",
        studentId=other,
        changes={"address": "x路"},
        evidence=[scan],
        reason="搬家",
    )
    assert told["errors"] == [{"code": "not_found", "field": "evidence"}]


async def test_a_conflict_over_graphql(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    student = await school.student()
    one = await school.request("information", student, guardians=[{"name": "甲", "relation": "51"}])
    other = await school.request("information", student, guardians=[{"name": "乙", "relation": "52"}])
    await school.approve("director", one)
    told = await mutate(
        http,
        bearer("director"),
        "changeRequestApprove",
        "changeRequest { status } conflicts { field before current requested }",
        id=global_id("ChangeRequest", other),
    )
    assert told["errors"] == [{"code": "conflict", "field": "guardians"}]
    (conflict,) = told["conflicts"]
    assert (conflict["current"][0]["name"], conflict["requested"][0]["name"]) == ("甲", "乙")
    assert "personId" not in conflict["before"][0] and "person_id" not in conflict["before"][0]
    assert told["changeRequest"]["status"] == "SUBMITTED"


async def test_staff_delegation_added_signature_and_batch(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    query = "query ($post: Post) { staff(first: 50, post: $post) { edges { node { id name posts } } } }"
    (deputy, other) = (await ask(http, bearer("teacher"), query, post="DEPUTY_DIRECTOR"))["data"]["staff"][
        "edges"
    ]
    assert (await ask(http, bearer("service"), query))["data"]["staff"]["edges"] == []
    today = school_day(school.store.clock.now()).isoformat()
    given = await mutate(
        http,
        bearer("director"),
        "delegationGive",
        "delegationId",
        delegateId=deputy["node"]["id"],
        post="DIRECTOR",
        validFrom=today,
        validTo=today,
    )
    assert given["errors"] == [] and given["delegationId"]
    mine = "{ delegations { edges { node { id delegatorName delegateName post validTo } } } }"
    http._transport.app.state.sign_in._viewers.clear()  # type: ignore[attr-defined]
    (edge,) = (await ask(http, bearer("deputy-1"), mine))["data"]["delegations"]["edges"]
    assert (edge["node"]["delegatorName"], edge["node"]["post"]) == ("赵主任", "DIRECTOR")
    student = await school.student()
    keys = [
        global_id("ChangeRequest", await school.request("information", student, **change))
        for change in ({"phone": "13700000001"}, {"address": "甲路"})
    ]
    added = await mutate(
        http,
        bearer("deputy-1"),
        "changeRequestAddSigner",
        f"changeRequest {{ {REQUEST} }}",
        id=keys[0],
        personId=other["node"]["id"],
        comment="请核对",
    )
    assert added["changeRequest"]["awaitsPersonName"] == other["node"]["name"]
    told = (
        await ask(
            http,
            bearer("deputy-1"),
            """mutation ($ids: [ID!]!) { changeRequestsApprove(input: {ids: $ids}) {
            results { id changeRequest { status steps { onBehalfOfName } } errors { code } } errors { code } } }""",
            ids=keys,
        )
    )["data"]["changeRequestsApprove"]["results"]
    assert [result["errors"] for result in told] == [[{"code": "forbidden"}], []]
    assert told[1]["changeRequest"] == {"status": "APPLIED", "steps": [{"onBehalfOfName": "赵主任"}]}
    ended = await mutate(http, bearer("director"), "delegationEnd", "delegationId", id=edge["node"]["id"])
    assert ended["errors"] == []
