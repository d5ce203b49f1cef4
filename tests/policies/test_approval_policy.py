"""`approval_policy.replace`: who signs what, changed by the principal; and the common reasons."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from archive_store.approvals.documents import ApprovalPolicy, RequestStatus, Tier
from archive_store.approvals.requests import Revision, revise
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.versioned import newest_version
from archive_store.operation_table import OPERATIONS
from archive_store.policies.approvals import (
    ApprovalReplacement,
    check_content,
    content_of,
    replace_approval_policy,
    route_differences,
)
from tests.approvals.test_requests import asked, held, sign
from tests.http.test_http import ask as graphql
from tests.school import School

Bearer = Any


async def content(school: School) -> dict[str, Any]:
    policy = await newest_version(school.store, ApprovalPolicy)
    told: dict[str, Any] = bson_value(content_of(policy))
    return told


def with_chain(told: dict[str, Any], operation: str, *chain: str, **more: Any) -> dict[str, Any]:
    rules = [rule for rule in told["rules"] if rule["operation"] != operation]
    return told | {"rules": [*rules, {"operation": operation, "chain": list(chain)} | more]}


async def ask(
    school: School, told: dict[str, Any], subject: str = "director", *, days: int = 0, dry_run: bool = False
) -> ApprovalReplacement:
    return await replace_approval_policy(
        school.store,
        await school.viewer(subject),
        content=told,
        effective_from=school_day(school.store.clock.now()) + timedelta(days=days),
        reason="学校决定",
        dry_run=dry_run,
    )


async def test_the_principal_decides_and_a_running_case_keeps_its_version(school: School) -> None:
    running = await asked(school)
    told = with_chain(
        await content(school), "student.update", "DEPARTMENT_HEAD", "VICE_PRINCIPAL", "PRINCIPAL"
    )
    outcome = await ask(school, told)
    assert outcome.change_request_id is not None
    assert [step.tier for step in (await held(school, outcome.change_request_id)).route] == [
        Tier.VICE_PRINCIPAL,
        Tier.PRINCIPAL,
    ]
    await school.approve("vice-principal", outcome.change_request_id)
    assert await school.approve("principal", outcome.change_request_id) is RequestStatus.APPLIED
    school.store.versions_seen.clear()
    assert len((await held(school, await asked(school, address="甲路"))).route) == 3
    assert await sign(school, "director", running) is RequestStatus.APPLIED
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def in_force(school: School, told: dict[str, Any]) -> None:
    outcome = await ask(school, told)
    assert outcome.change_request_id is not None
    for signer in ("vice-principal", "principal"):
        await school.approve(signer, outcome.change_request_id)
    school.store.versions_seen.clear()


async def test_a_revised_case_is_signed_as_the_policy_of_the_day_says(school: School) -> None:
    running = await asked(school)
    version = (await held(school, running)).policy_version
    told = with_chain(await content(school), "student.update", "DEPARTMENT_HEAD", "VICE_PRINCIPAL")
    await in_force(school, told)
    information = await school.viewer("information")
    await revise(school.store, information, running, Revision(reason="补充说明"))
    request = await held(school, running)
    assert (request.policy_version, request.round) == (version + 1, 2)
    assert list(request.chain) == [Tier.DEPARTMENT_HEAD, Tier.VICE_PRINCIPAL]
    assert await sign(school, "director", running) is RequestStatus.IN_REVIEW
    assert await sign(school, "vice-principal", running) is RequestStatus.APPLIED
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_what_nobody_signs_any_more_is_asked_for_anew(school: School) -> None:
    running = await asked(school)
    await in_force(school, with_chain(await content(school), "student.update"))
    information = await school.viewer("information")
    with pytest.raises(RegistrarError) as caught:
        await revise(school.store, information, running, Revision(reason="补充说明"))
    assert (caught.value.code, caught.value.details["state"]) == (ErrorCode.WRONG_STATE, "APPLIES_AT_ONCE")
    assert (await held(school, running)).round == 1


async def test_a_version_waits_for_its_day_and_two_of_one_version_conflict(school: School) -> None:
    told = await content(school)
    requests = [
        (await ask(school, told | {"reminder_hours": hours}, days=2)).change_request_id for hours in (12, 36)
    ]
    for key in requests:
        assert key is not None
        await school.approve("vice-principal", key)
    await school.approve("principal", requests[0])  # type: ignore[arg-type]
    with pytest.raises(RegistrarError) as caught:
        await school.approve("principal", requests[1])  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFLICT, "version")
    school.store.versions_seen.clear()
    assert (await newest_version(school.store, ApprovalPolicy)).reminder_hours == 24


async def test_a_dry_run_says_whose_signatures_change_and_writes_nothing(school: School) -> None:
    before = await school.counts()
    told = with_chain(await content(school), "role_grant.give", "DEPARTMENT_HEAD", joint=["ACADEMIC_AFFAIRS"])
    for subject in ("director", "vice-principal", "principal"):
        (difference,) = (await ask(school, told, subject, dry_run=True)).differences
        assert (difference.operation, difference.fields) == ("role_grant.give", ())
        assert (difference.tiers_before, difference.tiers_after, difference.joint_after) == (
            ("DEPARTMENT_HEAD", "VICE_PRINCIPAL"),
            ("DEPARTMENT_HEAD",),
            ("ACADEMIC_AFFAIRS",),
        )
    assert await school.counts() == before


async def test_differences_name_the_fields(school: School) -> None:
    policy = await newest_version(school.store, ApprovalPolicy)
    before = content_of(policy)
    rules = tuple(
        rule.model_copy(update={"fields": rule.fields | {"phone"}}) if rule.fields else rule
        for rule in before.rules
    )
    after = before.model_copy(update={"rules": rules})
    (difference,) = route_differences(before, after, OPERATIONS)
    assert (difference.operation, difference.fields) == ("student.update", ("phone",))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda told: with_chain(told, "policy.replace", "DEPARTMENT_HEAD"), "content.rules."),
        (lambda told: with_chain(told, "approval_policy.replace"), "content.rules."),
        (lambda told: with_chain(told, "no.such", "PRINCIPAL"), "content.rules."),
        (lambda told: with_chain(told, "scan.file", "DEPARTMENT_HEAD"), "content.rules."),
        (lambda told: with_chain(told, "student.update", "PRINCIPAL", "DEPARTMENT_HEAD"), "content.rules."),
        (
            lambda told: with_chain(told, "student.update", "DEPARTMENT_HEAD", fields=["phone"]),
            "content.rules",
        ),
        (lambda told: told | {"rules": []}, "content.rules"),
        (lambda told: told | {"step_period": {"hours": 1, "working_days": 1}}, "content.step_period"),
        (lambda told: told | {"emergency_hours": 0}, "content.emergency_hours"),
        (lambda told: told | {"emergency": [{"operation": "role_grant.give"}]}, "content.emergency.0"),
        (lambda told: told | {"unheard_of": 1}, "content.unheard_of"),
        (lambda told: told, "content"),
    ],
)
async def test_what_a_version_cannot_say(school: School, change: Any, field: str) -> None:
    before, told = await school.counts(), change(await content(school))
    with pytest.raises(RegistrarError) as caught:
        await ask(school, told)
    assert (caught.value.field or "").startswith(field)
    assert await school.counts() == before


@pytest.mark.parametrize("subject", ["information", "vice-principal", "principal", "teacher", "service"])
async def test_who_asks(school: School, subject: str) -> None:
    with pytest.raises(RegistrarError) as caught:
        await ask(school, (await content(school)) | {"reminder_hours": 12}, subject)
    assert caught.value.code is ErrorCode.FORBIDDEN


async def test_the_first_version_is_one_that_could_be_asked_for(school: School) -> None:
    check_content(content_of(await newest_version(school.store, ApprovalPolicy)), OPERATIONS)


async def test_over_graphql(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    policy = (await graphql(http, bearer("teacher"), "{ approvalPolicy { version content } }"))["data"][
        "approvalPolicy"
    ]
    replace = """mutation ($input: ApprovalPolicyReplaceInput!) { approvalPolicyReplace(input: $input) {
        differences { operation fields tiersBefore tiersAfter } changeRequest { chain } errors { code field } } }"""
    wanted = {
        "content": with_chain(policy["content"], "role_grant.give", "DEPARTMENT_HEAD"),
        "effectiveFrom": "2099-01-01",
        "reason": "学校决定",
    }
    told = (await graphql(http, bearer("director"), replace, input=wanted))["data"]["approvalPolicyReplace"]
    assert (told["errors"], told["changeRequest"]["chain"]) == ([], ["VICE_PRINCIPAL", "PRINCIPAL"])
    assert told["differences"][0]["tiersAfter"] == ["DEPARTMENT_HEAD"]
    bad = await graphql(http, bearer("director"), replace, input=wanted | {"content": 5})
    assert bad["data"]["approvalPolicyReplace"]["errors"] == [
        {"code": "invalid_argument", "field": "content"}
    ]


async def test_common_reasons(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    query = "query ($use: ReasonUse) { reasonTemplates(use: $use) { use zh en } }"
    first = (await graphql(http, bearer("director"), query))["data"]["reasonTemplates"]
    assert {template["use"] for template in first} == {"REQUEST", "APPROVE", "RETURN", "REJECT"}
    replace = """mutation ($input: ReasonTemplatesReplaceInput!) { reasonTemplatesReplace(input: $input) {
        templates { zh } errors { code field } } }"""
    wanted = {"templates": [{"use": "RETURN", "zh": "请补照片。", "en": "Please add a photograph."}]}
    refused = await graphql(http, bearer("information"), replace, input=wanted)
    assert refused["data"]["reasonTemplatesReplace"]["errors"] == [{"code": "forbidden", "field": None}]
    done = await graphql(http, bearer("director"), replace, input=wanted)
    assert done["data"]["reasonTemplatesReplace"]["errors"] == []
    again = await graphql(http, bearer("director"), replace, input=wanted)
    assert again["data"]["reasonTemplatesReplace"]["errors"][0]["code"] == "nothing_to_change"
    seen = (await graphql(http, bearer("information"), query, use="RETURN"))["data"]["reasonTemplates"]
    assert seen == wanted["templates"]
    assert (await graphql(http, bearer("service"), query))["data"]["reasonTemplates"] == []
