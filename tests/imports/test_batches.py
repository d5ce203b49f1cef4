"""Import batches on the real store: every row accounted for, policies, cancelling, approval, expiry."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

import archive_store.imports.staging as staging
from api.dev.roster import demo_rows
from archive_store.admission.documents import AdmissionCase, SchoolStage
from archive_store.approvals.default_rules import DEFAULT_APPROVAL_RULES
from archive_store.approvals.documents import ApprovalPolicy, ChangeRequest, RequestStatus, Tier
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.batch_steps import read_batch
from archive_store.imports.batches import ask_for_run, cancel
from archive_store.imports.beginning import remap
from archive_store.imports.blocks import ready_block
from archive_store.imports.documents import BLOCKS, ROWS, BatchStatus, ImportKind, RowPolicy
from archive_store.imports.jobs import expire, run_due
from archive_store.imports.running import advance, enter_block
from archive_store.students.documents import Student
from tests.conftest import STUDENTS
from tests.imports.batches import begun, outcomes, roster, run, undo
from tests.imports.test_roster_files import HEADERS, csv_bytes
from tests.school import School


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks of a small file."""
    monkeypatch.setattr(staging, "BLOCK_ROWS", 4)


def rows_of(count: int, cohort: int = 2026) -> list[dict[str, str]]:
    return list(demo_rows(count, cohort=cohort, seed=cohort))


async def test_every_row_is_accounted_for(school: School) -> None:
    rows = rows_of(9)
    rows[2]["性别"] = "?"
    rows[7] |= {"身份证件号": rows[0]["身份证件号"], "全国学籍号": "", "性别": rows[0]["性别"]}
    rows[7] |= {"出生日期": rows[0]["出生日期"]}
    rows.append(next(demo_rows(1)))
    batch = await begun(school, roster(rows))
    stored = await school.store.database.mongo[BLOCKS].find().to_list()
    assert len(stored) == batch.blocks == 3
    assert all(rows[0]["姓名"] not in repr(block) for block in stored)
    before = await school.counts()
    done = await run(school, batch)
    told = (done.rows, done.added, done.already_on_record, done.refused, done.skipped)
    assert told == (10, 6, 1, 3, 0)
    assert done.status is BatchStatus.DONE
    assert [outcome for _, outcome in await outcomes(school, batch)] == [
        *("REFUSED", "ADDED", "REFUSED", "ADDED", "ADDED", "ADDED", "ADDED", "REFUSED", "ADDED"),
        "ALREADY_ON_RECORD",
    ]
    after = await school.counts()
    assert after["students"] == before["students"] + 6
    assert after["import_blocks"] == 0
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_the_same_file_tells_of_the_first(school: School) -> None:
    content = roster(rows_of(2))
    first = await begun(school, content)
    assert first.earlier_batch_id is None
    assert (await begun(school, content)).earlier_batch_id == first.key


async def test_columns_of_another_name_wait_for_a_mapping(school: School) -> None:
    headers = ["学生是谁" if header == "姓名" else header for header in HEADERS]
    rows = rows_of(3)
    content = csv_bytes([headers, *[[row.get(h, "") for h in HEADERS] for row in rows]], "utf-8")
    batch = await begun(school, content)
    assert batch.mapping is None
    viewer = await school.viewer("information")
    with pytest.raises(RegistrarError) as caught:
        await ask_for_run(school.store, viewer, batch.key)
    assert (caught.value.code, caught.value.field) == (ErrorCode.REQUIRED, "mapping")
    batch = await remap(school.store, viewer, batch.key, {"学生是谁": "姓名"})
    assert (await run(school, batch)).added == 3


async def test_fail_enters_nothing_where_a_row_is_bad(school: School) -> None:
    rows = rows_of(9)
    rows[8]["性别"] = "?"
    before = await school.counts()
    done = await run(school, await begun(school, roster(rows), policy=RowPolicy.FAIL))
    assert (done.status, done.added, done.refused, done.skipped) == (BatchStatus.FAILED, 0, 1, 8)
    assert (await school.counts())["students"] == before["students"]
    assert (await school.counts())["persons"] == before["persons"]


