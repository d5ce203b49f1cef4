"""Transfer cases over GraphQL: a student leaves by the chain, another comes; the family sees how far it is."""

from __future__ import annotations

from typing import Any

import pytest

from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.context import Context
from schema.nodes import global_id, parse_global_id
from schema.root import build_schema
from tests.conduct.cases import family
from tests.organisation.structure import build
from tests.organisation.test_graphql import mutate, run
from tests.school import School
from tests.status_changes.changes import day, paper
from tests.transfer_cases.test_cases import REASON, opened
from tests.transfers.test_transfers import sent

CASE = """id studentId state awaited dueOn otherSchool reasonKind reasonText article fileDueOn fileTransferId
    steps { party act dueOn doneOn outcome ground notedByName changeRequestId }
    viewerCan(action: RECORD_STEP) { allowed tiers reason { code } }"""
PAYLOAD = f"transferCase {{ {CASE} }} changeRequest {{ id }} applied"


def opening(school: School, **told: Any) -> dict[str, Any]:
    return {
        "direction": "OUT",
        "route": "SAME_COUNTY",
        "otherSchool": "第二中学",
        "appliedOn": day(school, -3).isoformat(),
        "reasonKind": "FAMILY_MOVED",
        "reasonText": REASON,
        **told,
    }


async def stepped(school: School, case: str, step: int, **told: Any) -> dict[str, Any]:
    given = {
        "id": case,
        "step": step,
        "outcome": "AGREED",
        "doneOn": day(school).isoformat(),
        "reason": "按申请办理",
        **told,
    }
    answer = await mutate(school, "information", "transferCaseRecordStep", PAYLOAD, **given)
    assert answer["errors"] == [], answer
    return answer


async def test_a_student_leaves_step_by_step(school: School) -> None:
    await build(school)
    student = await family(school)
    told = opening(school, studentId=global_id("Student", student))
    answer = await mutate(school, "information", "transferCaseOpen", PAYLOAD, **told)
    assert (answer["errors"], answer["applied"]) == ([], True)
    case = answer["transferCase"]
    assert (case["state"], case["awaited"]) == ("IN_PROCESS", "RECEIVING_SCHOOL")
    assert case["viewerCan"]["allowed"]
    await stepped(school, case["id"], 0)
    asked = await stepped(
        school, case["id"], 1, evidence=[global_id("Scan", await paper(school, "转学申请表"))]
    )
    assert asked["applied"] is False
    ours = asked["transferCase"]["steps"][1]
    assert ours["changeRequestId"] == asked["changeRequest"]["id"]
    request = parse_global_id(asked["changeRequest"]["id"])[1]
    for signer in ("director", "vice-principal"):
        await school.approve(signer, request)
    data, _ = await run(
        school, "parent", f'{{ student(id: "{told["studentId"]}") {{ status transferCases {{ {CASE} }} }} }}'
    )
    assert data["student"]["status"] == "TRANSFERRED_OUT"
    (seen,) = data["student"]["transferCases"]
    assert seen["awaited"] == "AUTHORITY"
    assert [step["outcome"] for step in seen["steps"]] == ["AGREED", "AGREED", None]
    assert seen["viewerCan"] == {"allowed": False, "tiers": [], "reason": {"code": "forbidden"}}
    done = await stepped(school, case["id"], 2)
    assert done["transferCase"]["state"] == "COMPLETED"
    assert done["transferCase"]["fileDueOn"] is not None
    early = await mutate(school, "information", "transferCaseClose", PAYLOAD, **{"id": case["id"]})
    assert early["errors"][0]["code"] == "wrong_state"
    await sent(school, day(school))
    closed = await mutate(school, "information", "transferCaseClose", PAYLOAD, **{"id": case["id"]})
    assert (closed["errors"], closed["transferCase"]["state"]) == ([], "CLOSED")
    assert closed["transferCase"]["fileTransferId"] is not None
    again = await mutate(school, "parent", "transferCaseWithdraw", PAYLOAD, **{"id": case["id"]})
    assert again["errors"][0]["code"] == "wrong_state"


async def test_one_who_comes_is_followed_by_name(school: School) -> None:
    await build(school)
    told = opening(school, direction="IN", applicantName="欧阳小静", birthDate="2012-03-04")
    answer = await mutate(school, "information", "transferCaseOpen", PAYLOAD, **told)
    assert answer["errors"] == []
    case = answer["transferCase"]
    assert (case["studentId"], case["awaited"]) == (None, "RECEIVING_SCHOOL")
    # We receive, so that the first answer is ours, and signed.
    given = {
        "id": case["id"],
        "step": 0,
        "outcome": "AGREED",
        "doneOn": day(school).isoformat(),
        "reason": "学位尚余",
    }
    asked = await mutate(school, "information", "transferCaseRecordStep", PAYLOAD, **given)
    assert asked["errors"] == [] and asked["applied"] is False
    for signer in ("director", "vice-principal"):
        await school.approve(signer, parse_global_id(asked["changeRequest"]["id"])[1])
    query = (
        f"{{ transferCases(first: 5, state: IN_PROCESS) {{ edges {{ node {{ applicantName {CASE} }} }} }} }}"
    )
    data, _ = await run(school, "director", query)
    (node,) = [edge["node"] for edge in data["transferCases"]["edges"]]
    assert (node["applicantName"], node["awaited"]) == ("欧阳小静", "SENDING_SCHOOL")
    refused = {"id": case["id"], "step": 1, "outcome": "REFUSED", "doneOn": day(school).isoformat()}
    missing = await mutate(school, "information", "transferCaseRecordStep", PAYLOAD, **refused)
    assert [(error["code"], error["field"]) for error in missing["errors"]] == [("required", "ground")]
    ended = await mutate(
        school, "information", "transferCaseRecordStep", PAYLOAD, **{**refused, "ground": "学籍有争议"}
    )
    assert ended["transferCase"]["state"] == "REFUSED"


