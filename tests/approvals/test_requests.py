"""Drafts, revisions, returns, joint and added signatures, delegations and days to come."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals import decisions
from archive_store.approvals.decisions import add_signer, decide, decide_each
from archive_store.approvals.default_rules import DEFAULT_APPROVAL_RULES
from archive_store.approvals.documents import (
    ApprovalPolicy,
    ApprovalRule,
    ChangeRequest,
    Decision,
    RequestStatus,
)
from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.approvals.queries import change_requests_by_id, contents_for, list_change_requests
from archive_store.approvals.requests import Revision, revise, submit_draft, withdraw
from archive_store.approvals.routing import ConflictError
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.people.delegations import Delegation, DelegationEnd, DelegationGive
from archive_store.students.changes import StudentUpdate
from tests.school import School

S = RequestStatus


async def asked(school: School, subject: str = "information", **more: Any) -> ObjectId:
    student = await school.student()
    asking = {key: more.pop(key) for key in ("is_draft", "effective_from", "evidence") if key in more}
    payload = payload_of(
        StudentUpdate, {"student_id": student.key, "changes": more or {"phone": "13700000001"}}
    )
    viewer = await school.viewer(subject)
    reason = None if asking.get("is_draft") else "家长来电"
    outcome = await perform(school.store, viewer, "student.update", payload, asking=Asking(reason, **asking))
    assert outcome.change_request_id is not None
    return outcome.change_request_id


async def held(school: School, key: ObjectId) -> ChangeRequest:
    row = await school.store.database.collection(ChangeRequest).find_one({"_id": key})
    assert row is not None
    await school.store.cipher.decrypt_paths([row], encrypted_paths(ChangeRequest))
    return ChangeRequest.model_validate(row)


async def code(awaitable: Any) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await awaitable
    return caught.value.code


async def sign(
    school: School, subject: str, key: ObjectId, decision: Decision = Decision.APPROVED, **more: Any
) -> RequestStatus:
    viewer = await school.viewer(subject)
    comment = more.pop("comment", None if decision is Decision.APPROVED else "缺户口簿")
    return await decide(school.store, viewer, key, decision, comment=comment, **more)


async def awaiting(school: School, subject: str) -> list[ObjectId]:
    page = await list_change_requests(school.store, await school.viewer(subject), first=20, awaiting_me=True)
    return [request.key for request in page.rows]


async def test_a_draft_is_its_authors_alone_until_submitted(school: School) -> None:
    key = await asked(school, is_draft=True)
    director = await school.viewer("director")
    assert await change_requests_by_id(school.store, director, [key]) == [None]
    assert (await awaiting(school, "director"), await code(sign(school, "director", key))) == (
        [],
        ErrorCode.NOT_FOUND,
    )
    information = await school.viewer("information")
    assert (await change_requests_by_id(school.store, information, [key]))[0] is not None
    assert await code(submit_draft(school.store, information, key)) is ErrorCode.REQUIRED
    assert await revise(school.store, information, key, Revision(reason="补填")) is S.DRAFT
    assert await code(submit_draft(school.store, director, key)) is ErrorCode.NOT_FOUND
    assert await submit_draft(school.store, information, key) is S.SUBMITTED
    assert await awaiting(school, "director") == [key]
    assert await sign(school, "director", key) is S.APPLIED
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_returned_request_is_revised_and_starts_anew(school: School) -> None:
    student = await school.student()
    key = await asked(school, name="王改名")
    await sign(school, "director", key)
    assert await sign(school, "vice-principal", key, Decision.RETURNED) is S.RETURNED
    assert (await awaiting(school, "director"), await awaiting(school, "vice-principal")) == ([], [])
    assert await code(sign(school, "director", key)) is ErrorCode.WRONG_STATE
    information = await school.viewer("information")
    values = {"changes": {"name": "王更名"}}
    assert await revise(school.store, information, key, Revision(values=values)) is S.SUBMITTED
    request = await held(school, key)
    assert (request.round, request.position, request.signatures, len(request.steps)) == (2, 0, [], 2)
    await sign(school, "director", key)
    await sign(school, "vice-principal", key)
    assert (await school.student()).name == "王更名" != student.name


async def test_a_revision_voids_the_signatures_given(school: School) -> None:
    key = await asked(school, name="王改名")
    seen = (await held(school, key)).digest
    await sign(school, "director", key)
    information = await school.viewer("information")
    await revise(school.store, information, key, Revision(values={"changes": {"name": "王更名"}}))
    assert await code(sign(school, "vice-principal", key)) is ErrorCode.FORBIDDEN
    stale = sign(school, "director", key, digest=seen)
    assert await code(stale) is ErrorCode.CONFLICT
    await sign(school, "director", key, digest=(await held(school, key)).digest)
    assert await sign(school, "vice-principal", key) is S.APPLIED


@pytest.mark.parametrize("status", [S.APPLIED, S.REJECTED, S.WITHDRAWN])
async def test_what_is_over_is_not_revised(school: School, status: RequestStatus) -> None:
    key = await asked(school)
    information = await school.viewer("information")
    if status is S.WITHDRAWN:
        await withdraw(school.store, information, key)
    else:
        await sign(school, "director", key, Decision.APPROVED if status is S.APPLIED else Decision.REJECTED)
    before = await school.counts()
    assert (
        await code(revise(school.store, information, key, Revision(reason="再议"))) is ErrorCode.WRONG_STATE
    )
    assert await school.counts() == before


async def test_a_revision_cannot_be_about_another_record(school: School) -> None:
    key = await asked(school)
    other = await school.student(1)
    information = await school.viewer("information")
    revision = Revision(values={"student_id": other.key})
    assert await code(revise(school.store, information, key, revision)) is ErrorCode.INVALID_ARGUMENT


async def test_an_approved_change_waits_for_its_day(school: School) -> None:
    student = await school.student()
    tomorrow = school_day(school.store.clock.now()) + timedelta(days=1)
    key = await asked(school, effective_from=tomorrow, address="新路1号")
    assert await sign(school, "director", key) is S.APPROVED
    assert (await school.student()).address == student.address
    information = await school.viewer("information")
    assert await withdraw(school.store, information, key) is S.WITHDRAWN


async def test_a_day_that_has_come_applies_at_once(school: School) -> None:
    today = school_day(school.store.clock.now())
    key = await asked(school, effective_from=today, address="新路1号")
    assert await sign(school, "director", key) is S.APPLIED
    assert (await school.student()).address == "新路1号"


async def test_an_applied_change_is_superseded_by_the_next_of_the_same_fields(school: School) -> None:
    first = await asked(school, phone="13700000001")
    wide = await asked(school, phone="13700000001", address="甲路")
    await sign(school, "director", first)
    assert await code(sign(school, "director", wide)) is ErrorCode.CONFLICT
    second = await asked(school, phone="13700000002")
    await sign(school, "director", second)
    assert [(await held(school, key)).status for key in (first, second)] == [S.SUPERSEDED, S.APPLIED]
    assert (await held(school, first)).superseded_by == second


async def test_a_conflict_shows_both_changes(school: School) -> None:
    student = await school.student()
    one, other = await asked(school, phone="13700000001"), await asked(school, phone="13700000002")
    await sign(school, "director", one)
    with pytest.raises(ConflictError) as caught:
        await sign(school, "director", other)
    (conflict,) = caught.value.conflicts
    assert (conflict.field, conflict.before, conflict.current, conflict.requested) == (
        "phone",
        student.phone,
        "13700000001",
        "13700000002",
    )


async def person(school: School, subject: str) -> ObjectId:
    return (await school.viewer(subject)).person_id


async def test_an_added_signature_comes_first(school: School) -> None:
    key = await asked(school, name="王改名")
    archive = await person(school, "archive")
    director = await school.viewer("director")
    await add_signer(school.store, director, key, archive, comment="请核对户口簿")
    assert (await awaiting(school, "director"), await awaiting(school, "archive")) == ([], [key])
    assert await code(sign(school, "director", key)) is ErrorCode.FORBIDDEN
    await sign(school, "archive", key)
    assert await awaiting(school, "director") == [key]
    await sign(school, "director", key)
    assert await sign(school, "vice-principal", key) is S.APPLIED
    assert [step.tier for step in (await held(school, key)).steps] == [
        None,
        "DEPARTMENT_HEAD",
        "VICE_PRINCIPAL",
    ]


@pytest.mark.parametrize(
    ("asker", "signer", "refused"),
    [
        ("director", "information", ErrorCode.SELF_APPROVAL),
        ("director", "director", ErrorCode.SELF_APPROVAL),
        ("director", "service", ErrorCode.NOT_FOUND),
        ("vice-principal", "archive", ErrorCode.FORBIDDEN),
        ("information", "archive", ErrorCode.SELF_APPROVAL),
        ("teacher", "archive", ErrorCode.NOT_FOUND),
    ],
)
async def test_who_may_ask_for_whose_signature(
    school: School, asker: str, signer: str, refused: ErrorCode
) -> None:
    key = await asked(school)
    before = await school.counts()
    adding = add_signer(
        school.store, await school.viewer(asker), key, await person(school, signer), comment="请会签"
    )
    assert await code(adding) is refused
    assert await school.counts() == before


async def test_nobody_is_asked_to_sign_who_signs_anyway(school: School) -> None:
    """They would sign neither step then, and nobody else could."""
    key = await asked(school, name="王改名")
    director, vice, archive = [
        await school.viewer(name) for name in ("director", "vice-principal", "archive")
    ]
    adding = add_signer(school.store, director, key, vice.person_id, comment="请会签")
    assert await code(adding) is ErrorCode.SELF_APPROVAL
    await add_signer(school.store, director, key, archive.person_id, comment="请会签")
    teacher = await person(school, "teacher")
    await add_signer(school.store, archive, key, teacher, comment="请会签")
    back = add_signer(school.store, await school.viewer("teacher"), key, archive.person_id, comment="请会签")
    assert await code(back) is ErrorCode.SELF_APPROVAL
    for subject in ("teacher", "archive", "director", "vice-principal"):
        status = await sign(school, subject, key)
    assert status is S.APPLIED


async def test_nobody_is_asked_to_sign_who_stands_in_for_another_that_may_not(school: School) -> None:
    await delegated(school, "director", "archive", "DIRECTOR")
    own = await asked(school, "director")
    archive = await person(school, "archive")
    vice = await school.viewer("vice-principal")
    adding = add_signer(school.store, vice, own, archive, comment="请会签")
    assert await code(adding) is ErrorCode.SELF_APPROVAL
    other = await asked(school, name="王改名")
    await delegated(school, "director", "deputy-2", "DIRECTOR")
    await sign(school, "deputy-2", other)
    signed_for = add_signer(school.store, vice, other, await person(school, "director"), comment="请会签")
    assert await code(signed_for) is ErrorCode.SELF_APPROVAL


async def jointly(school: School, *posts: str) -> None:
    rules = [
        rule.model_copy(update={"joint": posts} if rule.operation == "student.update" else {})
        for rule in DEFAULT_APPROVAL_RULES
    ]
    policy = ApprovalPolicy(version=2, effective_from=date(2026, 1, 1), rules=tuple(rules))
    await school.store.database.collection(ApprovalPolicy).insert_one(policy.to_bson())
    school.store.versions_seen.clear()


async def test_all_of_a_joint_step_sign_in_any_order(school: School) -> None:
    await jointly(school, "ACADEMIC_AFFAIRS", "ADMISSIONS")
    key = await asked(school)
    assert await awaiting(school, "director") == []
    assert await sign(school, "admissions", key) is S.IN_REVIEW
    assert (await awaiting(school, "admissions"), await awaiting(school, "academic-affairs")) == ([], [key])
    assert await code(sign(school, "admissions", key)) is ErrorCode.SELF_APPROVAL
    await sign(school, "academic-affairs", key)
    assert await sign(school, "director", key) is S.APPLIED


async def test_another_field_drops_no_joint_signature(school: School) -> None:
    joint = {"operation": "student.update", "fields": frozenset({"phone"}), "joint": ("ADMISSIONS",)}
    rules = (*DEFAULT_APPROVAL_RULES, ApprovalRule.model_validate(joint | {"chain": ("DEPARTMENT_HEAD",)}))
    policy = ApprovalPolicy(version=2, effective_from=date(2026, 1, 1), rules=rules)
    await school.store.database.collection(ApprovalPolicy).insert_one(policy.to_bson())
    school.store.versions_seen.clear()
    key = await asked(school, name="王改名", phone="13700000001")
    for subject in ("admissions", "director"):
        assert await sign(school, subject, key) is S.IN_REVIEW
    assert await sign(school, "vice-principal", key) is S.APPLIED


async def test_one_of_a_joint_step_can_return_it(school: School) -> None:
    await jointly(school, "ACADEMIC_AFFAIRS", "ADMISSIONS")
    key = await asked(school)
    await sign(school, "admissions", key)
    assert await sign(school, "academic-affairs", key, Decision.RETURNED) is S.RETURNED


async def delegated(school: School, giver: str, to: str, post: str, **more: Any) -> ObjectId:
    today = school_day(school.store.clock.now())
    key = ObjectId()
    values = {
        "delegation_id": key,
        "delegate_id": await person(school, to),
        "post": post,
        "valid_from": today,
        "valid_to": today + timedelta(days=5),
    }
    payload = payload_of(DelegationGive, values | more)
    await perform(school.store, await school.viewer(giver), "delegation.give", payload)
    return key


async def test_a_delegate_signs_in_the_seat(school: School) -> None:
    await delegated(school, "director", "deputy-2", "DIRECTOR")
    key = await asked(school, name="王改名")
    assert await awaiting(school, "deputy-2") == [key]
    await sign(school, "deputy-2", key)
    step = (await held(school, key)).steps[0]
    assert (step.decided_by_name, step.for_person_name, step.post) == ("孙副主任", "赵主任", "DIRECTOR")
    assert await sign(school, "vice-principal", key) is S.APPLIED


async def test_a_delegate_of_the_requester_does_not_decide(school: School) -> None:
    """The director asks; the vice principal's delegate is the director's, too."""
    await delegated(school, "director", "deputy-2", "DIRECTOR")
    await delegated(school, "vice-principal", "deputy-2", "VICE_PRINCIPAL")
    key = await asked(school, "director")
    assert await awaiting(school, "deputy-2") == []
    assert await code(sign(school, "deputy-2", key)) is ErrorCode.SELF_APPROVAL


async def test_a_seat_signs_once_whoever_sits_in_it(school: School) -> None:
    """A director who signed by a delegate does not sign the next step in another's seat."""
    await delegated(school, "director", "deputy-2", "DIRECTOR")
    await delegated(school, "vice-principal", "director", "VICE_PRINCIPAL")
    key = await asked(school, name="王改名")
    await sign(school, "deputy-2", key)
    assert await code(sign(school, "director", key)) is ErrorCode.SELF_APPROVAL
    assert await awaiting(school, "director") == []
    assert await sign(school, "vice-principal", key) is S.APPLIED


