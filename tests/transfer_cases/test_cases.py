"""The transfer case: its routes and its clock, our own step by the change of status, who may, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision
from archive_store.approvals.operations import Outcome, payload_of, perform
from archive_store.approvals.requests import withdraw
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.conduct import sanctions
from archive_store.conduct.in_force import sanctions_in_force
from archive_store.foundation.clock import Clock
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.work_calendars import published_working_days
from archive_store.policies.transfer_rules import replace_transfer_rules
from archive_store.status_changes import facts
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StudentStatus
from archive_store.students.operations import current_row
from archive_store.transfer_cases.default_rules import DEFAULT_ROUTES
from archive_store.transfer_cases.documents import (
    CaseRoute,
    CaseState,
    CaseStep,
    Party,
    StepAct,
    StepOutcome,
    TransferCase,
)
from archive_store.transfer_cases.ending import CaseClose, CaseWithdraw
from archive_store.transfer_cases.jobs import remind_of_own_step, tell_late_files, tell_late_steps
from archive_store.transfer_cases.leaving import StepAnswer, record_step
from archive_store.transfer_cases.operations import CaseOpen
from archive_store.transfer_cases.queries import case_board, cases_of_students
from archive_store.transfer_cases.rules import begun
from tests.conduct.cases import family, impose, kinds_told, stored
from tests.organisation.structure import build
from tests.school import School
from tests.status_changes.changes import asked, day, paper
from tests.transfers.test_transfers import code, sent

REASON = "随父母工作调动迁居"
ALL = frozenset({"state", "other_school", "reason_text", "steps.outcome", "steps.ground"})


@dataclass(frozen=True)
class At(Clock):
    moment: datetime

    def now(self) -> datetime:
        return self.moment


async def opened(school: School, *, subject: str = "information", **told: Any) -> ObjectId:
    values: dict[str, Any] = {
        "case_id": ObjectId(),
        "direction": "OUT",
        "route": "SAME_COUNTY",
        "other_school": "第二中学",
        "applied_on": day(school, -3),
        "reason_kind": "FAMILY_MOVED",
        "reason_text": REASON,
        **told,
    }
    if values["direction"] == "OUT":
        values.setdefault("student_id", (await school.student()).key)
    payload = payload_of(CaseOpen, values)
    await perform(school.store, await school.viewer(subject), "transfer_case.open", payload)
    key: ObjectId = values["case_id"]
    return key


async def answer(
    school: School, key: ObjectId, outcome: str = "AGREED", *, subject: str = "information", **told: Any
) -> Outcome:
    given = StepAnswer(StepOutcome(outcome), told.pop("done_on", day(school)), reason="按申请办理", **told)
    return await record_step(school.store, await school.viewer(subject), key, given)


async def case_of(school: School, key: ObjectId) -> TransferCase:
    found: TransferCase = await stored(school, TransferCase, key)
    return found


async def sign(school: School, outcome: Outcome) -> None:
    assert outcome.change_request_id is not None
    for subject in ("director", "vice-principal"):
        await school.approve(subject, outcome.change_request_id)


async def asked_to_leave(school: School, **told: Any) -> tuple[ObjectId, Outcome]:
    """A case whose own step is asked for."""
    key = await opened(school, **told)
    await answer(school, key)
    materials = (await paper(school, "转学申请表"),)
    return key, await answer(school, key, materials=materials)


async def completed(school: School) -> ObjectId:
    key, outcome = await asked_to_leave(school)
    await sign(school, outcome)
    await answer(school, key)
    return key


def test_ten_working_days_go_around_the_holidays() -> None:
    """The National Day of 2025: 1 to 8 October off, 28 September and 11 October made up."""
    step = CaseStep(party=Party.AUTHORITY, act=StepAct.CONSENT, working_days=10)
    calendar = published_working_days()
    assert begun(step, date(2025, 9, 26), calendar).due_on == date(2025, 10, 16)
    assert begun(step, date(2025, 3, 3), calendar).due_on == date(2025, 3, 17)
    filing = CaseStep(party=Party.RECEIVING_SCHOOL, act=StepAct.FILING, months=3)
    assert begun(filing, date(2025, 11, 30), calendar).due_on == date(2026, 2, 28)
    untimed = CaseStep(party=Party.SENDING_SCHOOL, act=StepAct.CONSENT)
    assert begun(untimed, date(2025, 3, 3), calendar).due_on is None


async def test_who_leaves_by_every_party(school: School) -> None:
    await build(school)
    key, outcome = await asked_to_leave(school)
    held = await case_of(school, key)
    calendar = published_working_days()
    assert held.awaited is Party.SENDING_SCHOOL
    assert held.due_on == calendar.working_day_after(day(school), 10)
    assert held.steps[1].change_request_id == outcome.change_request_id
    assert await code(answer(school, key)) is ErrorCode.WRONG_STATE
    await sign(school, outcome)
    held = await case_of(school, key)
    assert (await school.student()).status is StudentStatus.TRANSFERRED_OUT
    assert (held.steps[1].outcome, held.awaited) == (StepOutcome.AGREED, Party.AUTHORITY)
    assert (await school.student()).status_periods[-1].counterpart == "第二中学"
    await answer(school, key)
    held = await case_of(school, key)
    assert (held.state, held.awaited, held.file_due_on) == (CaseState.COMPLETED, None, day(school, 30))
    close = payload_of(CaseClose, {"case_id": key})
    viewer = await school.viewer("information")
    assert await code(perform(school.store, viewer, "transfer_case.close", close)) is ErrorCode.WRONG_STATE
    transfer = await sent(school, day(school))
    assert (await case_of(school, key)).file_transfer_id == transfer
    await perform(school.store, viewer, "transfer_case.close", close)
    assert (await case_of(school, key)).state is CaseState.CLOSED
    assert (await verify_history(school.store, RECORD_TYPES)).sound


@pytest.mark.parametrize("route", ["CROSS_COUNTY", "CROSS_PROVINCE"])
async def test_longer_routes_wait_for_each_before_us(school: School, route: str) -> None:
    await build(school)
    key = await opened(school, route=route)
    held = await case_of(school, key)
    parties = [step.party for step in held.steps]
    ours = parties.index(Party.SENDING_SCHOOL)
    materials = [await paper(school, "转学申请表")]
    for party in parties[:ours]:
        assert (await case_of(school, key)).awaited is party
        early = asked(school, ChangeKind.TRANSFER_OUT, day(school), materials=materials)
        assert await code(early) is ErrorCode.WRONG_STATE
        await answer(school, key)
    await sign(school, await answer(school, key, materials=materials))
    for _ in parties[ours + 1 :]:
        await answer(school, key)
    assert (await case_of(school, key)).state is CaseState.COMPLETED


async def test_a_route_is_of_its_stage(school: School) -> None:
    await build(school)
    for route in ("HIGHER_EDUCATION", "HIGHER_EDUCATION_CROSS_PROVINCE"):
        assert await code(opened(school, route=route)) is ErrorCode.RULE_FORBIDS


async def test_who_comes_is_decided_by_our_signatures(school: School) -> None:
    student = await school.student()
    told = {"direction": "IN", "route": "HIGHER_EDUCATION"}
    assert await code(opened(school, **told)) is ErrorCode.REQUIRED
    key = await opened(school, **told, applicant_name=student.name)
    await answer(school, key)
    outcome = await answer(school, key)
    assert (await case_of(school, key)).awaited is Party.RECEIVING_SCHOOL
    await sign(school, outcome)
    held = await case_of(school, key)
    assert held.steps[1].change_request_id == outcome.change_request_id
    assert held.steps[2].act is StepAct.PUBLICITY
    for _ in range(3):
        assert (await answer(school, key)).applied
    viewer = await school.viewer("information")
    other = (await school.student(1)).key
    for student_id, error in ((None, ErrorCode.REQUIRED), (other, ErrorCode.INVALID_ARGUMENT)):
        close = payload_of(CaseClose, {"case_id": key, "student_id": student_id})
        assert await code(perform(school.store, viewer, "transfer_case.close", close)) is error
    close = payload_of(CaseClose, {"case_id": key, "student_id": student.key})
    await perform(school.store, viewer, "transfer_case.close", close)
    held = await case_of(school, key)
    assert (held.state, held.student_id) == (CaseState.CLOSED, student.key)


async def test_a_rejected_request_refuses_the_step(school: School) -> None:
    await build(school)
    key, outcome = await asked_to_leave(school)
    assert outcome.change_request_id is not None
    viewer = await school.viewer("director")
    await decide(school.store, viewer, outcome.change_request_id, Decision.RETURNED, comment="补材料")
    assert (await case_of(school, key)).state is CaseState.IN_PROCESS
    assert await code(answer(school, key)) is ErrorCode.WRONG_STATE
    await withdraw(school.store, await school.viewer("information"), outcome.change_request_id)
    assert (await case_of(school, key)).steps[1].change_request_id is None
    again = await answer(school, key, materials=(await paper(school, "转学申请表"),))
    assert again.change_request_id is not None
    await decide(school.store, viewer, again.change_request_id, Decision.REJECTED, comment="不同意")
    held = await case_of(school, key)
    assert (held.state, held.steps[1].outcome) == (CaseState.REFUSED, StepOutcome.REFUSED)
    assert (await school.student()).status is StudentStatus.ENROLLED
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_refusal_has_its_ground(school: School) -> None:
    key = await opened(school)
    assert await code(answer(school, key, "REFUSED")) is ErrorCode.REQUIRED
    assert await code(answer(school, key, done_on=day(school, 1))) is ErrorCode.INVALID_DATE
    assert await code(answer(school, key, done_on=day(school, -4))) is ErrorCode.INVALID_DATE
    await answer(school, key, "REFUSED", ground="学位已满,暂不接收")
    row = await school.store.database.collection(TransferCase).find_one({"_id": key})
    assert row is not None
    assert "学位已满" not in repr(row)
    assert REASON not in repr(row)
    assert row["state"] == CaseState.REFUSED.value
    assert await code(answer(school, key)) is ErrorCode.WRONG_STATE


async def test_withdrawn_only_while_in_process(school: School) -> None:
    await build(school)
    await family(school)
    key, outcome = await asked_to_leave(school)

    async def withdrawn(subject: str) -> None:
        viewer = await school.viewer(subject)
        payload = payload_of(CaseWithdraw, {"case_id": key, "is_family": subject == "parent"})
        await perform(school.store, viewer, "transfer_case.withdraw", payload, reason="误办")

    assert await code(withdrawn("teacher")) is ErrorCode.FORBIDDEN
    assert await code(withdrawn("archive")) is ErrorCode.FORBIDDEN
    await withdrawn("parent")
    assert (await case_of(school, key)).state is CaseState.WITHDRAWN
    assert outcome.change_request_id is not None
    assert await code(school.approve("director", outcome.change_request_id)) is ErrorCode.WRONG_STATE
    key = await completed(school)
    for subject in ("parent", "information"):
        assert await code(withdrawn(subject)) is ErrorCode.WRONG_STATE


async def test_who_opens_answers_and_sees(school: School) -> None:
    student_id = await family(school)
    for subject in ("teacher", "logistics", "director", "parent"):
        assert await code(opened(school, subject=subject)) is ErrorCode.FORBIDDEN
    key = await opened(school)
    assert await code(opened(school)) is ErrorCode.DUPLICATE
    for subject in ("teacher", "parent", "logistics", "archive"):
        refused = await code(answer(school, key, subject=subject))
        assert refused in (ErrorCode.FORBIDDEN, ErrorCode.NOT_FOUND)
    seen: dict[str, Any] = {}
    for subject in ("parent", "pupil", "director", "information", "teacher", "homeroom", "logistics"):
        try:
            viewer = await school.viewer(subject)
        except AssertionError:
            continue
        (views,) = await cases_of_students(school.store, viewer, [student_id], ALL)
        seen[subject] = None if views is None else views[0].value("reason_text")
    assert seen["parent"] == seen["pupil"] == seen["director"] == REASON
    assert seen["information"] is None
    (views,) = await cases_of_students(school.store, await school.viewer("information"), [student_id], ALL)
    assert views is not None
    assert set(views[0].withheld) == {"reason_text", "steps.ground"}
    for subject in ("teacher", "logistics"):
        (views,) = await cases_of_students(school.store, await school.viewer(subject), [student_id], ALL)
        assert views is None
    board = case_board(school.store, await school.viewer("teacher"), ALL, first=5)
    assert await code(board) is ErrorCode.FORBIDDEN
    assert await kinds_told(school, "parent") == []
    rows = school.store.database.mongo["notifications"].find({"subject_type": "TransferCase"})
    told = {row["kind"] for row in await rows.to_list() if row["recipient_person"] is not None}
    assert told == {"transfer_case:opened"}


async def test_the_clock_tells_once(school: School) -> None:
    await build(school)
    key, outcome = await asked_to_leave(school)
    store = school.store
    due = (await case_of(school, key)).due_on
    assert due is not None

    def at(days: int) -> datetime:
        assert due is not None
        on = due + timedelta(days=days)
        return datetime(on.year, on.month, on.day, 4, tzinfo=UTC)

    assert await remind_of_own_step(store, at(-4)) == 0
    assert (await remind_of_own_step(store, at(-3)), await remind_of_own_step(store, at(-2))) == (1, 0)
    assert await tell_late_steps(store, at(0)) == 0
    assert (await tell_late_steps(store, at(1)), await tell_late_steps(store, at(2))) == (1, 0)
    notes = store.database.mongo["notifications"]
    rows = await notes.find({"kind": "transfer_case:overdue"}).to_list()
    assert {row["recipient_post"] for row in rows} == {"INFORMATION_GROUP", "DIRECTOR"}
    late = replace(store, clock=At(at(1)))
    viewer = await school.viewer("information")
    page = await case_board(late, viewer, frozenset(), overdue=True, first=5)
    assert [view.id for view in page.rows] == [key]
    assert not (await case_board(late, viewer, frozenset(), overdue=False, first=5)).rows
    await sign(school, outcome)
    due = (await case_of(school, key)).due_on
    assert await remind_of_own_step(store, at(-1)) == 0
    assert await tell_late_steps(store, at(1)) == 1
    rows = await notes.find({"kind": "transfer_case:overdue"}).sort("_id", -1).to_list()
    assert [row["recipient_post"] for row in rows[:-2]] == ["INFORMATION_GROUP"]
    await answer(school, key)
    due = (await case_of(school, key)).file_due_on
    assert (await tell_late_files(store, at(0)), await tell_late_files(store, at(1))) == (0, 1)
    assert await tell_late_files(store, at(2)) == 0
    late = replace(store, clock=At(at(1)))
    page = await case_board(late, viewer, frozenset(), state=CaseState.COMPLETED, overdue=True, first=5)
    assert [view.id for view in page.rows] == [key]
    await sent(school, day(school))
    assert not (await case_board(late, viewer, frozenset(), overdue=True, first=5)).rows


async def test_rules_may_ask_for_a_case(school: School) -> None:
    await build(school)
    rules = [route.model_dump(mode="json") for route in DEFAULT_ROUTES]
    director = await school.viewer("director")
    given: dict[str, Any] = {"effective_from": day(school), "reason": "修订", "dry_run": False}
    nothing = replace_transfer_rules(school.store, director, rules=rules, **given)
    assert await code(nothing) is ErrorCode.NOTHING_TO_CHANGE
    rules[0]["needs_case"] = True
    changed, request = await replace_transfer_rules(school.store, director, rules=rules, **given)
    assert changed == [CaseRoute.SAME_COUNTY]
    assert request is not None
    for subject in ("vice-principal", "principal"):
        await school.approve(subject, request)
    school.store.versions_seen.clear()
    materials = [await paper(school, "转学申请表")]
    without = asked(school, ChangeKind.TRANSFER_OUT, day(school), materials=materials)
    assert await code(without) is ErrorCode.RULE_FORBIDS
    key = await opened(school)
    await answer(school, key)
    await sign(school, await answer(school, key, materials=materials))
    assert (await case_of(school, key)).rules_version == 1


@pytest.mark.parametrize("first", ["sanction", "transfer"])
async def test_a_sanction_and_a_transfer_at_once(
    school: School, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """The other commits after this one looked and before it wrote; this one must look again."""

    await build(school)
    student = await school.student()
    materials = [await paper(school, "转学申请表")]
    leave = await asked(school, ChangeKind.TRANSFER_OUT, day(school), materials=materials)
    await school.approve("director", leave)
    real_facts, real_row = sanctions_in_force, current_row
    was_overtaken = False

    async def overtake(session: Any) -> None:
        nonlocal was_overtaken
        if session is None or was_overtaken:
            return
        was_overtaken = True
        if first == "sanction":
            await impose(school, student.key)
        else:
            await school.approve("vice-principal", leave)

    async def looked_at_sanctions(store: Any, session: Any, ids: Any) -> Any:
        found = await real_facts(store, session, ids)
        if first == "sanction":
            await overtake(session)
        return found

    async def looked_at_status(store: Any, session: Any, *rest: Any) -> Any:
        row = await real_row(store, session, *rest)
        if first == "transfer":
            await overtake(session)
        return row

    monkeypatch.setattr(facts, "sanctions_in_force", looked_at_sanctions)
    monkeypatch.setattr(sanctions, "current_row", looked_at_status)
    with pytest.raises(RegistrarError) as caught:
        if first == "sanction":
            await school.approve("vice-principal", leave)
        else:
            await impose(school, student.key)
    assert was_overtaken
    expected = ErrorCode.RULE_FORBIDS if first == "sanction" else ErrorCode.WRONG_STATE
    assert caught.value.code is expected
    is_gone = (await school.student()).status is StudentStatus.TRANSFERRED_OUT
    assert is_gone is (first == "transfer")
    assert await school.store.database.mongo["sanctions"].count_documents({}) == (first == "sanction")
