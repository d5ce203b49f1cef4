"""The emergency path (policy §四(一)): executed at once, reported, ratified or reversed, and nothing more read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

import archive_store.audit.governed_transaction as governed
from archive_store.approvals import emergencies
from archive_store.approvals.default_rules import DEFAULT_APPROVAL_RULES
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.emergency_documents import EmergencyAction, EmergencyStatus
from archive_store.approvals.emergency_queries import (
    list_emergency_actions,
)
from archive_store.approvals.emergency_rules import is_whitelisted
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import ENTRIES, NOTIFICATIONS
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import Clock, school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.posts import Post
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.students.accounts import link_guardian_account
from archive_store.students.changes import StudentUpdate
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.histories import STUDENT_HISTORY
from archive_store.students.status import StatusChange
from tests.approvals.test_requests import delegated
from tests.school import School

S = EmergencyStatus
NEW = "13700000001"
REASON = "急性阑尾炎住院,联系不上家长"


async def code(awaited: Any) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await awaited
    return caught.value.code


def update_of(student: Student, **changes: Any) -> Payload:
    return payload_of(StudentUpdate, {"student_id": student.key, "changes": changes or {"phone": NEW}})


async def updated(school: School, subject: str = "information", **changes: Any) -> ObjectId:
    payload = update_of(await school.student(), **changes)
    return await emergencies.execute(
        school.store, await school.viewer(subject), "student.update", payload, reason=REASON
    )


async def suspended(school: School, days_ago: int = 0, operation: str = "student.suspend") -> ObjectId:
    day = school_day(school.store.clock.now()) - timedelta(days=days_ago)
    payload = StatusChange(student_id=(await school.student()).id, effective_from=day)
    viewer = await school.viewer("information")
    return await emergencies.execute(school.store, viewer, operation, payload, reason=REASON)


async def held(school: School, key: ObjectId) -> EmergencyAction:
    row = await school.store.database.collection(EmergencyAction).find_one({"_id": key})
    assert row is not None
    await school.store.cipher.decrypt_paths([row], encrypted_paths(EmergencyAction))
    return EmergencyAction.model_validate(row)


async def acknowledge(school: School, subject: str, key: ObjectId) -> EmergencyStatus:
    return await emergencies.acknowledge(school.store, await school.viewer(subject), key)


async def ratify(school: School, subject: str, key: ObjectId) -> EmergencyStatus:
    return await emergencies.ratify(school.store, await school.viewer(subject), key, comment="情况属实")


async def reverse(school: School, subject: str, key: ObjectId) -> EmergencyStatus:
    return await emergencies.reverse(school.store, await school.viewer(subject), key, comment="号码有误")


async def told(school: School, key: ObjectId) -> list[tuple[str | None, str]]:
    rows = school.store.database.mongo[NOTIFICATIONS].find({"subject_id": key}).sort("_id", 1)
    return [(row["recipient_post"], row["kind"]) for row in await rows.to_list()]


async def kinds(school: School, key: ObjectId) -> list[str]:
    rows = school.store.database.mongo[ENTRIES].find({"subject_id": key}).sort("sequence", 1)
    return [row["kind"] for row in await rows.to_list()]


# executing


async def test_it_is_applied_and_reported_in_one_step(school: School) -> None:
    student = await school.student()
    key = await suspended(school)
    assert (await school.student()).status is StudentStatus.SUSPENDED
    action = await held(school, key)
    assert (action.status, action.executed_by_name, action.receipts) == (S.EXECUTED, "李信息", [])
    assert action.due_at - action.executed_at == timedelta(hours=24)
    assert (action.sealed["reason"], action.sealed["before"]["status"]) == (REASON, "ENROLLED")
    assert await told(school, key) == [
        ("DIRECTOR", "emergency:executed"),
        ("VICE_PRINCIPAL", "emergency:executed"),
    ]
    assert await kinds(school, key) == ["emergency:execute"]
    assert (await kinds(school, student.key))[-1] == "student:status:suspend"
    raw = await school.store.database.collection(EmergencyAction).find_one({})
    assert raw is not None and raw["sealed"].subtype == 6
    assert (await verify_history(school.store, RECORD_TYPES)).sound


@pytest.mark.parametrize(
    "changes", [{"name": "王改名"}, {"phone": NEW, "name": "王改名"}, {"health_status": "1"}]
)
async def test_what_is_not_whitelisted_is_refused(school: School, changes: dict[str, Any]) -> None:
    before = await school.counts()
    assert await code(updated(school, **changes)) is ErrorCode.FORBIDDEN
    assert await school.counts() == before


async def test_operations_that_are_not_whitelisted(school: School) -> None:
    await suspended(school, days_ago=3)
    assert await code(suspended(school, operation="student.resume")) is ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    "subject",
    ["director", "deputy-1", "archive", "analysis", "teacher", "vice-principal", "principal", "service"],
)
async def test_only_the_information_group_executes(school: School, subject: str) -> None:
    before = await school.counts()
    assert await code(updated(school, subject)) is ErrorCode.FORBIDDEN
    assert await school.counts() == before


async def test_a_reason_is_given_and_the_checks_of_the_operation_hold(school: School) -> None:
    viewer, payload = await school.viewer("information"), update_of(await school.student())
    for reason in (None, "", " \n "):
        executing = emergencies.execute(school.store, viewer, "student.update", payload, reason=reason)
        assert await code(executing) is ErrorCode.REQUIRED
    assert await code(updated(school, phone="123")) is ErrorCode.INVALID_PHONE
    assert await code(suspended(school, days_ago=-1)) is ErrorCode.INVALID_DATE
    await suspended(school)
    assert await code(suspended(school)) is ErrorCode.WRONG_STATE


async def test_nobody_executes_on_the_own_child_or_themselves(school: School) -> None:
    student, viewer = await school.student(), await school.viewer("information")
    own = frozenset({student.key})
    before = await school.counts()
    for one in (replace(viewer, ward_ids=own), replace(viewer, own_student_ids=own)):
        executing = emergencies.execute(
            school.store, one, "student.update", update_of(student), reason=REASON
        )
        assert await code(executing) is ErrorCode.SELF_APPROVAL
    assert await school.counts() == before


async def test_the_whitelist_and_the_hours_are_data_of_the_policy(school: School) -> None:
    policies = school.store.database.collection(ApprovalPolicy)
    # As a policy of before reads: it has the defaults.
    await policies.update_many({}, {"$unset": {"emergency": 1, "emergency_hours": 1}})
    school.store.versions_seen.clear()
    key = await updated(school)
    assert (await held(school, key)).policy_version == 1
    policy = ApprovalPolicy(
        version=2,
        effective_from=date(2026, 1, 1),
        rules=DEFAULT_APPROVAL_RULES,
        emergency=({"operation": "student.update", "fields": ["email"]},),
        emergency_hours=2,
    )
    await policies.insert_one(policy.to_bson())
    school.store.versions_seen.clear()
    assert await code(updated(school, phone="13700000002")) is ErrorCode.FORBIDDEN
    assert await code(suspended(school)) is ErrorCode.FORBIDDEN
    action = await held(school, await updated(school, email="a@example.cn"))
    assert action.due_at - action.executed_at == timedelta(hours=2)
    assert not is_whitelisted(policy, "student.update", frozenset({"email", "phone"}))


# receipts


async def test_both_posts_acknowledge(school: School) -> None:
    key = await updated(school)
    assert await acknowledge(school, "director", key) is S.EXECUTED
    assert await code(acknowledge(school, "director", key)) is ErrorCode.SELF_APPROVAL
    assert await acknowledge(school, "vice-principal", key) is S.REPORTED
    assert await code(acknowledge(school, "director", key)) is ErrorCode.WRONG_STATE
    action = await held(school, key)
    assert [(receipt.post, receipt.acknowledged_by_name) for receipt in action.receipts] == [
        (Post.DIRECTOR, "赵主任"),
        (Post.VICE_PRINCIPAL, action.receipts[1].acknowledged_by_name),
    ]
    assert all(receipt.acknowledged_at >= action.executed_at for receipt in action.receipts)
    assert await kinds(school, key) == ["emergency:execute", *["emergency:acknowledge"] * 2]


async def test_a_delegate_acknowledges_one_seat(school: School) -> None:
    await delegated(school, "director", "deputy-2", "DIRECTOR")
    await delegated(school, "vice-principal", "deputy-2", "VICE_PRINCIPAL", operations=["student.update"])
    key = await updated(school)
    await acknowledge(school, "deputy-2", key)
    assert await code(acknowledge(school, "deputy-2", key)) is ErrorCode.SELF_APPROVAL
    (receipt,) = (await held(school, key)).receipts
    assert receipt.for_person_name and receipt.acknowledged_by_name == "孙副主任"
    other = await suspended(school)
    await acknowledge(school, "deputy-2", other)
    assert (await held(school, other)).receipts[0].post is Post.DIRECTOR


@pytest.mark.parametrize(
    ("subject", "refused"),
    [
        ("deputy-1", ErrorCode.FORBIDDEN),
        ("principal", ErrorCode.FORBIDDEN),
        ("information", ErrorCode.SELF_APPROVAL),
        ("archive", ErrorCode.NOT_FOUND),
        ("teacher", ErrorCode.NOT_FOUND),
        ("service", ErrorCode.NOT_FOUND),
    ],
)
async def test_who_neither_acknowledges_nor_decides(school: School, subject: str, refused: ErrorCode) -> None:
    key = await updated(school)
    before = await school.counts()
    for step in (acknowledge, ratify, reverse):
        assert await code(step(school, subject, key)) is refused
    assert await code(ratify(school, subject, ObjectId())) is ErrorCode.NOT_FOUND
    assert await school.counts() == before


async def test_a_post_that_the_executor_holds_knows(school: School) -> None:
    viewer = await school.viewer("information")
    both = replace(viewer, posts=viewer.posts | {Post.DIRECTOR})
    payload = update_of(await school.student())
    key = await emergencies.execute(school.store, both, "student.update", payload, reason=REASON)
    assert [receipt.post for receipt in (await held(school, key)).receipts] == [Post.DIRECTOR]
    for decide in (emergencies.ratify, emergencies.reverse):
        assert await code(decide(school.store, both, key, comment="好")) is ErrorCode.SELF_APPROVAL
    assert await ratify(school, "vice-principal", key) is S.RATIFIED


# ratifying and reversing


async def test_it_is_ratified_once_both_know(school: School) -> None:
    key = await updated(school)
    assert await code(ratify(school, "director", key)) is ErrorCode.WRONG_STATE
    await acknowledge(school, "vice-principal", key)
    assert await ratify(school, "director", key) is S.RATIFIED
    action = await held(school, key)
    assert {receipt.post for receipt in action.receipts} == {Post.DIRECTOR, Post.VICE_PRINCIPAL}
    assert action.ruling is not None
    assert (action.ruling.post, action.ruling.comment) == (Post.DIRECTOR, "情况属实")
    before = await school.counts()
    for subject in ("director", "vice-principal"):
        assert await code(ratify(school, subject, key)) is ErrorCode.WRONG_STATE
        assert await code(reverse(school, subject, key)) is ErrorCode.WRONG_STATE
    assert await school.counts() == before
    assert (await school.student()).phone == NEW
    assert (await told(school, key))[2:] == [
        (None, "emergency:ratified"),
        ("DIRECTOR", "emergency:ratified"),
        ("VICE_PRINCIPAL", "emergency:ratified"),
    ]


async def test_two_ratifications_at_once(school: School) -> None:
    key = await updated(school)
    await acknowledge(school, "director", key)
    await acknowledge(school, "vice-principal", key)
    results = await asyncio.gather(
        *(ratify(school, subject, key) for subject in ("director", "vice-principal") * 2),
        return_exceptions=True,
    )
    assert results.count(S.RATIFIED) == 1
    codes = [error.code for error in results if isinstance(error, RegistrarError)]
    assert len(codes) == 3 and set(codes) <= {ErrorCode.WRONG_STATE, ErrorCode.TRY_AGAIN}
    assert (await kinds(school, key)).count("emergency:ratify") == 1


async def test_a_reversal_restores_and_keeps_the_history(school: School) -> None:
    await link_guardian_account(school.store, (await school.student()).key, 0, "parent-1")
    student = await school.student()
    assert student.guardians[0].person_id is not None
    key = await updated(school, phone=NEW, guardians=[{"name": "李邻居", "relation": "97"}])
    assert (await school.student()).guardians[0].person_id is None
    assert await reverse(school, "vice-principal", key) is S.REVERSED
    after = await school.student()
    assert (after.phone, after.guardians) == (student.phone, student.guardians)
    assert after.revision == student.revision + 2
    assert (await kinds(school, student.key))[-2:] == ["student:update", "student:update:reverse"]
    director = await school.viewer("director")
    (page,) = await STUDENT_HISTORY.pages(school.store, director, [student.key], first=2)
    assert page is not None
    phones = [
        (change.before, change.after)
        for entry in page.rows
        for change in entry.changes
        if change.field == "phone"
    ]
    assert phones == [(NEW, student.phone), (student.phone, NEW)]
    assert [entry.reason for entry in page.rows] == ["号码有误", REASON]
    assert await code(ratify(school, "director", key)) is ErrorCode.WRONG_STATE
    assert await acknowledge(school, "director", key) is S.REVERSED
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_reversal_needs_a_reason(school: School) -> None:
    key = await updated(school)
    director = await school.viewer("director")
    for comment in (None, " "):
        assert (
            await code(emergencies.reverse(school.store, director, key, comment=comment))
            is ErrorCode.REQUIRED
        )


async def test_what_changed_since_is_not_reversed(school: School) -> None:
    key = await updated(school, phone=NEW, email="a@example.cn")
    request = await school.request("information", await school.student(), phone="13700000002")
    await school.approve("director", request)
    before = await school.counts()
    assert await code(reverse(school, "director", key)) is ErrorCode.CONFLICT
    assert await school.counts() == before
    student, action = await school.student(), await held(school, key)
    assert (student.phone, student.email, action.status) == ("13700000002", "a@example.cn", S.EXECUTED)


async def test_a_suspension_is_reversed_as_if_it_had_not_been(school: School) -> None:
    (period,) = (await school.student()).status_periods
    key = await suspended(school)
    assert await reverse(school, "director", key) is S.REVERSED
    student = await school.student()
    assert student.status is StudentStatus.ENROLLED
    holds = [held for held in student.status_periods if held.superseded_at is None]
    assert [(one.status, one.effective_from, one.effective_to) for one in holds] == [
        (StudentStatus.ENROLLED, period.effective_from, None)
    ]
    assert len(student.status_periods) == 4
    assert (await kinds(school, student.key))[-1] == "student:status:suspend:reverse"


async def test_a_suspension_that_has_ended_is_not_reversed(school: School) -> None:
    key = await suspended(school, days_ago=3)
    student = await school.student()
    payload = StatusChange(
        student_id=student.id, effective_from=school_day(school.store.clock.now()) - timedelta(days=1)
    )
    viewer = await school.viewer("information")
    outcome = await perform(school.store, viewer, "student.resume", payload, reason="痊愈")
    assert outcome.change_request_id is not None
    await school.approve("director", outcome.change_request_id)
    assert await code(reverse(school, "director", key)) is ErrorCode.CONFLICT
    again = await suspended(school)
    assert await code(reverse(school, "director", key)) is ErrorCode.CONFLICT
    assert await reverse(school, "director", again) is S.REVERSED


async def test_what_was_altered_is_not_restored(school: School) -> None:
    """As with a request, also against someone who can write to the database."""
    mine, other = await updated(school), await updated(school, email="a@example.cn")
    actions = school.store.database.collection(EmergencyAction)
    stolen = await actions.find_one({"_id": other})
    assert stolen is not None
    await actions.update_one({"_id": mine}, {"$set": {"sealed": stolen["sealed"]}})
    with pytest.raises(AssertionError):
        await reverse(school, "director", mine)
    assert (await school.student()).email == "a@example.cn"


async def test_no_decision_on_the_own_child_or_by_the_executors_delegate(school: School) -> None:
    key = await updated(school)
    action = await held(school, key)
    director = await school.viewer("director")
    parent = replace(director, ward_ids=frozenset({action.target_id}))
    for decide in (emergencies.ratify, emergencies.reverse):
        assert await code(decide(school.store, parent, key, comment="好")) is ErrorCode.SELF_APPROVAL
    await delegated(school, "vice-principal", "deputy-2", "VICE_PRINCIPAL")
    delegate = await school.viewer("deputy-2")
    own = replace(
        delegate,
        delegations=(replace(delegate.delegations[0], delegator_id=action.executed_by),),
    )
    assert await code(emergencies.reverse(school.store, own, key, comment="好")) is ErrorCode.SELF_APPROVAL
    await acknowledge(school, "director", key)
    assert await emergencies.ratify(school.store, delegate, key) is S.RATIFIED
    ruling = (await held(school, key)).ruling
    assert ruling is not None and ruling.for_person_id == delegate.delegations[0].delegator_id


# one transaction


class PowerCutError(Exception):
    pass


async def every_cut(school: School, monkeypatch: pytest.MonkeyPatch, step: Any) -> int:
    """Cut the step after each of its writes in turn: nothing may be left. The number of writes."""
    for cut in range(1, 50):
        before, student = await school.counts(), await school.student()
        written = 0

        def failing(write: Any, cut: int = cut) -> Any:
            async def wrapped(*args: Any) -> None:
                nonlocal written
                await write(*args)
                written += 1
                if written == cut:
                    raise PowerCutError

            return wrapped

        with monkeypatch.context() as broken:
            broken.setattr(UnitOfWork, "insert", failing(UnitOfWork.insert))
            broken.setattr(UnitOfWork, "change", failing(UnitOfWork.change))
            broken.setattr(governed, "_append_entries", failing(governed._append_entries))
            broken.setattr(governed, "_insert_notifications", failing(governed._insert_notifications))
            try:
                await step()
            except PowerCutError:
                assert await school.counts() == before
                assert await school.student() == student
            else:
                return cut - 1
    raise AssertionError("it writes without end")


async def test_each_step_is_one_transaction(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[ObjectId] = []

    async def execute() -> None:
        keys.append(await suspended(school))

    assert await every_cut(school, monkeypatch, execute) == 4
    (key,) = keys
    assert await every_cut(school, monkeypatch, lambda: acknowledge(school, "director", key)) == 3
    late = (await held(school, key)).due_at + timedelta(seconds=1)
    escalating = lambda: emergencies.escalate_overdue(school.store, late)  # noqa: E731
    assert await every_cut(school, monkeypatch, escalating) == 3
    assert await every_cut(school, monkeypatch, lambda: reverse(school, "principal", key)) == 4
    assert (await verify_history(school.store, RECORD_TYPES)).sound


# escalation


async def test_what_nobody_decides_in_time_goes_to_the_principal_once(school: School) -> None:
    key, ratified = await updated(school), await suspended(school)
    await acknowledge(school, "director", ratified)
    await ratify(school, "vice-principal", ratified)
    due = (await held(school, key)).due_at
    assert await emergencies.escalate_overdue(school.store, due) == 0
    late = due + timedelta(milliseconds=1)
    results = await asyncio.gather(*(emergencies.escalate_overdue(school.store, late) for _ in range(4)))
    assert sum(results) == 1
    assert await emergencies.escalate_overdue(school.store, late + timedelta(days=9)) == 0
    assert (await held(school, key)).escalated_at == late
    assert (await held(school, ratified)).escalated_at is None
    assert [one for one in await told(school, key) if one[0] == "PRINCIPAL"] == [
        ("PRINCIPAL", "emergency:escalated")
    ]
    # No post has acknowledged it; the principal need not wait for that.
    assert await ratify(school, "principal", key) is S.RATIFIED
    assert (await held(school, key)).receipts == []


async def test_the_principal_may_reverse_what_was_escalated(school: School) -> None:
    student = await school.student()
    key = await updated(school)
    assert await code(reverse(school, "principal", key)) is ErrorCode.FORBIDDEN
    late = (await held(school, key)).due_at + timedelta(hours=1)
    assert await emergencies.escalate_overdue(school.store, late) == 1
    assert await reverse(school, "principal", key) is S.REVERSED
    assert (await school.student()).phone == student.phone


@dataclass(frozen=True)
class At(Clock):
    moment: datetime

    def now(self) -> datetime:
        return self.moment


async def test_lists_by_status_and_what_is_overdue(school: School) -> None:
    one, other = await updated(school), await suspended(school)
    await acknowledge(school, "director", other)
    await acknowledge(school, "vice-principal", other)
    director = await school.viewer("director")
    late = (await held(school, one)).due_at + timedelta(milliseconds=1)

    async def keys(moment: datetime | None = None, **where: Any) -> list[ObjectId]:
        store = replace(school.store, clock=At(moment)) if moment else school.store
        page = await list_emergency_actions(store, director, first=5, **where)
        return [action.key for action in page.rows]

    assert await keys() == [other, one]
    assert await keys(status=S.REPORTED) == [other]
    assert (await keys(is_overdue=True), await keys(is_overdue=False)) == ([], [other, one])
    assert one in await keys(late, is_overdue=True)
    first = await list_emergency_actions(school.store, director, first=1)
    assert first.has_next
    assert await keys(after=other) == [one]