async def test_a_delegation_has_a_scope_and_an_end(school: School) -> None:
    key = await delegated(school, "director", "deputy-2", "DIRECTOR", operations=["role_grant.give"])
    request = await asked(school)
    assert await code(sign(school, "deputy-2", request)) is ErrorCode.FORBIDDEN
    assert await awaiting(school, "deputy-2") == []
    # Nor does it show what is not theirs to sign.
    await delegated(school, "director", "teacher", "DIRECTOR", operations=["role_grant.give"])
    teacher = await school.viewer("teacher")
    assert await change_requests_by_id(school.store, teacher, [request]) == [None]
    assert await code(sign(school, "teacher", request)) is ErrorCode.NOT_FOUND
    wide = await delegated(school, "director", "deputy-2", "DIRECTOR", operations=["student.update"])
    assert await awaiting(school, "deputy-2") == [request]
    director = await school.viewer("director")
    await perform(school.store, director, "delegation.end", DelegationEnd(delegation_id=wide))
    assert await code(sign(school, "deputy-2", request)) is ErrorCode.FORBIDDEN
    again = perform(school.store, director, "delegation.end", DelegationEnd(delegation_id=wide))
    assert await code(again) is ErrorCode.WRONG_STATE
    other = perform(
        school.store, await school.viewer("principal"), "delegation.end", DelegationEnd(delegation_id=key)
    )
    assert await code(other) is ErrorCode.NOT_FOUND


