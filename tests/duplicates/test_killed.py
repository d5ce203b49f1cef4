"""The process killed at any command of a merge, and of its reversal: both records are changed, or neither."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator

import pytest
from bson import ObjectId

from api.dev.stack import EmbeddedStack
from archive_store.approvals.operations import Asking
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.duplicates.unmerging import unmerge_students
from archive_store.foundation.settings import Settings
from archive_store.students.record_check import records_unlike_history
from tests.approvals import mortal
from tests.approvals.test_killed import MOMENTS, Mortal, mortal_process
from tests.duplicates.pairs import enter_twin
from tests.duplicates.test_merging import ask, merge
from tests.school import School


@pytest.fixture
def act_until(stack: EmbeddedStack, settings: Settings) -> Iterator[Mortal]:
    with mortal_process(json.loads((stack.directory / "dev-settings.json").read_text())) as act:
        yield act


async def to_merge(school: School) -> ObjectId:
    first, second = await enter_twin(school, native_place="北京", auxiliary_number="X7")
    return await ask(school, first, second, "native_place", "identity_number", "auxiliary_number")


async def to_unmerge(school: School) -> ObjectId:
    first, second = await enter_twin(school, native_place="北京", auxiliary_number="X7")
    case = await merge(school, first, second, "native_place", "identity_number", "auxiliary_number")
    viewer = await school.viewer("director")
    outcome = await unmerge_students(school.store, viewer, case.key, Asking("误并"))
    assert outcome.change_request_id is not None
    return outcome.change_request_id


@pytest.mark.parametrize("prepare", [to_merge, to_unmerge])
async def test_killed_at_any_command_both_records_are_changed_or_neither(
    school: School, act_until: Mortal, prepare: Callable[[School], Awaitable[ObjectId]]
) -> None:
    request = await prepare(school)
    values = {"viewer": "vice-principal", "request": str(request)}
    before = await school.documents()
    await mortal.approve(school.store, await school.viewer("vice-principal"), values)
    whole = await school.counts()
    kills = dict.fromkeys(("nothing", "all"), 0)
    for moment in MOMENTS:
        at = 1
        while True:
            await school.restore(before)
            if not await act_until("approve", values, at, moment):
                break
            at += 1
            is_whole = await school.counts() == whole
            assert is_whole or await school.documents() == before, (moment, at)
            kills["all" if is_whole else "nothing"] += 1
            await school.store.database.client.admin.command("killAllSessions", [])
            assert await records_unlike_history(school.store) == [], (moment, at)
        assert await school.counts() == whole
        assert (await verify_history(school.store, RECORD_TYPES)).sound
    # Both came: it was killed before the commit, and after it.
    assert min(kills.values()) > 0