async def test_fail_enters_all_or_takes_all_out_again(school: School) -> None:
    rows = rows_of(9)
    batch = await begun(school, roster(rows), policy=RowPolicy.FAIL)
    await ask_for_run(school.store, await school.viewer("information"), batch.key)
    # It is decided that all enter; then another import enters one of the last.
    first = await read_batch(school.store, batch.key)
    await running_until(school, first.key, position=1)
    assert (await school.counts())["students"] == STUDENTS + 4
    await run(school, await begun(school, roster(rows[8:])))
    await advance(school.store, batch.key)
    done = await read_batch(school.store, batch.key)
    assert (done.status, done.added, done.undone) == (BatchStatus.FAILED, 0, 8)
    assert done.rows == done.added + done.undone + done.already_on_record + done.refused + done.skipped
    assert (await school.counts())["students"] == STUDENTS + 1
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def running_until(school: School, batch_id: object, position: int) -> None:
    """Run the blocks before `position`, as a process does that is then killed."""
    import archive_store.imports.running as running

    batch = await read_batch(school.store, batch_id)  # type: ignore[arg-type]
    if batch.enters is None:
        await running._decide(school.store, batch)
    for number in range(position):
        batch = await read_batch(school.store, batch.key)
        assert await enter_block(school.store, batch, await ready_block(school.store, batch, number))


async def test_a_block_is_entered_once_whoever_enters_it(school: School) -> None:

    batch = await begun(school, roster(rows_of(8)))
    await ask_for_run(school.store, await school.viewer("information"), batch.key)
    batch = await read_batch(school.store, batch.key)
    block = await ready_block(school.store, batch, 0)
    assert await enter_block(school.store, batch, block)
    assert not await enter_block(school.store, batch, block)
    assert await run_due(school.store, school.store.clock.now()) == 1
    assert (await school.counts())["students"] == STUDENTS + 8


async def test_update_asks_for_what_differs(school: School) -> None:
    """Of whoever may read the fields; nothing is changed without its approval."""
    known = list(demo_rows(2))
    known[0] |= {"联系电话": "13700000000"}
    before = await school.student()
    batch = await begun(school, roster([*known, *rows_of(1)]), subject="director", policy=RowPolicy.UPDATE)
    done = await run(school, batch, subject="director")
    assert (done.added, done.updated, done.already_on_record) == (1, 1, 1)
    request = await school.store.database.collection(ChangeRequest).find_one({})
    assert request is not None
    assert (request["fields"], request["target_id"]) == (["phone"], before.key)
    assert (await school.student()).phone == before.phone
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_update_is_no_search_for_values(school: School) -> None:
    """Whoever may not read a field asks for it as it stands in the row, whether or not it differs."""
    row = next(demo_rows(1))
    asked = []
    for phone in (row["联系电话"], "13700000000"):
        batch = await begun(school, roster([row | {"联系电话": phone}]), policy=RowPolicy.UPDATE)
        done = await run(school, batch)
        assert (done.updated, done.already_on_record) == (1, 0)
        request = await school.store.database.collection(ChangeRequest).find_one({}, sort=[("_id", -1)])
        assert request is not None
        asked.append(request["fields"])
    assert asked[0] == asked[1]
    assert "phone" in asked[0]
    assert {"name", "identity_number", "class_name"}.isdisjoint(asked[0])


async def test_cancel_keeps_what_entered(school: School) -> None:
    batch = await begun(school, roster(rows_of(12)))
    viewer = await school.viewer("information")
    await ask_for_run(school.store, viewer, batch.key)
    await running_until(school, batch.key, 1)
    await cancel(school.store, viewer, batch.key)
    await run_due(school.store, school.store.clock.now())
    done = await read_batch(school.store, batch.key)
    assert (done.status, done.added, done.skipped) == (BatchStatus.CANCELLED, 4, 8)
    assert (await school.counts())["students"] == STUDENTS + 4
    assert (await school.counts())["import_blocks"] == 0
    with pytest.raises(RegistrarError) as caught:
        await cancel(school.store, viewer, batch.key)
    assert caught.value.code is ErrorCode.WRONG_STATE