async def test_a_delegation_ends_with_the_delegators_post(school: School) -> None:
    await delegated(school, "director", "deputy-2", "DIRECTOR")
    request = await asked(school)
    await school.store.database.mongo["role_grants"].update_many(
        {"post": "DIRECTOR"}, {"$set": {"valid_to": "2026-01-01"}}
    )
    assert await code(sign(school, "deputy-2", request)) is ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    ("giver", "to", "more", "refused"),
    [
        ("director", "deputy-2", {"post": "PRINCIPAL"}, ErrorCode.FORBIDDEN),
        ("deputy-1", "deputy-2", {}, ErrorCode.FORBIDDEN),
        ("director", "director", {}, ErrorCode.SELF_APPROVAL),
        ("director", "service", {}, ErrorCode.NOT_FOUND),
        ("director", "deputy-2", {"operations": ["no.such"]}, ErrorCode.UNKNOWN_CODE),
        ("director", "deputy-2", {"valid_to": "2020-01-01"}, ErrorCode.INVALID_DATE),
        ("director", "deputy-2", {"valid_to": "2099-01-01"}, ErrorCode.OUT_OF_RANGE),
    ],
)
async def test_what_cannot_be_delegated(
    school: School, giver: str, to: str, more: dict[str, Any], refused: ErrorCode
) -> None:
    values = {"post": "DIRECTOR"} | more
    assert await code(delegated(school, giver, to, **values)) is refused
    assert await school.store.database.collection(Delegation).count_documents({}) == 0


