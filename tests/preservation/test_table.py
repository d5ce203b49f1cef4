"""The retention table: what it says, who changes it, and what a newer one does to locks."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from archive_store.approvals.documents import RequestStatus
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStoreError
from archive_store.foundation.records import bson_value
from archive_store.policies.approvals import check_content as check_approvals
from archive_store.policies.approvals import content_of
from archive_store.policies.retention import RetentionReplacement, replace_retention_table
from archive_store.scans.documents import RetentionClass
from archive_store.scans.retention import (
    DEFAULT_CONTENT,
    due_on,
    lock_end,
    retention_rule,
    table_in_force,
)
from archive_store.scans.segments import scan_prefix
from archive_store.students.documents import StudentStatus
from tests.policies.test_approval_policy import content as approval_content
from tests.policies.test_approval_policy import with_chain
from tests.preservation.archive import (
    KEPT,
    PLAIN,
    SEALED,
    file_paper,
    locked_until,
    put,
    run_job,
    scan_of,
    set_scan,
    versions,
)
from tests.school import School

PERMANENT, YEARS_30, YEARS_10 = RetentionClass
BASIS = {"zh": "依据", "en": "basis"}


def table(**changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = bson_value(DEFAULT_CONTENT)
    return told | changes


def with_rule(document_type: str, retention: RetentionClass) -> dict[str, Any]:
    rules = [rule for rule in table()["rules"] if rule["document_type"] != document_type]
    new = {"document_type": document_type, "retention": retention.value, "basis": BASIS}
    return table(rules=[*rules, new])


async def ask(
    school: School, told: dict[str, Any], subject: str = "director", *, days: int = 0, dry_run: bool = False
) -> RetentionReplacement:
    return await replace_retention_table(
        school.store,
        await school.viewer(subject),
        content=told,
        effective_from=school_day(school.store.clock.now()) + timedelta(days=days),
        reason="学校决定",
        dry_run=dry_run,
    )


async def replaced(school: School, told: dict[str, Any]) -> None:
    key = (await ask(school, told)).change_request_id
    assert key is not None
    await school.approve("vice-principal", key)
    assert await school.approve("principal", key) is RequestStatus.APPLIED
    school.store.versions_seen.clear()


def test_a_period_ends_with_the_year_after_filing_and_its_years() -> None:
    assert due_on(YEARS_10, date(2013, 1, 1)) == due_on(YEARS_10, date(2013, 12, 31)) == date(2024, 1, 1)
    assert due_on(YEARS_30, date(2013, 6, 1)) == date(2044, 1, 1)
    assert due_on(PERMANENT, date(2013, 6, 1)) is None
    assert lock_end(YEARS_10, date(2013, 6, 1)) == datetime.fromisoformat("2024-01-01T00:00:00+08:00")
    assert lock_end(PERMANENT, date(2013, 6, 1)) == datetime.fromisoformat("2113-01-01T00:00:00+08:00")


def test_what_no_rule_names_is_kept_for_good_and_every_rule_says_why() -> None:
    assert DEFAULT_CONTENT.rule_for("从未听说的文件").retention is PERMANENT
    assert DEFAULT_CONTENT.rule_for(PLAIN).retention is YEARS_10
    for rule in (*DEFAULT_CONTENT.rules, DEFAULT_CONTENT.others):
        assert rule.basis.zh and rule.basis.en
    assert DEFAULT_CONTENT.required_of(StudentStatus.GRADUATED) > DEFAULT_CONTENT.required_of(
        StudentStatus.ENROLLED
    )
    assert DEFAULT_CONTENT.required_of(StudentStatus.VOIDED) == frozenset()


async def test_the_principal_decides_on_a_version(school: School) -> None:
    assert (await table_in_force(school.store)).version == 0
    await replaced(school, with_rule(KEPT, YEARS_30))
    assert (await table_in_force(school.store)).version == 1
    assert (await retention_rule(school.store, KEPT)).retention is YEARS_30
    await replaced(school, with_rule(KEPT, YEARS_10))
    assert (await table_in_force(school.store)).version == 2
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_version_waits_for_its_day_and_two_of_one_version_conflict(school: School) -> None:
    keys = [
        (await ask(school, with_rule(KEPT, held), days=2)).change_request_id for held in (YEARS_30, YEARS_10)
    ]
    for key in keys:
        assert key is not None
        await school.approve("vice-principal", key)
    await school.approve("principal", keys[0])  # type: ignore[arg-type]
    with pytest.raises(RegistrarError) as caught:
        await school.approve("principal", keys[1])  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFLICT, "version")
    school.store.versions_seen.clear()
    assert (await table_in_force(school.store)).version == 0


async def test_a_dry_run_says_what_changes_and_writes_nothing(school: School) -> None:
    before = await school.counts()
    told = with_rule(KEPT, YEARS_30) | {
        "required_documents": [{"statuses": ["ENROLLED"], "document_types": ["户口簿", "学籍卡"]}]
    }
    for subject in ("director", "vice-principal", "principal"):
        outcome = await ask(school, told, subject, dry_run=True)
        assert [(d.document_type, d.before, d.after) for d in outcome.differences] == [
            (KEPT, PERMANENT, YEARS_30)
        ]
        enrolled = next(d for d in outcome.requirements if d.status is StudentStatus.ENROLLED)
        assert (enrolled.gains, enrolled.loses) == (("学籍卡",), ("体检表", "新生学籍信息表"))
    assert await school.counts() == before


@pytest.mark.parametrize(
    ("told", "field"),
    [
        (table(), "content"),
        (table(rules=[*table()["rules"], table()["rules"][0]]), "content.rules.14.document_type"),
        (table(rules=[table()["others"]]), "content.rules.0.document_type"),
        (table(others=table()["rules"][0]), "content.others.document_type"),
        (table(rules=[table()["rules"][0] | {"retention": "YEARS_15"}]), "content.rules.0.retention"),
        (table(rules=[table()["rules"][0] | {"basis": {"zh": "依据"}}]), "content.rules.0.basis.en"),
        (
            table(required_documents=[{"statuses": [], "document_types": ["甲"]}]),
            "content.required_documents",
        ),
        (table(unheard_of=1), "content.unheard_of"),
    ],
)
async def test_what_a_version_cannot_say(school: School, told: Any, field: str) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await ask(school, told)
    assert (caught.value.field or "").startswith(field)
    assert await school.counts() == before


@pytest.mark.parametrize("subject", ["archive", "information", "principal", "teacher", "service"])
async def test_who_asks(school: School, subject: str) -> None:
    with pytest.raises(RegistrarError) as caught:
        await ask(school, with_rule(KEPT, YEARS_30), subject)
    assert caught.value.code is ErrorCode.FORBIDDEN


@pytest.mark.parametrize("operation", ["retention_table.replace", "scan.dispose"])
async def test_no_approval_policy_takes_the_decision_from_the_principal(
    school: School, operation: str
) -> None:
    from archive_store.approvals.documents import ApprovalPolicy

    rules = with_chain(await approval_content(school), operation, "DEPARTMENT_HEAD", "VICE_PRINCIPAL")
    policy = ApprovalPolicy.model_construct(**rules)
    content = content_of(policy)
    with pytest.raises(RegistrarError) as caught:
        check_approvals(content, school.store.operations)
    assert (caught.value.field or "").endswith("chain")


async def test_a_scan_is_filed_and_locked_by_what_the_table_says(school: School) -> None:
    day = school_day(school.store.clock.now())
    for name, held in ((PLAIN, YEARS_10), (SEALED, YEARS_30), (KEPT, PERMANENT)):
        key = await file_paper(school, name)
        scan = await scan_of(school, key)
        assert (scan.retention, scan.locked_until) == (held, None)
        assert await locked_until(school.store, key) == lock_end(held, day)
    # What the bucket says is noted by the worker.
    assert await run_job(school.store, "scan.lock_objects") == 3
    assert (await scan_of(school, key)).locked_until == lock_end(PERMANENT, day)
    assert await run_job(school.store, "scan.lock_objects") == 0
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_every_object_that_a_scan_names_is_locked_and_no_other(school: School) -> None:
    key, store = await file_paper(school), school.store
    named = await versions(store, key)
    # As a request that was cut off leaves it: who removes it must not be too late.
    left = f"{scan_prefix(key)}tail"
    left_version = await put(store, left)
    assert await run_job(store, "scan.lock_objects") == 1
    assert len(named) == 4  # content, its empty end, thumbnail, preview
    for each in named:
        with pytest.raises(ObjectStoreError):
            await store.objects.remove(*each)
    await store.objects.remove(left, left_version)
    assert await versions(store, key) == named
    assert await locked_until(store, key) == (await scan_of(school, key)).locked_until


async def test_no_lock_is_shortened(school: School) -> None:
    key, store = await file_paper(school), school.store
    day = school_day(store.clock.now())
    for until in (lock_end(YEARS_30, day), lock_end(YEARS_10, day)):
        for each in await versions(store, key):
            await store.objects.lock(*each, until)
        assert await locked_until(store, key) == lock_end(YEARS_30, day)


async def test_a_newer_table_makes_locks_longer_and_never_shorter(school: School) -> None:
    longer, shorter = await file_paper(school, "甲"), await file_paper(school, "乙")
    now = school.store.clock.now()
    day = school_day(now)
    for key, held in ((longer, YEARS_10), (shorter, YEARS_30)):
        await set_scan(school, key, retention=held.value, locked_until=lock_end(held, day))
    rules = [
        {"document_type": name, "retention": held.value, "basis": BASIS}
        for name, held in (("甲", YEARS_30), ("乙", YEARS_10))
    ]
    assert await run_job(school.store, "scan.lock_objects") == 0
    await replaced(school, table(rules=rules))
    assert await run_job(school.store, "scan.lock_objects") == 1
    assert (await scan_of(school, longer)).locked_until == lock_end(YEARS_30, day)
    assert (await scan_of(school, shorter)).locked_until == lock_end(YEARS_30, day)
    row = await school.store.database.mongo["retention_tables"].find_one({"version": 1})
    assert row is not None and row["locks_extended_at"] is not None
    assert await run_job(school.store, "scan.lock_objects") == 0
