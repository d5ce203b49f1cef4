"""Admission by GraphQL: each step and its refusals, objections, whose move it is, and what each viewer sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.foundation.posts import Post
from schema.context import Context
from schema.nodes import global_id, key_of
from schema.root import build_schema
from tests.admission.asking import as_input, ask, step
from tests.admission.cases import (
    act,
    add_papers,
    await_confirmation,
    candidate,
    file_papers,
    open_case,
    review,
    stored,
)
from tests.school import School

CASE = """query ($id: ID!) { admissionCase(id: $id) { id status stage cohort batch reference round studentId dueAt
    isOverdue missingEvidence fieldsToConfirm confirmedFields reviewDigest
    applicant { name phone identityNumber birthDate guardians { name phone } }
    sources { field channel suppliedByName } evidence { documentType scan { id } }
    signatures { seat passed signedByName comment } objections { field statement proposed isCorrected answer }
    student { id name } auditHistory(first: 20) { edges { node { kind changes { field after withheld } } } }
    enter: viewerCan(action: ENTER) { allowed reason { code } }
    review: viewerCan(action: REVIEW) { allowed reason { code } }
    confirm: viewerCan(action: CONFIRM) { allowed reason { code } } } }"""
CORRECT = """mutation ($input: AdmissionCaseCorrectInput!) { admissionCaseCorrect(input: $input) {
    changeRequest { id status awaits changes { field after withheld } } admissionCase { status }
    errors { code field } } }"""
APPROVE = """mutation ($id: ID!) { changeRequestApprove(input: {id: $id, comment: "同意"}) {
    changeRequest { status } errors { code } } }"""
TASKS = "{ viewer { tasks(first: 20) { edges { node { kind subject { ... on AdmissionCase { id status } } } } } } }"


def named(key: Any) -> str:
    return global_id("AdmissionCase", key)


async def case(school: School, subject: str, key: Any, purpose: str | None = None) -> Any:
    return (await ask(school, subject, CASE, purpose, id=named(key)))["admissionCase"]


async def tasks(school: School, subject: str) -> list[tuple[str, str]]:
    found = (await ask(school, subject, TASKS))["viewer"]["tasks"]["edges"]
    return [(edge["node"]["kind"], edge["node"]["subject"].get("id")) for edge in found]


async def test_each_step_by_its_mutation(school: School) -> None:
    supply = """mutation ($input: AdmissionSupplyInput!) { admissionSupply(input: $input) {
        supplied { admissionCaseId outcome } errors { code field } } }"""
    given = {
        "stage": "JUNIOR",
        "cohort": 2026,
        "applicants": [{"reference": "1", "applicant": as_input(candidate())}],
    }
    payload = (await ask(school, "admissions", supply, input=given))["admissionSupply"]
    (line,) = payload["supplied"]
    assert line["outcome"] == "OPENED"
    key = line["admissionCaseId"]
    amended = await step(
        *(school, "information", "admissionCaseAmend", "AdmissionCaseAmendInput"),
        id=key,
        applicant={"nativePlace": "北京"},
    )
    assert amended["errors"] == []
    skipped = await step(school, "information", "admissionCaseEnter", "AdmissionCaseInput", id=key)
    assert [error["code"] for error in skipped["errors"]] == ["wrong_state"]
    assert skipped["errors"][0]["messageZh"] and skipped["errors"][0]["rule"] == "policy §三(一)"
    stored_key = key_of(key, "AdmissionCase", field="id")
    scans = [global_id("Scan", scan) for scan in await file_papers(school, stored_key)]
    added = await step(
        *(school, "information", "admissionCaseAddEvidence", "AdmissionCaseAddEvidenceInput"),
        id=key,
        scanIds=scans,
    )
    assert added["errors"] == []
    for subject, mutation, kind, more, status in (
        ("information", "admissionCaseSubmit", "AdmissionCaseInput", {}, "IN_REVIEW"),
        (
            "academic-affairs",
            "admissionCaseReview",
            "AdmissionCaseReviewInput",
            {"passed": True},
            "IN_REVIEW",
        ),
        ("director", "admissionCaseReview", "AdmissionCaseReviewInput", {"passed": True}, "READY_FOR_ENTRY"),
        ("information", "admissionCaseEnter", "AdmissionCaseInput", {}, "ENTERED"),
        ("information", "admissionCaseCallConfirmation", "AdmissionCaseInput", {}, "AWAITING_CONFIRMATION"),
        (
            "information",
            "admissionCaseConfirm",
            "AdmissionCaseConfirmInput",
            {"saidBy": "新生1"},
            "CONFIRMED",
        ),
    ):
        payload = await step(school, subject, mutation, kind, id=key, **more)
        assert payload["errors"] == [] and payload["admissionCase"]["status"] == status, (mutation, payload)


async def test_objection_and_correction_by_mutation(school: School) -> None:
    key = await await_confirmation(school)
    objected = await step(
        *(school, "parent", "admissionCaseObject", "AdmissionCaseObjectInput"),
        id=named(key),
        objections=[{"field": "phone", "statement": "已换号", "proposed": {"phone": "13900009999"}}],
    )
    assert objected == {"admissionCase": {"id": named(key), "status": "OBJECTED"}, "errors": []}
    seen = await case(school, "information", key)
    (objection,) = seen["objections"]
    # Whoever answers reads what is objected to.
    assert (objection["statement"], objection["proposed"]) == ("已换号", "13900009999")
    given = {
        "id": named(key),
        "changes": {"phone": "13900009999"},
        "answers": [{"field": "phone", "isCorrected": True}],
        "reason": "家长异议",
    }
    unanswered = await ask(school, "information", CORRECT, input=given | {"answers": []})
    assert unanswered["admissionCaseCorrect"]["errors"]
    payload = (await ask(school, "information", CORRECT, input=given))["admissionCaseCorrect"]
    assert payload["errors"] == [] and payload["changeRequest"]["status"] == "SUBMITTED"
    approved = await ask(school, "director", APPROVE, id=payload["changeRequest"]["id"])
    assert approved["changeRequestApprove"]["changeRequest"]["status"] == "APPLIED"
    assert (await case(school, "parent", key))["status"] == "CORRECTED"
    confirmed = await step(
        school, "parent", "admissionCaseConfirm", "AdmissionCaseConfirmInput", id=named(key)
    )
    assert confirmed["admissionCase"]["status"] == "CONFIRMED"


async def test_a_record_that_changed_since_they_saw_it_is_not_confirmed(school: School) -> None:
    key = await await_confirmation(school)
    stale = await step(
        *(school, "parent", "admissionCaseConfirm", "AdmissionCaseConfirmInput"), id=named(key), revision=99
    )
    assert [(error["code"], error["field"]) for error in stale["errors"]] == [("conflict", "revision")]
    assert (await case(school, "parent", key))["status"] == "AWAITING_CONFIRMATION"


async def test_a_signature_is_bound_to_what_was_read(school: School) -> None:
    key = await open_case(school)
    await add_papers(school, key)
    assert (await case(school, "director", key))["reviewDigest"] is None
    await act(school, "information", "submit", key)
    digest = (await case(school, "director", key))["reviewDigest"]
    assert digest and (await case(school, "logistics", key))["reviewDigest"] is None
    kind = ("admissionCaseReview", "AdmissionCaseReviewInput")
    other = await step(school, "director", *kind, id=named(key), passed=True, digest="0" * 64)
    assert [error["code"] for error in other["errors"]] == ["conflict"]
    signed = await step(school, "director", *kind, id=named(key), passed=True, digest=digest)
    assert signed["errors"] == []


async def test_what_each_sees_of_a_candidate(school: School) -> None:
    key = await open_case(school)
    director = await case(school, "director", key, "资格审核")
    assert director["applicant"]["identityNumber"] == candidate()["identity_number"]
    unstated = await case(school, "director", key)
    assert unstated["applicant"]["identityNumber"] is None and unstated["applicant"]["birthDate"]
    information = await case(school, "information", key, "录入")
    assert information["applicant"]["birthDate"] and information["applicant"]["phone"] is None
    logistics = await case(school, "logistics", key)
    assert logistics["applicant"] == {
        "name": "新生1",
        "phone": None,
        "identityNumber": None,
        "birthDate": None,
        "guardians": None,
    }
    assert (logistics["reference"], logistics["sources"], logistics["auditHistory"]) == (None, None, None)
    for subject in ("teacher", "student", "guardian"):
        if subject == "teacher":
            assert await case(school, subject, key) is None
    history = director["auditHistory"]["edges"][0]["node"]
    assert history["kind"] == "admission:supply"
    told = {change["field"]: change for change in (unstated["auditHistory"]["edges"][0]["node"]["changes"])}
    assert told["applicant.phone"]["withheld"] and told["applicant.phone"]["after"] is None


async def test_reviewers_read_what_they_sign_while_it_is_theirs(school: School) -> None:
    key = await open_case(school)
    await add_papers(school, key)
    assert (await case(school, "academic-affairs", key))["applicant"]["phone"] is None
    await act(school, "information", "submit", key)
    assert (await case(school, "academic-affairs", key))["applicant"]["phone"] == "13900001111"
    await review(school, "academic-affairs", key)
    await review(school, "director", key)
    assert (await case(school, "academic-affairs", key))["applicant"]["phone"] is None


async def test_whose_move_it_is(school: School) -> None:
    key = await open_case(school)
    await add_papers(school, key)
    assert await tasks(school, "director") == []
    await act(school, "information", "submit", key)
    reviewing = [("ADMISSION_REVIEW", named(key))]
    assert await tasks(school, "director") == await tasks(school, "academic-affairs") == reviewing
    assert await tasks(school, "information") == []
    await review(school, "academic-affairs", key)
    assert await tasks(school, "academic-affairs") == []
    await review(school, "director", key)
    assert await tasks(school, "information") == [("ADMISSION_ENTRY", named(key))]


async def test_the_family_sees_the_case_from_the_entry_on(school: School) -> None:
    key = await await_confirmation(school)
    seen = await case(school, "parent", key)
    assert seen["applicant"]["phone"] == "13900001111" and seen["confirm"]["allowed"]
    assert await tasks(school, "parent") == [("ADMISSION_CONFIRMATION", named(key))]
    assert (await stored(school, key)).student_id is not None
    other = await open_case(school, 2)
    assert await case(school, "parent", other) is None


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ({"batch": "第1批"}, "where.batch"),
        ({"importId": global_id("ImportBatch", "0" * 24)}, "where.importId"),
    ],
)
async def test_a_filter_by_what_may_not_be_read_is_refused(school: School, where: Any, field: str) -> None:
    await open_case(school)
    query = "query ($where: AdmissionCaseFilter) { admissionCases(where: $where) { edges { node { id } } } }"
    context = Context(school.store, await school.viewer("logistics"))
    result = await build_schema().execute(query, variable_values={"where": where}, context_value=context)
    assert result.errors is not None
    assert (result.errors[0].extensions or {})["code"] == "forbidden"
    assert (result.errors[0].extensions or {})["field"] == field


async def test_another_system_feeds_candidates_with_its_scope_and_nothing_more(school: School) -> None:
    service = await school.viewer("service")
    feeding = replace(service, posts=frozenset({Post.ADMISSIONS}))
    given = {
        "stage": "JUNIOR",
        "cohort": 2026,
        "applicants": [{"reference": "1", "applicant": as_input(candidate())}],
    }
    supply = """mutation ($input: AdmissionSupplyInput!) { admissionSupply(input: $input) {
        supplied { admissionCaseId outcome } errors { code } } }"""

    async def answer(viewer: Viewer, query: str, **variables: Any) -> Any:
        context = Context(school.store, viewer)
        result = await build_schema().execute(query, variable_values=variables, context_value=context)
        assert result.errors is None, result.errors
        return next(iter(result.data.values()))

    unscoped = replace(feeding, scopes=(feeding.scopes or frozenset()) - {Scope.ADMISSION_SUPPLY})
    for viewer in (service, unscoped):
        refused = await answer(viewer, supply, input=given)
        assert [error["code"] for error in refused["errors"]] == ["forbidden"]
    (line,) = (await answer(feeding, supply, input=given))["supplied"]
    seen = await case(school, "director", key_of(line["admissionCaseId"], "AdmissionCase", field="id"))
    assert {source["channel"] for source in seen["sources"]} == {"FEED"}
    submit = """mutation ($input: AdmissionCaseInput!) { admissionCaseSubmit(input: $input) {
        errors { code } } }"""
    refused = await answer(feeding, submit, input={"id": line["admissionCaseId"]})
    assert [error["code"] for error in refused["errors"]] == ["forbidden"]
