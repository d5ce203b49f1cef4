"""Two who act on one request, or one field, at the same instant: one wins, the other is told why, nothing is halved.

Forced at an exact point: between what a transaction read and its first write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals.decisions import add_signer, decide
from archive_store.approvals.documents import ChangeRequest, Decision
from archive_store.approvals.requests import Revision, revise, submit_draft, withdraw
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import Record
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.students.documents import Student
from tests.approvals.test_requests import asked, delegated, held
from tests.school import School

ROUNDS = 8
ORDERS = ("first", "second", "at once")
Wait = Callable[[], Awaitable[Any]]


class Gate:
    """Holds a task before its first write of a record type. A retry of its transaction passes."""

    def __init__(self, record_type: type[Record], monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits: dict[str, Wait] = {}
        write = UnitOfWork.change

        async def change(unit: UnitOfWork, record: Record, changes: Any) -> None:
            task = asyncio.current_task()
            if task is not None and isinstance(record, record_type):
                wait = self.waits.pop(task.get_name(), None)
                if wait is not None:
                    await wait()
            await write(unit, record, changes)

        monkeypatch.setattr(UnitOfWork, "change", change)

    async def race(self, order: str, first: Awaitable[Any], second: Awaitable[Any]) -> list[Any]:
        """Both have read when one writes. In the orders by name, that one has committed when the other writes."""
        names, runs = ("first", "second"), (first, second)
        if order == "at once":
            barrier = asyncio.Barrier(2)
            self.waits = dict.fromkeys(names, barrier.wait)
        else:
            has_read, has_committed = asyncio.Event(), asyncio.Event()

            async def let_win() -> None:
                has_read.set()
                await has_committed.wait()

            self.waits = {"second" if order == "first" else "first": let_win, order: has_read.wait}

        async def run(name: str, work: Awaitable[Any]) -> Any:
            try:
                return await work
            finally:
                if name == order:
                    has_committed.set()

        tasks = [asyncio.create_task(run(*of), name=of[0]) for of in zip(names, runs, strict=True)]
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
        assert not self.waits, "nobody came to the gate"
        return results


async def written(school: School) -> dict[str, int]:
    counts = await school.counts()
    return {name: counts.get(name, 0) for name in ("audit_entries", "notifications", "change_requests")}


async def approving(school: School, subject: str, key: ObjectId, *, seen: bool = False) -> Awaitable[Any]:
    digest = (await held(school, key)).digest if seen else None
    return decide(school.store, await school.viewer(subject), key, Decision.APPROVED, digest=digest)


async def refusing(school: School, subject: str, key: ObjectId, decision: Decision) -> Awaitable[Any]:
    return decide(school.store, await school.viewer(subject), key, decision, comment="缺材料")


async def withdrawing(school: School, subject: str, key: ObjectId) -> Awaitable[Any]:
    return withdraw(school.store, await school.viewer(subject), key)


async def revising(school: School, subject: str, key: ObjectId) -> Awaitable[Any]:
    values = {"changes": {"native_place": f"上海市{key}"}}
    return revise(school.store, await school.viewer(subject), key, Revision(values))


async def adding(school: School, subject: str, key: ObjectId) -> Awaitable[Any]:
    archive = await school.viewer("archive")
    return add_signer(school.store, await school.viewer(subject), key, archive.person_id, comment="请会签")


async def submitting(school: School, subject: str, key: ObjectId) -> Awaitable[Any]:
    return submit_draft(school.store, await school.viewer(subject), key)


# What is done, by whom; the status it leads to; its audit entries and notifications.
Act = tuple[Callable[..., Awaitable[Awaitable[Any]]], str, dict[str, Any], str, int, int]
APPROVE: Act = (approving, "director", {"seen": True}, "APPLIED", 2, 1)
APPROVE_AS_DELEGATE: Act = (approving, "deputy-1", {"seen": True}, "APPLIED", 2, 1)
APPROVE_AS_OTHER_DELEGATE: Act = (approving, "archive", {}, "APPLIED", 2, 1)
RETURN: Act = (refusing, "deputy-1", {"decision": Decision.RETURNED}, "RETURNED", 1, 1)
REJECT: Act = (refusing, "deputy-1", {"decision": Decision.REJECTED}, "REJECTED", 1, 1)
WITHDRAW: Act = (withdrawing, "information", {}, "WITHDRAWN", 1, 1)
REVISE: Act = (revising, "information", {}, "SUBMITTED", 1, 1)
ADD: Act = (adding, "director", {}, "IN_REVIEW", 1, 1)
STATE, CONFLICT, FORBIDDEN = ErrorCode.WRONG_STATE, ErrorCode.CONFLICT, ErrorCode.FORBIDDEN


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("first", "second", "first_is_told", "second_is_told"),
    [
        pytest.param(APPROVE, APPROVE_AS_DELEGATE, STATE, STATE, id="two approvers"),
        pytest.param(APPROVE_AS_DELEGATE, APPROVE_AS_OTHER_DELEGATE, STATE, STATE, id="two delegates"),
        pytest.param(APPROVE, RETURN, STATE, STATE, id="approve, return"),
        pytest.param(APPROVE, REJECT, STATE, STATE, id="approve, reject"),
        pytest.param(APPROVE, WITHDRAW, STATE, STATE, id="approve, withdraw"),
        # What was revised is not what they saw.
        pytest.param(APPROVE, REVISE, CONFLICT, STATE, id="approve, revise"),
        pytest.param(APPROVE_AS_DELEGATE, ADD, FORBIDDEN, STATE, id="approve, add a signer"),
        pytest.param(REJECT, WITHDRAW, STATE, STATE, id="reject, withdraw"),
    ],
)
async def test_one_of_two_acts_on_a_request_wins(
    school: School,
    monkeypatch: pytest.MonkeyPatch,
    order: str,
    first: Act,
    second: Act,
    first_is_told: ErrorCode,
    second_is_told: ErrorCode,
) -> None:
    for delegate in ("deputy-1", "archive"):
        await delegated(school, "director", delegate, "DIRECTOR")
    gate = Gate(ChangeRequest, monkeypatch)
    for turn in range(ROUNDS):
        # Values of another field each time: an applied change would else be superseded by the next.
        key = await asked(school, **{("native_place", "former_name")[turn % 2]: f"{order}{turn}"})
        before, revision = await written(school), (await school.student()).revision
        superseded = await school.store.database.mongo["change_requests"].count_documents(
            {"status": "SUPERSEDED"}
        )
        runs = [await act[0](school, act[1], key, **act[2]) for act in (first, second)]
        results = await gate.race(order, *runs)
        errors = [result for result in results if isinstance(result, RegistrarError)]
        assert len(errors) == 1, results
        winner = int(results[0] is errors[0])
        assert order == "at once" or winner == ORDERS.index(order)
        assert errors[0].code is (second_is_told, first_is_told)[winner]
        _, _, _, status, entries, notices = (first, second)[winner]
        assert results[winner] == status
        request = await held(school, key)
        assert request.status == status
        assert len(request.steps) == (winner == 0 or second[0] in (approving, refusing))
        replaced = (
            await school.store.database.mongo["change_requests"].count_documents({"status": "SUPERSEDED"})
            - superseded
        )
        after = await written(school)
        assert {name: after[name] - before[name] for name in after} == {
            "audit_entries": entries + replaced,
            "notifications": notices,
            "change_requests": 0,
        }
        assert (await school.student()).revision == revision + (status == "APPLIED")
    report = await verify_history(school.store, RECORD_TYPES)
    assert report.sound, report.findings


@pytest.mark.parametrize("order", ORDERS)
async def test_a_draft_is_submitted_once(school: School, monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    key = await asked(school, is_draft=True)
    await revise(school.store, await school.viewer("information"), key, Revision(reason="家长来电"))
    gate, before = Gate(ChangeRequest, monkeypatch), await written(school)
    runs = [await submitting(school, "information", key) for _ in range(2)]
    results = await gate.race(order, *runs)
    assert sorted(getattr(result, "code", "won") for result in results) == ["won", "wrong_state"]
    after = await written(school)
    assert {name: after[name] - before[name] for name in after} == {
        "audit_entries": 1,
        "notifications": 1,
        "change_requests": 0,
    }


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("tiers", "first_changes", "second_changes"),
    [
        pytest.param(1, {"phone"}, {"phone"}, id="two requests on one field"),
        pytest.param(2, {"name", "phone"}, {"phone"}, id="the last approval, and another request applied"),
    ],
)
async def test_one_of_two_changes_of_a_field_is_applied(
    school: School,
    monkeypatch: pytest.MonkeyPatch,
    order: str,
    tiers: int,
    first_changes: set[str],
    second_changes: set[str],
) -> None:
    await delegated(school, "director", "deputy-1", "DIRECTOR")
    gate = Gate(Student, monkeypatch)
    for turn in range(ROUNDS):
        values = [{"phone": f"1370000{turn}{run}00", "name": f"王改{turn}"} for run in range(2)]
        asked_for = [first_changes, second_changes]
        keys = [
            await asked(school, **{name: values[run][name] for name in asked_for[run]}) for run in range(2)
        ]
        last = "director"
        if tiers == 2:
            await school.approve("director", keys[0])
            last = "vice-principal"
        revision, before = (await school.student()).revision, await written(school)
        runs = [
            await approving(school, last, keys[0], seen=True),
            await approving(school, "deputy-1", keys[1], seen=True),
        ]
        results = await gate.race(order, *runs)
        errors = [result for result in results if isinstance(result, RegistrarError)]
        assert [error.code for error in errors] == [CONFLICT], results
        winner = int(results[0] is errors[0])
        assert order == "at once" or winner == ORDERS.index(order)
        student = await school.student()
        assert (student.phone, student.revision) == (values[winner]["phone"], revision + 1)
        # Who lost stays to be decided, with both values to see.
        won, lost = await held(school, keys[winner]), await held(school, keys[1 - winner])
        assert (won.status, len(won.steps)) == ("APPLIED", tiers if winner == 0 else 1)
        signed = tiers - 1 if winner == 1 else 0
        assert (lost.status, len(lost.steps)) == ("IN_REVIEW" if signed else "SUBMITTED", signed)
        after = await written(school)
        assert after["notifications"] - before["notifications"] == 1
    report = await verify_history(school.store, RECORD_TYPES)
    assert report.sound, report.findings