async def test_a_batch_tells_of_each(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = await asked(school, phone="13700000001")
    gone = ObjectId()
    major = await asked(school, name="王改名")
    director = await school.viewer("director")
    results = await decide_each(school.store, director, [mine, gone, major, mine], Decision.APPROVED)
    assert [(held.status, held.refusal and held.refusal.code) for held in results] == [
        (S.APPLIED, None),
        (None, ErrorCode.NOT_FOUND),
        (S.IN_REVIEW, None),
    ]
    monkeypatch.setattr(decisions, "BATCH_LIMIT", 1)
    assert (
        await code(decide_each(school.store, director, [mine, gone], Decision.APPROVED))
        is ErrorCode.OUT_OF_RANGE
    )


async def test_equal_requests_have_unlike_digests(school: School) -> None:
    """Else a draft with a guess would tell whether somebody else's request asks for the same."""
    keys = [await asked(school, health_status="1"), await asked(school, health_status="1", is_draft=True)]
    one, other = [await held(school, key) for key in keys]
    assert one.sealed["payload"] == other.sealed["payload"]
    assert one.digest != other.digest


async def test_a_draft_follows_the_policy_and_the_posts_of_the_day_it_is_submitted(school: School) -> None:
    key = await asked(school, is_draft=True)
    information = await school.viewer("information")
    await revise(school.store, information, key, Revision(reason="补填"))
    await jointly(school, "ACADEMIC_AFFAIRS")
    gone = replace(information, posts=frozenset())
    assert await code(submit_draft(school.store, gone, key)) is ErrorCode.FORBIDDEN
    assert await code(revise(school.store, gone, key, Revision(reason="x"))) is ErrorCode.FORBIDDEN
    assert await submit_draft(school.store, information, key) is S.SUBMITTED
    assert (await held(school, key)).awaited_posts == ["ACADEMIC_AFFAIRS"]


async def test_who_left_signs_nothing(school: School) -> None:
    await delegated(school, "director", "deputy-2", "DIRECTOR")
    grants = school.store.database.mongo["role_grants"]
    key = await asked(school)
    await grants.update_many(
        {"person_id": await person(school, "deputy-2")}, {"$set": {"valid_to": "2026-01-01"}}
    )
    assert await code(sign(school, "deputy-2", key)) is ErrorCode.NOT_FOUND
    assert await code(delegated(school, "director", "deputy-2", "DIRECTOR")) is ErrorCode.NOT_FOUND
    director = await school.viewer("director")
    for left in ("deputy-2", "analysis"):
        adding = add_signer(school.store, director, key, await person(school, left), comment="请核对")
        assert await code(adding) is ErrorCode.NOT_FOUND
    added = await person(school, "archive")
    await add_signer(school.store, director, key, added, comment="请核对")
    await grants.update_many({"person_id": added}, {"$set": {"valid_to": "2026-01-01"}})
    assert await code(sign(school, "archive", key)) is ErrorCode.FORBIDDEN
    assert await awaiting(school, "archive") == []


async def test_a_delegate_does_not_decide_on_the_delegators_child(school: School) -> None:
    student = await school.student()
    director = await person(school, "director")
    guardians = [{**held.model_dump(), "person_id": director} for held in student.guardians]
    await school.store.cipher.encrypt_paths(
        [{"guardians": guardians}], ["guardians.phone", "guardians.workplace"]
    )
    await school.store.database.mongo["students"].update_one(
        {"_id": student.key}, {"$set": {"guardians": guardians}}
    )
    await delegated(school, "director", "deputy-2", "DIRECTOR")
    key = await asked(school)
    assert await code(sign(school, "director", key)) is ErrorCode.SELF_APPROVAL
    assert await code(sign(school, "deputy-2", key)) is ErrorCode.FORBIDDEN
    assert (await awaiting(school, "director"), await awaiting(school, "deputy-2")) == ([], [])


async def test_signatures_of_an_earlier_round_show_nothing(school: School) -> None:
    key = await asked(school, name="王改名")
    await sign(school, "director", key)
    await sign(school, "vice-principal", key, Decision.RETURNED)
    information = await school.viewer("information")
    await revise(school.store, information, key, Revision(values={"changes": {"address": "甲路"}}))
    vice = await school.viewer("vice-principal")
    (request,) = await change_requests_by_id(school.store, vice, [key])
    assert request is not None
    (content,) = await contents_for(school.store, vice, [request])
    assert [change.withheld for change in content.changes] == [True]


async def test_a_conflict_that_shows_sensitive_values_is_recorded(school: School) -> None:
    one, other = await asked(school, phone="13700000001"), await asked(school, phone="13700000002")
    await sign(school, "director", one)
    before = (await school.counts())["access_events"]
    assert await code(sign(school, "director", other)) is ErrorCode.CONFLICT
    assert (await school.counts())["access_events"] == before + 1


@pytest.mark.parametrize("blank", [" ", "\n", "\u3000"])
async def test_blank_reasons_and_comments_are_none(school: School, blank: str) -> None:
    student = await school.student()
    payload = payload_of(StudentUpdate, {"student_id": student.key, "changes": {"phone": "13700000001"}})
    information = await school.viewer("information")
    asking = perform(school.store, information, "student.update", payload, reason=blank)
    assert await code(asking) is ErrorCode.REQUIRED
    key = await asked(school)
    assert await code(sign(school, "director", key, Decision.REJECTED, comment=blank)) is ErrorCode.REQUIRED