async def test_cancel_of_fail_takes_out_what_entered(school: School) -> None:
    batch = await begun(school, roster(rows_of(12)), policy=RowPolicy.FAIL)
    viewer = await school.viewer("information")
    await ask_for_run(school.store, viewer, batch.key)
    await running_until(school, batch.key, 1)
    await cancel(school.store, viewer, batch.key)
    await run_due(school.store, school.store.clock.now())
    assert (await read_batch(school.store, batch.key)).status is BatchStatus.CANCELLED
    assert (await school.counts())["students"] == STUDENTS


@pytest.mark.parametrize("subject", ["teacher", "academic-affairs", "service", "principal", "admissions"])
async def test_others_neither_begin_nor_see(school: School, subject: str) -> None:
    batch = await begun(school, roster(rows_of(2)))
    before = await school.counts()
    viewer = await school.viewer(subject)
    for step in (begun(school, roster(rows_of(2)), subject=subject), cancel(school.store, viewer, batch.key)):
        with pytest.raises(RegistrarError) as caught:
            await step
        assert caught.value.code in (ErrorCode.FORBIDDEN, ErrorCode.NOT_FOUND)
    assert await school.counts() == before


async def test_candidates_get_admission_cases(school: School) -> None:
    rows = rows_of(5)
    terms = {"kind": ImportKind.ADMISSION, "stage": SchoolStage.SENIOR, "cohort": 2026}
    batch = await begun(school, roster([*rows, next(demo_rows(1))]), subject="admissions", **terms)  # type: ignore[arg-type]
    done = await run(school, batch, subject="admissions")
    assert (done.added, done.already_on_record) == (5, 1)
    cases = await school.store.database.collection(AdmissionCase).find().to_list()
    assert [case["import_id"] for case in cases] == [batch.key] * 5
    assert (await school.counts())["students"] == STUDENTS
    again = await run(school, await begun(school, roster(rows), **terms))  # type: ignore[arg-type]
    assert (again.added, again.already_on_record) == (0, 5)
    undone = await undo(school, done)
    assert (undone.status, undone.undone) == (BatchStatus.UNDONE, 5)
    assert (await school.counts())["admission_cases"] == 0
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_what_nobody_runs_expires(school: School) -> None:
    batch = await begun(school, roster(rows_of(2)))
    now = school.store.clock.now()
    assert await expire(school.store, now) == 0
    later = now + timedelta(hours=school.store.settings.import_expiry_hours + 1)
    assert await expire(school.store, later) == 2
    assert (await read_batch(school.store, batch.key)).status is BatchStatus.EXPIRED
    assert (await school.counts())["import_blocks"] == 0


async def test_what_was_signed_is_what_runs(school: School) -> None:
    rules = [
        rule.model_copy(
            update={"chain": (Tier.DEPARTMENT_HEAD,)} if rule.operation == "roster.import" else {}
        )
        for rule in DEFAULT_APPROVAL_RULES
    ]
    policy = ApprovalPolicy(version=2, effective_from=date(2026, 1, 1), rules=tuple(rules))
    await school.store.database.collection(ApprovalPolicy).insert_one(policy.to_bson())
    school.store.versions_seen.clear()
    batch = await begun(school, roster(rows_of(3)))
    viewer = await school.viewer("information")
    request_id = await ask_for_run(school.store, viewer, batch.key)
    assert request_id is not None
    assert (await read_batch(school.store, batch.key)).status is BatchStatus.WAITING
    with pytest.raises(RegistrarError) as caught:
        await remap(school.store, viewer, batch.key, None, RowPolicy.FAIL)
    assert caught.value.code is ErrorCode.WRONG_STATE
    assert await run_due(school.store, school.store.clock.now()) == 0
    assert (await school.counts())["students"] == STUDENTS
    assert await school.approve("director", request_id) is RequestStatus.APPLIED
    assert await run_due(school.store, school.store.clock.now()) == 1
    assert (await school.counts())["students"] == STUDENTS + 3
    entry = await school.store.database.mongo["audit_entries"].find_one({"kind": "roster:enter"})
    done = await school.store.database.mongo["audit_entries"].find_one({"kind": "roster:end"})
    assert (entry or done) is not None
    rows = await school.store.database.mongo[ROWS].find().to_list()
    assert len(rows) == 3 + STUDENTS
    assert await school.store.database.collection(Student).count_documents({}) == STUDENTS + 3
