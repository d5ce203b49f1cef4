"""The credential audit and the decision on a class and on a whole cohort."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
from bson import ObjectId

from api.dev.roster import demo_workbook
from archive_store.approvals.operations import payload_of, perform
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.stages import SchoolStage
from archive_store.graduation.audits import audits
from archive_store.graduation.decisions import GraduationDecide
from archive_store.graduation.documents import (
    DEFAULT_GRADUATION_RULES,
    GraduationBatch,
    GraduationOutcome,
    GraduationRequirement,
    GraduationRule,
    rules_for,
)
from archive_store.graduation.rules import AuditedRecord, audited, best_outcome, study_months
from archive_store.imports.operations import import_roster
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StatusPeriod, Student, StudentStatus
from archive_store.students.histories import STUDENT_HISTORY
from archive_store.students.status import periods_of
from archive_store.students.status_periods import in_force, with_status
from tests.conftest import STUDENTS
from tests.http.test_http import ask
from tests.organisation.structure import FIRST, build
from tests.school import School
from tests.status_changes.changes import day, done

Bearer = Any
AT = datetime(2026, 6, 1, tzinfo=UTC)
COHORT = int(os.environ.get("REGISTRAR_GRADUATING", "60"))


def record(**changed: Any) -> AuditedRecord:
    period = StatusPeriod(status=StudentStatus.ENROLLED, effective_from=date(2023, 9, 1), recorded_at=AT)
    held: dict[str, Any] = {
        "status": StudentStatus.ENROLLED,
        "periods": [period],
        "enrolled_month": "2023-09",
        "stage": SchoolStage.JUNIOR,
        "documents": frozenset(),
    }
    return AuditedRecord(**(held | changed))


def test_three_school_years_graduate_and_a_year_of_rest_does_not_count() -> None:
    rules = rules_for(DEFAULT_GRADUATION_RULES, SchoolStage.JUNIOR)
    on = date(2026, 7, 1)
    assert study_months(record(), on) == 34
    assert best_outcome(audited(record(), rules, on)) is GraduationOutcome.GRADUATE
    assert best_outcome(audited(record(), rules, date(2026, 6, 30))) is GraduationOutcome.LEAVE_INCOMPLETE
    periods = with_status(record().periods, StudentStatus.SUSPENDED, date(2024, 9, 1), AT)
    periods = with_status(periods, StudentStatus.ENROLLED, date(2025, 9, 1), AT)
    rested = record(periods=periods)
    assert study_months(rested, on) == 22
    assert best_outcome(audited(rested, rules, date(2027, 7, 1))) is GraduationOutcome.GRADUATE
    assert best_outcome(audited(record(status=StudentStatus.SUSPENDED), rules, on)) is None


def test_papers_that_lack_are_told_and_bind_their_outcome_only() -> None:
    rule = GraduationRule(
        requirement=GraduationRequirement.DOCUMENTS,
        outcomes=frozenset({GraduationOutcome.GRADUATE}),
        document_types=frozenset({"体检表", "毕业生登记表"}),
        article="示例",
    )
    rules = [*DEFAULT_GRADUATION_RULES[:1], rule]
    found = audited(record(documents=frozenset({"体检表"})), rules, date(2026, 7, 1))
    assert (found[1].is_met, found[1].evidence) == (False, "毕业生登记表")
    assert best_outcome(found) is GraduationOutcome.COMPLETE
    held = record(documents=frozenset({"体检表", "毕业生登记表"}))
    assert best_outcome(audited(held, rules, date(2026, 7, 1))) is GraduationOutcome.GRADUATE


async def code(awaited: Any) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await awaited
    return caught.value.code


async def keys_of(school: School, class_name: str = FIRST) -> list[ObjectId]:
    rows = school.store.database.collection(Student).find({"class_name": class_name}, {"_id": 1})
    return [row["_id"] async for row in rows.sort("_id", 1)]


async def asked(
    school: School, keys: list[ObjectId], on: date, outcome: str = "GRADUATE", subject: str = "information"
) -> ObjectId:
    decisions = tuple({"student_id": key, "outcome": outcome} for key in keys)
    told = {"batch_id": ObjectId(), "label": "2023级毕业", "graduates_on": on, "decisions": decisions}
    payload = payload_of(GraduationDecide, told)
    viewer = await school.viewer(subject)
    outcome_of = await perform(school.store, viewer, "graduation.decide", payload, reason="毕业审核")
    assert outcome_of.change_request_id is not None
    return outcome_of.change_request_id


async def test_a_class_is_graduated_whole(school: School) -> None:
    await build(school)
    keys, on = await keys_of(school), day(school)
    key = await asked(school, keys, on)
    assert await school.approve("director", key) == "IN_REVIEW"
    assert await school.approve("vice-principal", key) == "APPLIED"
    for student_id in keys:
        row = await school.store.database.collection(Student).find_one({"_id": student_id})
        assert row is not None
        assert row["status"] == "GRADUATED"
        last = in_force(periods_of(row))[-1]
        assert (last.cause, last.change_request_id, last.effective_from) == (ChangeKind.GRADUATE, key, on)
    row = await school.store.database.collection(GraduationBatch).find_one({})
    batch = GraduationBatch.model_validate(row)
    assert {item.student_id for item in batch.items} == set(keys)
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_one_who_does_not_meet_the_rules_keeps_all_back(school: School) -> None:
    await build(school)
    keys = await keys_of(school)
    await done(school, ChangeKind.SUSPEND, day(school, -1))
    suspended = (await school.student()).key
    assert suspended in keys
    assert await code(asked(school, keys, day(school))) is ErrorCode.WRONG_STATE
    others = [key for key in keys if key != suspended]
    request = await asked(school, others, day(school))
    # Suspended after it was asked for.
    everybody = [(await school.student(position)).key for position in range(STUDENTS)]
    position = everybody.index(others[0])
    await done(school, ChangeKind.SUSPEND, day(school), position=position)
    await school.approve("director", request)
    assert await code(school.approve("vice-principal", request)) in (
        ErrorCode.CONFLICT,
        ErrorCode.WRONG_STATE,
    )
    graduated = {"status": StudentStatus.GRADUATED.value}
    assert await school.store.database.collection(Student).count_documents(graduated) == 0
    assert await school.store.database.collection(GraduationBatch).count_documents({}) == 0


async def test_the_reason_of_a_batch_is_in_no_student_s_history(school: School) -> None:
    await build(school)
    request = await asked(school, await keys_of(school), day(school))
    await school.approve("director", request)
    await school.approve("vice-principal", request)
    (page,) = await STUDENT_HISTORY.pages(
        school.store, await school.viewer("director"), [(await keys_of(school))[0]], first=1
    )
    assert page is not None
    assert (page.rows[0].kind, page.rows[0].reason) == ("student:status:graduate", None)


async def test_what_cannot_be_asked(school: School) -> None:
    await build(school)
    keys = await keys_of(school)
    assert await code(asked(school, [*keys, keys[0]], day(school))) is ErrorCode.DUPLICATE
    assert await code(asked(school, [ObjectId()], day(school))) is ErrorCode.NOT_FOUND
    early = date(2025, 7, 1)
    assert await code(asked(school, keys, early)) is ErrorCode.RULE_FORBIDS
    for subject in ("teacher", "archive", "logistics", "vice-principal"):
        assert await code(asked(school, keys, day(school), subject=subject)) is ErrorCode.FORBIDDEN


async def test_a_day_before_the_running_period_is_refused_when_it_is_asked_for(school: School) -> None:
    await build(school)
    await done(school, ChangeKind.SUSPEND, day(school, -9))
    await done(school, ChangeKind.RESUME, day(school, -5))
    resumed = (await school.student()).key
    keys = [key for key in await keys_of(school) if key != resumed] + [resumed]
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await asked(school, keys, day(school, -6))
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_DATE, f"decisions.{len(keys) - 1}")
    assert await school.counts() == before
    request = await asked(school, keys, day(school, -5))
    for signer in ("director", "vice-principal"):
        await school.approve(signer, request)
    assert (await school.student()).status is StudentStatus.GRADUATED


async def test_who_audits(school: School) -> None:
    await build(school)
    for subject in ("teacher", "archive", "logistics"):
        viewer = await school.viewer(subject)
        assert (
            await code(audits(school.store, viewer, class_name=FIRST, day=day(school))) is ErrorCode.FORBIDDEN
        )
    found = await audits(school.store, await school.viewer("director"), class_name=FIRST, day=day(school))
    assert [audit.student_id for audit in found] == await keys_of(school)
    assert {audit.proposed for audit in found} == {GraduationOutcome.GRADUATE}


async def test_over_graphql(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    await build(school)
    audit = """query ($class: String!) { graduationAudit(className: $class) { proposed student { id name }
        findings { requirement isMet evidence article outcomes } } }"""
    told = (await ask(http, bearer("information"), audit, **{"class": FIRST}))["data"]["graduationAudit"]
    assert {line["proposed"] for line in told} == {"GRADUATE"}
    decide = """mutation ($input: GraduationDecideInput!) { graduationDecide(input: $input) {
        changeRequest { id chain } errors { code field } } }"""
    decisions = [{"studentId": line["student"]["id"], "outcome": "GRADUATE"} for line in told]
    given = {
        "label": "2023级1班",
        "graduatesOn": day(school).isoformat(),
        "decisions": decisions,
        "reason": "审核",
    }
    answer = (await ask(http, bearer("information"), decide, input=given))["data"]["graduationDecide"]
    assert answer["errors"] == []
    approve = """mutation ($input: ChangeRequestApproveInput!) { changeRequestApprove(input: $input) {
        changeRequest { status } errors { code } } }"""
    for subject in ("director", "vice-principal"):
        sent = {"id": answer["changeRequest"]["id"]}
        (await ask(http, bearer(subject), approve, input=sent))["data"]["changeRequestApprove"]
    batches = "{ graduationBatches { label graduated completed changeRequestId } }"
    (batch,) = (await ask(http, bearer("director"), batches))["data"]["graduationBatches"]
    assert (batch["graduated"], batch["completed"]) == (len(decisions), 0)
    assert batch["changeRequestId"] == answer["changeRequest"]["id"]
    refused = await ask(http, bearer("teacher"), audit, **{"class": FIRST})
    assert refused["errors"][0]["extensions"]["code"] == "forbidden"


async def test_a_cohort_in_bulk(school: School, record_property: Any) -> None:
    """`REGISTRAR_GRADUATING=600` for a cohort of usual size; `--junitxml` tells the times."""
    roster = demo_workbook(COHORT, cohort=2022)
    information = await school.viewer("information")
    await import_roster(school.store, information, roster, file_name="2022级.xlsx", dry_run=False)
    rows = school.store.database.collection(Student).find({"enrolled_month": {"$lt": "2023-01"}}, {"_id": 1})
    keys = [row["_id"] async for row in rows]
    assert len(keys) == COHORT
    begun = time.perf_counter()
    found = await audits(school.store, information, student_ids=keys, day=day(school))
    audited_at = time.perf_counter()
    request = await asked(school, keys, day(school))
    asked_at = time.perf_counter()
    await school.approve("director", request)
    endorsed_at = time.perf_counter()
    assert await school.approve("vice-principal", request) == "APPLIED"
    applied_at = time.perf_counter()
    moments = [begun, audited_at, asked_at, endorsed_at, applied_at]
    taken = zip(("audited", "asked", "endorsed", "applied"), pairwise(moments), strict=True)
    record_property("seconds", {step: round(end - start, 2) for step, (start, end) in taken})
    assert all(audit.proposed is not None for audit in found)
    graduated = {"status": StudentStatus.GRADUATED.value}
    assert await school.store.database.collection(Student).count_documents(graduated) == COHORT
    assert (await verify_history(school.store, RECORD_TYPES)).sound
