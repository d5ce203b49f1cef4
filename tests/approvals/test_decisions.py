"""Decisions on change requests (policy §四(一))."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

import archive_store.audit.governed_transaction as governed
from archive_store.approvals.decisions import decide
from archive_store.approvals.default_rules import DEFAULT_APPROVAL_RULES, KEY_IDENTITY_FIELDS
from archive_store.approvals.documents import ApprovalPolicy, Decision, RequestStatus, Tier
from archive_store.approvals.operations import payload_of, perform
from archive_store.approvals.queries import change_requests_by_id, contents_for, list_change_requests
from archive_store.approvals.requests import withdraw
from archive_store.approvals.rules import (
    UngovernedOperationError,
    chain_of,
    chain_without,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.operation_table import OPERATIONS
from archive_store.people.operations import RoleGrantGive
from archive_store.students.changes import StudentChanges
from tests.school import School

POLICY = ApprovalPolicy.model_construct(version=1, rules=DEFAULT_APPROVAL_RULES)


async def code_of(awaited: object) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await awaited  # type: ignore[misc]
    return caught.value.code


@given(st.frozensets(st.sampled_from(sorted(StudentChanges.model_fields))))
def test_the_chain_is_as_long_as_its_most_guarded_field(fields: frozenset[str]) -> None:
    chain = chain_of(POLICY, "student.update", fields)
    if fields & KEY_IDENTITY_FIELDS:
        assert chain == (Tier.DEPARTMENT_HEAD, Tier.VICE_PRINCIPAL)
    else:
        assert chain == (Tier.DEPARTMENT_HEAD,)


def test_every_operation_is_governed_and_no_other_is_allowed() -> None:
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        chain_of(POLICY, name, frozenset())
    with pytest.raises(UngovernedOperationError):
        chain_of(POLICY, "student.erase", frozenset())


async def test_nobody_approves_the_own_request(school: School) -> None:
    student = await school.student()
    request = await school.request("director", student, phone="13700000001")
    before = await school.counts()
    assert await code_of(school.approve("director", request)) is ErrorCode.SELF_APPROVAL
    assert await school.counts() == before
    assert (await school.student()).phone == student.phone
    # There is one director, so the request goes to the tier above.
    assert await school.approve("vice-principal", request) is RequestStatus.APPLIED


def test_a_chain_leaves_out_the_requesters_own_tiers() -> None:
    head, vice, principal = Tier
    director, both = frozenset({Post.DIRECTOR}), frozenset({Post.DIRECTOR, Post.VICE_PRINCIPAL})
    assert chain_without((head,), frozenset()) == (head,)
    assert chain_without((head,), director) == (vice,)
    assert chain_without((head, vice), director) == (vice,)
    assert chain_without((head, vice), both) == (principal,)
    assert chain_without((), director) == ()
    # Whose tier decides: the next one above decides instead, nobody less.
    vice_too = frozenset({Post.INFORMATION_GROUP, Post.VICE_PRINCIPAL})
    assert chain_without((head, vice), vice_too) == (head, principal)
    with pytest.raises(RegistrarError):
        chain_without((head, vice, principal), frozenset({Post.PRINCIPAL}))
    with pytest.raises(RegistrarError) as caught:
        chain_without((head, vice, principal), both | {Post.PRINCIPAL})
    assert caught.value.code is ErrorCode.SELF_APPROVAL


@pytest.mark.parametrize("subject", ["vice-principal", "principal", "deputy-1", "archive"])
async def test_only_the_awaited_tier_decides(school: School, subject: str) -> None:
    request = await school.request("information", await school.student(), phone="13700000001")
    assert await code_of(school.approve(subject, request)) is ErrorCode.FORBIDDEN


@pytest.mark.parametrize("subject", ["teacher", "academic-affairs", "logistics", "service", "analysis"])
async def test_requests_are_not_found_outside_the_department(school: School, subject: str) -> None:
    request = await school.request("information", await school.student(), phone="13700000001")
    viewer = await school.viewer(subject)
    assert await code_of(school.approve(subject, request)) is ErrorCode.NOT_FOUND
    assert await code_of(school.approve(subject, ObjectId())) is ErrorCode.NOT_FOUND
    assert await change_requests_by_id(school.store, viewer, [request]) == [None]
    assert (await list_change_requests(school.store, viewer, first=5)).rows == []


async def test_nobody_decides_on_the_own_child_or_the_own_post(school: School) -> None:
    student = await school.student()
    request = await school.request("information", student, phone="13700000001")
    director = await school.viewer("director")
    parent = replace(director, ward_ids=frozenset({student.key}))
    assert await code_of(decide(school.store, parent, request, Decision.APPROVED)) is ErrorCode.SELF_APPROVAL
    vice = await school.viewer("vice-principal")
    grant = {"person_id": vice.person_id, "post": "ACADEMIC_AFFAIRS", "valid_from": "2026-01-01"}
    payload = payload_of(RoleGrantGive, grant | {"qualified": True, "confidentiality_undertaken": True})
    deputy = await school.viewer("deputy-1")
    outcome = await perform(school.store, deputy, "role_grant.give", payload, reason="兼任")
    assert outcome.change_request_id is not None
    await school.approve("director", outcome.change_request_id)
    refused = school.approve("vice-principal", outcome.change_request_id)
    assert await code_of(refused) is ErrorCode.SELF_APPROVAL


async def test_one_person_takes_no_two_steps(school: School) -> None:
    request = await school.request("information", await school.student(), name="王改名")
    await school.approve("director", request)
    both = await school.viewer("director")
    promoted = replace(both, posts=both.posts | {Post.VICE_PRINCIPAL})
    assert (
        await code_of(decide(school.store, promoted, request, Decision.APPROVED)) is ErrorCode.SELF_APPROVAL
    )


async def test_two_approvers_at_once_apply_it_once(school: School) -> None:
    student = await school.student()
    request = await school.request("information", student, phone="13700000001")
    results = await asyncio.gather(
        *(school.approve("director", request) for _ in range(5)), return_exceptions=True
    )
    assert results.count(RequestStatus.APPLIED) == 1
    codes = {error.code for error in results if isinstance(error, RegistrarError)}
    assert len([error for error in results if isinstance(error, RegistrarError)]) == 4
    assert codes <= {ErrorCode.WRONG_STATE, ErrorCode.TRY_AGAIN, ErrorCode.SELF_APPROVAL}
    assert (await school.student()).revision == student.revision + 1


async def test_rejected_and_withdrawn_requests_are_closed(school: School) -> None:
    student = await school.student()
    director = await school.viewer("director")
    rejected = await school.request("information", student, phone="13700000001")
    assert await code_of(decide(school.store, director, rejected, Decision.REJECTED)) is ErrorCode.REQUIRED
    await decide(school.store, director, rejected, Decision.REJECTED, comment="缺少材料")
    withdrawn = await school.request("information", student, phone="13700000001")
    assert await code_of(withdraw(school.store, director, withdrawn)) is ErrorCode.FORBIDDEN
    await withdraw(school.store, await school.viewer("information"), withdrawn)
    for request in (rejected, withdrawn):
        assert await code_of(school.approve("director", request)) is ErrorCode.WRONG_STATE
    assert (await school.student()).phone == student.phone


async def test_a_decision_commits_whole_or_not_at_all(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = await school.student()
    request = await school.request("information", student, phone="13700000001")
    before = await school.counts()
    with monkeypatch.context() as broken:

        async def fail(unit: object) -> None:
            raise RuntimeError("power cut")

        broken.setattr(governed, "_insert_notifications", fail)
        with pytest.raises(RuntimeError):
            await school.approve("director", request)
    assert await school.counts() == before
    assert (await school.student()).phone == student.phone
    assert await school.approve("director", request) is RequestStatus.APPLIED


async def test_an_altered_payload_is_not_applied(school: School) -> None:
    """Decisions are bound to what was asked for, also against someone who can write to the database."""
    from archive_store.approvals.documents import ChangeRequest

    student = await school.student()
    mine = await school.request("information", student, phone="13700000001")
    other = await school.request("information", student, phone="13700000002")
    requests = school.store.database.collection(ChangeRequest)
    stolen = await requests.find_one({"_id": other})
    assert stolen is not None
    await requests.update_one({"_id": mine}, {"$set": {"sealed": stolen["sealed"]}})
    with pytest.raises(AssertionError):
        await school.approve("director", mine)
    assert (await school.student()).phone == student.phone


async def test_everyone_told_is_told_in_the_same_transaction(school: School) -> None:
    request = await school.request("information", await school.student(), name="王改名")
    await school.approve("director", request)
    await school.approve("vice-principal", request)
    found = school.store.database.mongo["notifications"].find({"subject_id": request}).sort("_id", 1)
    told = [(row["recipient_post"], row["kind"]) for row in await found.to_list()]
    assert told == [
        ("DIRECTOR", "change_request:awaits_decision"),
        ("VICE_PRINCIPAL", "change_request:awaits_decision"),
        (None, "change_request:applied"),
    ]


async def test_who_sees_which_values_of_a_request(school: School) -> None:
    student = await school.student()
    request_id = await school.request("information", student, phone="13700000001", native_place="上海市")
    seen = {}
    for subject in ("director", "information", "archive"):
        viewer = await school.viewer(subject)
        (request,) = await change_requests_by_id(school.store, viewer, [request_id])
        assert request is not None
        (content,) = await contents_for(school.store, viewer, [request])
        seen[subject] = {c.field: (c.before, c.after, c.withheld) for c in content.changes}, content.reason
    place = (student.native_place, "上海市", False)
    new = "13700000001"
    assert seen["director"] == ({"native_place": place, "phone": (student.phone, new, False)}, "家长来电")
    assert seen["information"] == ({"native_place": place, "phone": (None, new, True)}, "家长来电")
    name_request = await school.request("information", student, name="王改名", phone="13700000009")
    vice = await school.viewer("vice-principal")

    async def withheld() -> list[bool]:
        (held,) = await change_requests_by_id(school.store, vice, [name_request])
        assert held is not None
        (content,) = await contents_for(school.store, vice, [held])
        return [change.withheld for change in content.changes]

    # Only while it is theirs to decide, or when they did.
    assert await withheld() == [False, True]
    await school.approve("director", name_request)
    assert await withheld() == [False, False]
    assert seen["archive"] == ({"native_place": place, "phone": (None, None, True)}, None)


async def test_what_awaits_me(school: School) -> None:
    student = await school.student()
    first = await school.request("information", student, phone="13700000001")
    second = await school.request("information", student, name="王改名")
    third = await school.request("director", student, address="甲路1号")
    await school.approve("director", second)
    waiting = {}
    for subject in ("director", "vice-principal", "principal"):
        viewer = await school.viewer(subject)
        page = await list_change_requests(school.store, viewer, first=10, awaiting_me=True)
        waiting[subject] = [request.key for request in page.rows]
    assert waiting == {"director": [first], "vice-principal": [third, second], "principal": []}
