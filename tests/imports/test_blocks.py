"""Blocks made ready ahead: the records that no model checks, and what came on record after they were judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from beanie import PydanticObjectId

import archive_store.imports.blocks as blocks
from archive_store.foundation.records import stored_shape
from archive_store.imports.batch_steps import read_batch
from archive_store.imports.batches import ask_for_run
from archive_store.imports.documents import BatchStatus, RowPolicy
from archive_store.imports.matching import judge
from archive_store.imports.roster_files import read_roster
from archive_store.imports.rules import GoodRow, check_rows
from archive_store.imports.running import advance, enter_block
from archive_store.students.documents import Guardian, Student
from archive_store.students.registration import record_of
from tests.conftest import STUDENTS
from tests.imports.batches import begun, outcomes, roster, run
from tests.imports.test_batches import rows_of
from tests.school import School

SAMPLE = Path(__file__).parent.parent / "samples" / "roster-2023.xlsx"
NOT_OF_THE_ROW = {"_id", "person_id", "pseudonym", "status_periods"}


def plain(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in NOT_OF_THE_ROW}


async def test_records_of_a_roster_are_what_the_model_would_store(school: School) -> None:
    good = check_rows(read_roster(SAMPLE.read_bytes(), row_limit=1_000)).good
    assert len(good) > 500
    for row in good:
        assert isinstance(row, GoodRow)
        record = record_of(row.values)
        assert plain(record) == plain(Student(person_id=PydanticObjectId(), **row.values).to_bson())
        assert plain(Student.model_validate(record).to_bson()) == plain(record)
    assert len({record_of(good[0].values)["pseudonym"] for _ in range(3)}) == 3


def test_a_stored_shape_has_the_fields_of_its_model() -> None:
    with pytest.raises(KeyError, match="nickname"):
        stored_shape(Guardian, {"name": "x", "nickname": "y"})
    with pytest.raises(KeyError, match="name"):
        stored_shape(Guardian, {"phone": "1"})


@pytest.mark.parametrize("policy", [RowPolicy.SKIP, RowPolicy.FAIL])
async def test_a_number_that_came_on_record_since_the_block_was_judged_is_found(
    school: School, policy: RowPolicy
) -> None:
    rows = rows_of(4)
    batch = await begun(school, roster(rows), policy=policy)
    await ask_for_run(school.store, await school.viewer("information"), batch.key)
    batch = await read_batch(school.store, batch.key)
    if batch.enters is None:
        from archive_store.imports.running import _decide

        await _decide(school.store, batch)
        batch = await read_batch(school.store, batch.key)
    block = await blocks.ready_block(school.store, batch, 0)
    assert block.judged is not None
    await run(school, await begun(school, roster(rows[1:2])))
    assert await enter_block(school.store, batch, block)
    await advance(school.store, batch.key)
    done = await read_batch(school.store, batch.key)
    if policy is RowPolicy.FAIL:
        assert (done.status, done.added, done.already_on_record) == (BatchStatus.FAILED, 0, 1)
        assert (await school.counts())["students"] == STUDENTS + 1
    else:
        assert (done.status, done.added, done.already_on_record) == (BatchStatus.DONE, 3, 1)
        assert [outcome for _, outcome in await outcomes(school, batch)][1] == "ALREADY_ON_RECORD"
        assert (await school.counts())["students"] == STUDENTS + 4


async def test_a_block_with_a_known_row_is_judged_where_it_is_entered(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(3)
    await run(school, await begun(school, roster(rows[:1])))
    batch = await begun(school, roster(rows))
    await ask_for_run(school.store, await school.viewer("information"), batch.key)
    batch = await read_batch(school.store, batch.key)
    assert (await blocks.ready_block(school.store, batch, 0)).judged is None
    asked = 0

    async def counted(*args: Any) -> Any:
        nonlocal asked
        asked += 1
        return await judge(*args)

    monkeypatch.setattr(blocks, "judge", counted)
    await advance(school.store, batch.key)
    assert asked == 1
    assert (await read_batch(school.store, batch.key)).added == 2
