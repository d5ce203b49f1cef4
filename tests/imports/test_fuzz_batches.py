"""Broken files as batches: a refusal or an account of every row, and never a part of one unless its policy says so.

`REGISTRAR_FUZZ_FILES` and `REGISTRAR_FUZZ_SEED` as in test_fuzz.py, which reads the same files.
"""

from __future__ import annotations

import os

import pytest

import archive_store.imports.staging as staging
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import RegistrarError
from archive_store.imports.documents import BLOCKS, ROWS, BatchStatus, RowOutcome, RowPolicy
from tests.imports.batches import begun, run
from tests.imports.broken_files import broken_files
from tests.school import School

FILES = int(os.environ.get("REGISTRAR_FUZZ_FILES", "60"))
SEED = int(os.environ.get("REGISTRAR_FUZZ_SEED", "7"))
POLICIES = (RowPolicy.FAIL, RowPolicy.SKIP, RowPolicy.FAIL)
_RECORDS = ("students", "persons", "admission_cases")


async def try_file(school: School, content: bytes, policy: RowPolicy) -> str:
    before = await school.counts()
    try:
        batch = await begun(school, content, policy=policy)
    except RegistrarError as error:
        assert error.message.zh and error.message.en
        after = await school.counts()
        assert {name: after[name] for name in _RECORDS} == {name: before[name] for name in _RECORDS}
        assert after.get(BLOCKS, 0) == before.get(BLOCKS, 0)
        return "refused"
    try:
        done = await run(school, batch)
    except RegistrarError as error:  # such as of columns that no mapping names
        assert error.message.zh and error.message.en
        return "not run"
    rows = school.store.database.mongo[ROWS].find({"batch_id": done.key}, {"outcome": 1})
    told = [row["outcome"] async for row in rows]
    assert len(told) == done.rows
    added = told.count(RowOutcome.ADDED)
    after = await school.counts()
    assert after["students"] - before["students"] == after["persons"] - before["persons"] == added
    if policy is RowPolicy.FAIL:
        assert added == (done.rows if done.status is BatchStatus.DONE else 0)
    assert done.status in (BatchStatus.DONE, BatchStatus.FAILED)
    return done.status.value


async def test_never_a_partial_batch_unless_the_row_policy_says_so(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "BLOCK_ROWS", 3)
    ended: dict[str, int] = {}
    for number, file in enumerate(broken_files(SEED, FILES)):
        policy = POLICIES[number % len(POLICIES)]
        try:
            found = await try_file(school, file.content, policy)
        except AssertionError as error:
            raise AssertionError(file.name) from error
        ended[f"{policy} {found}"] = ended.get(f"{policy} {found}", 0) + 1
    assert sum(ended.values()) == FILES and len(ended) >= 4, ended
    assert (await verify_history(school.store, RECORD_TYPES)).sound