async def test_who_may_not_know_sees_no_case(school: School) -> None:
    await build(school)
    student = await family(school)
    key = global_id("TransferCase", await opened(school))
    of_student = f'{{ student(id: "{global_id("Student", student)}") {{ transferCases {{ id }} }} }}'
    for subject in ("teacher", "academic-affairs", "logistics"):
        data, _ = await run(school, subject, of_student)
        assert not ((data["student"] or {}).get("transferCases")), subject
        data, _ = await run(school, subject, f'{{ transferCase(id: "{key}") {{ id }} }}')
        assert data["transferCase"] is None
    context = Context(school.store, await school.viewer("teacher"))
    refused = await build_schema().execute(
        "{ transferCases { edges { node { id } } } }", context_value=context
    )
    assert refused.errors is not None and refused.errors[0].extensions["code"] == "forbidden"  # type: ignore[index]
    answer = await mutate(school, "teacher", "transferCaseWithdraw", PAYLOAD, **{"id": key})
    assert answer["errors"][0]["code"] in ("forbidden", "not_found")
    # Why somebody moves is sensitive: read for a purpose, or by the family.
    data, _ = await run(school, "information", f'{{ transferCase(id: "{key}") {{ state reasonText }} }}')
    assert data["transferCase"] == {"state": "IN_PROCESS", "reasonText": None}
    data, _ = await run(school, "parent", f'{{ transferCase(id: "{key}") {{ reasonText }} }}')
    assert data["transferCase"]["reasonText"] == REASON


async def test_routes_are_shown_and_replaced_by_the_principal(school: School) -> None:
    data, _ = await run(school, "information", "{ transferRules { version rules } }")
    rules = data["transferRules"]["rules"]
    assert data["transferRules"]["version"] == 0
    rules[0]["steps"][0]["working_days"] = 5
    given = {"rules": rules, "effectiveFrom": day(school, 1).isoformat(), "dryRun": True}
    answer = await mutate(
        school, "director", "transferRulesReplace", "changedRoutes changeRequest { id }", **given
    )
    assert answer == {"changedRoutes": [rules[0]["route"]], "changeRequest": None, "errors": []}


async def test_an_answer_that_is_sent_twice_is_of_one_step(school: School) -> None:
    await build(school)
    case = global_id("TransferCase", await opened(school, route="CROSS_COUNTY"))
    await stepped(school, case, 0)
    given = {"id": case, "step": 0, "outcome": "AGREED", "doneOn": day(school).isoformat()}
    again = await mutate(school, "information", "transferCaseRecordStep", PAYLOAD, **given)
    assert [(error["code"], error["field"]) for error in again["errors"]] == [("wrong_state", "step")]
    data, _ = await run(school, "information", f'{{ transferCase(id: "{case}") {{ steps {{ outcome }} }} }}')
    assert [step["outcome"] for step in data["transferCase"]["steps"]] == ["AGREED", None, None, None]


async def test_a_parent_does_not_sign_the_answer_about_their_child(school: School) -> None:
    await build(school)
    await family(school)
    key = await opened(school)
    await stepped(school, global_id("TransferCase", key), 0)
    given = {"id": global_id("TransferCase", key), "step": 1, "doneOn": day(school).isoformat()}
    refusal = {"outcome": "REFUSED", "ground": "材料不全", "reason": "材料不全"}
    asked = await mutate(school, "information", "transferCaseRecordStep", PAYLOAD, **given, **refusal)
    request = parse_global_id(asked["changeRequest"]["id"])[1]
    parent = (await school.viewer("director")).person_id
    students = school.store.database.mongo["students"]
    await students.update_one(
        {"_id": (await school.student()).key}, {"$set": {"guardians.0.person_id": parent}}
    )
    school.store.versions_seen.clear()
    with pytest.raises(RegistrarError) as refused:
        await school.approve("director", request)
    assert refused.value.code is ErrorCode.SELF_APPROVAL


async def test_the_office_says_why_it_withdraws_and_leaves_what_others_asked_for(school: School) -> None:
    await build(school)
    await family(school)
    key = global_id("TransferCase", await opened(school))
    silent = await mutate(school, "information", "transferCaseWithdraw", PAYLOAD, id=key)
    assert [(error["code"], error["field"]) for error in silent["errors"]] == [("required", "reason")]
    await stepped(school, key, 0)
    await stepped(school, key, 1, evidence=[global_id("Scan", await paper(school, "转学申请表"))])
    others = await mutate(school, "director", "transferCaseWithdraw", PAYLOAD, id=key, reason="误办")
    assert others["errors"][0]["code"] == "wrong_state"
    family_does = await mutate(school, "parent", "transferCaseWithdraw", PAYLOAD, id=key)
    assert family_does["errors"] == []
