"""What a FAIL batch tells of rows that do not enter, and what a broken or cancelled batch leaves to others."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

import archive_store.imports.shared_numbers as shared_numbers
import archive_store.imports.staging as staging
from api.dev.roster import demo_rows
from archive_store.admission.documents import SchoolStage
from archive_store.approvals.default_rules import DEFAULT_APPROVAL_RULES
from archive_store.approvals.documents import ApprovalPolicy, ChangeRequest, RequestStatus, Tier
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.batch_steps import read_batch
from archive_store.imports.batches import ask_for_run, cancel
from archive_store.imports.documents import BLOCKS, BatchStatus, ImportKind, RowPolicy
from archive_store.imports.jobs import run_due
from tests.imports.batches import begun, outcomes, roster, run
from tests.school import School

ADMISSION: dict[str, Any] = {"kind": ImportKind.ADMISSION, "stage": SchoolStage.SENIOR, "cohort": 2026}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "BLOCK_ROWS", 2)


def known(count: int = 1) -> list[dict[str, str]]:
    """Rows of students on record, that say so by their identity numbers alone."""
    return [row | {"学籍辅号": "", "全国学籍号": ""} for row in demo_rows(count)]


def new(count: int, cohort: int = 2031) -> list[dict[str, str]]:
    return [row | {"学籍辅号": "", "全国学籍号": ""} for row in demo_rows(count, cohort=cohort, seed=cohort)]


@pytest.mark.parametrize(("subject", "terms"), [("information", {}), ("admissions", ADMISSION)])
@pytest.mark.parametrize("place", [0, 4])
async def test_fail_with_a_bad_row_is_no_search_for_numbers(
    school: School, subject: str, terms: dict[str, Any], place: int
) -> None:
    """A bad row keeps all from entering; the others must not answer which numbers are on record."""
    rows = [*known(2), *new(3)]
    rows.insert(place, new(1, cohort=2032)[0] | {"性别": "?"})
    before = await school.counts()
    batch = await begun(school, roster(rows), policy=RowPolicy.FAIL, subject=subject, **terms)
    done = await run(school, batch, subject=subject)
    told = [outcome for _, outcome in await outcomes(school, batch)]
    assert told == ["REFUSED" if number == place else "SKIPPED" for number in range(6)]
    assert (done.status, done.refused, done.skipped, done.already_on_record) == (BatchStatus.FAILED, 1, 5, 0)
    after = await school.counts()
    for name in ("students", "persons", "admission_cases", "access_events"):
        assert after[name] == before[name]


async def test_fail_names_one_row_where_no_other_reason_may_be_told(school: School) -> None:
    rows = [*new(3), *known(2)]
    before = await school.counts()
    batch = await begun(school, roster(rows), policy=RowPolicy.FAIL)
    done = await run(school, batch)
    told = [outcome for _, outcome in await outcomes(school, batch)]
    assert told == ["SKIPPED", "SKIPPED", "SKIPPED", "ALREADY_ON_RECORD", "SKIPPED"]
    assert (done.status, done.already_on_record, done.skipped) == (BatchStatus.FAILED, 1, 4)
    after = await school.counts()
    assert after["students"] == before["students"]
    assert after["access_events"] == before["access_events"] + 1
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_fail_tells_whoever_may_read_the_numbers_and_records_it(school: School) -> None:
    before = await school.counts()
    batch = await begun(school, roster([*known(2), *new(1)]), policy=RowPolicy.FAIL, subject="director")
    await run(school, batch, subject="director")
    told = [outcome for _, outcome in await outcomes(school, batch)]
    assert told == ["ALREADY_ON_RECORD", "ALREADY_ON_RECORD", "SKIPPED"]
    assert (await school.counts())["access_events"] > before["access_events"]


async def test_a_broken_batch_keeps_no_other_from_running(school: School) -> None:
    viewer = await school.viewer("information")
    broken, sound = [await begun(school, roster(new(2, cohort))) for cohort in (2033, 2034)]
    for batch in (broken, sound):
        await ask_for_run(school.store, viewer, batch.key)
    await school.store.database.mongo[BLOCKS].delete_many({"batch_id": broken.key})
    with pytest.raises(RegistrarError) as caught:
        await run_due(school.store, school.store.clock.now())
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert (await read_batch(school.store, sound.key)).status is BatchStatus.DONE
    assert (await read_batch(school.store, broken.key)).added == 0


async def test_cancelling_withdraws_what_waits_for_approval(school: School) -> None:
    chain = {"chain": (Tier.DEPARTMENT_HEAD,)}
    rules = [
        rule.model_copy(update=chain if rule.operation == "roster.import" else {})
        for rule in DEFAULT_APPROVAL_RULES
    ]
    policy = ApprovalPolicy(version=2, effective_from=date(2026, 1, 1), rules=tuple(rules))
    await school.store.database.collection(ApprovalPolicy).insert_one(policy.to_bson())
    school.store.versions_seen.clear()
    viewer = await school.viewer("information")
    batch = await begun(school, roster(new(2)))
    request_id = await ask_for_run(school.store, viewer, batch.key)
    assert request_id is not None
    ended = await cancel(school.store, viewer, batch.key)
    assert ended.status is BatchStatus.CANCELLED
    request = await school.store.database.collection(ChangeRequest).find_one({"_id": request_id})
    assert request is not None
    assert (request["status"], request["awaited_posts"]) == (RequestStatus.WITHDRAWN, [])


async def test_shared_numbers_are_never_forgotten_while_they_are_sought_again(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run may look for them while another process enters the rows."""
    rows = new(3)
    rows[2] = rows[0] | {"联系电话": "13700000000"}
    batch = await begun(school, roster(rows))
    blocks = school.store.database.mongo[BLOCKS]
    marked = await blocks.find({}, {"shared": 1}).to_list()
    assert [len(block["shared"]) for block in marked] == [1, 1]

    async def die(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(shared_numbers, "mark_shared", die)
    with pytest.raises(RuntimeError):
        await shared_numbers.check_numbers_of_file(school.store, batch)
    assert await blocks.find({}, {"shared": 1}).to_list() == marked
