"""The clock's listing of a campaign's students: broken off and gone on with, and kept to the records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.semester_verification import listing
from archive_store.semester_verification.counts import left_of
from archive_store.semester_verification.documents import ROLL, CampaignStatus
from archive_store.semester_verification.listing import PASSES, list_due
from archive_store.semester_verification.queries import progress
from archive_store.students.documents import Student
from tests.crisis.teams import later
from tests.school import School
from tests.semester_verification.campaigns import (
    HOMEROOM,
    OTHER,
    campaign_of,
    confirm,
    item_of,
    open_campaign,
    running,
    seen,
    today,
)


class KilledError(Exception):
    pass


async def _change(school: School, position: int, **values: Any) -> ObjectId:
    student = await school.student(position)
    students = school.store.database.collection(Student)
    await students.update_one({"_id": student.key}, {"$set": values})
    return student.key


@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_a_killed_pass_goes_on(school: School, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Killed before its n-th chunk, or between the last one and the beginning of the campaign."""
    monkeypatch.setattr(listing, "CHUNK", 2)
    campaign = await open_campaign(school)
    whole = listing._list
    done: list[int] = []

    async def killed(*given: Any) -> None:
        if len(done) == after:
            raise KilledError
        done.append(len(given[2]))
        await whole(*given)

    async def not_begun(*_: Any) -> None:
        raise KilledError

    monkeypatch.setattr(listing, "_list", killed)
    if after == 3:
        monkeypatch.setattr(listing, "governed_transaction", not_begun)
    with pytest.raises(KilledError):
        await list_due(school.store, school.store.clock.now())
    assert (await campaign_of(school, campaign)).status is CampaignStatus.SCHEDULED
    assert await seen(school, "teacher", campaign) is not None
    monkeypatch.undo()
    monkeypatch.setattr(listing, "CHUNK", 2)
    listed = await list_due(school.store, school.store.clock.now())
    assert listed == 6 - sum(done)
    assert (await campaign_of(school, campaign)).status is CampaignStatus.OPEN
    assert await school.store.database.mongo[ROLL].count_documents({"campaign_id": campaign}) == 6
    assert await list_due(school.store, school.store.clock.now()) == 0


async def test_a_chunk_listed_twice_is_listed_once(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after a chunk was written and before its place was noted."""
    campaign = await running(school)
    passes = school.store.database.mongo[PASSES]
    await passes.update_one({"_id": campaign}, {"$set": {"through": None, "finished_at": None}})
    own = await seen(school, "teacher", campaign)
    await confirm(school, "teacher", own[0])
    await list_due(school.store, school.store.clock.now())
    assert await school.store.database.mongo[ROLL].count_documents({"campaign_id": campaign}) == 6
    assert (await left_of(school.store, campaign)).verified == 1


async def test_it_begins_on_its_first_day(school: School) -> None:
    day = today(school) + timedelta(days=3)
    campaign = await open_campaign(school, opens_on=day)
    assert await list_due(school.store, school.store.clock.now()) == 0
    assert (await campaign_of(school, campaign)).status is CampaignStatus.SCHEDULED
    soon = later(school, days=3)
    assert await list_due(soon.store, soon.store.clock.now()) == 6
    assert (await campaign_of(school, campaign)).status is CampaignStatus.OPEN


async def test_later_passes_follow_the_records(school: School) -> None:
    left = await _change(school, 1, status="TRANSFERRED_OUT")
    campaign = await running(school)
    assert (await left_of(school.store, campaign)).total == 5
    own = await seen(school, "teacher", campaign)
    gone = await item_of(school, campaign, 2)
    await confirm(school, "teacher", gone.key)
    await _change(school, 1, status="ENROLLED")
    await _change(school, 0, status="GRADUATED")
    await _change(school, 2, status="GRADUATED")
    await _change(school, 3, class_name=HOMEROOM)
    assert await list_due(school.store, school.store.clock.now()) == 0
    soon = later(school, hours=2)
    assert await list_due(soon.store, soon.store.clock.now()) == 4
    rows = await school.store.database.mongo[ROLL].find({"campaign_id": campaign}).to_list()
    students = {row["student_id"]: row for row in rows}
    # Who graduated before anybody looked is left out; what was said of another stays.
    assert (await school.student(0)).key not in students
    assert students[gone.student_id]["state"] == "VERIFIED"
    assert left in students
    assert students[(await school.student(3)).key]["class_name"] == HOMEROOM
    assert len(own) == 2


async def test_who_changed_class_is_out_of_sight_at_once(school: School) -> None:
    """The roll is an hour behind at most; whom one sees is not."""
    campaign = await running(school)
    moved = await item_of(school, campaign, 0)
    assert moved.key in await seen(school, "teacher", campaign)
    await _change(school, 0, class_name=OTHER)
    assert moved.key not in await seen(school, "teacher", campaign)
    assert moved.key not in await seen(school, "director", campaign, class_name=HOMEROOM)


async def test_pages_go_on_where_rows_are_out_of_sight(school: School) -> None:
    from archive_store.semester_verification.queries import list_items

    campaign = await running(school)
    for position in (0, 1):
        await _change(school, position, class_name=OTHER)
    teacher = await school.viewer("teacher")
    page = await list_items(school.store, teacher, campaign, first=1)
    assert [view.student_id for view in page.rows] == [(await school.student(2)).key]
    assert not page.has_next


async def test_progress_by_class(school: School) -> None:
    campaign = await running(school)
    await confirm(school, "teacher", (await item_of(school, campaign, 0)).key)
    director = await school.viewer("director")
    page = await progress(school.store, director, campaign, first=1)
    (first,) = page.rows
    assert (first.class_name, first.total, first.verified, first.pending) == (HOMEROOM, 3, 1, 2)
    assert page.has_next
    page = await progress(school.store, director, campaign, first=1, after=HOMEROOM)
    assert [(row.class_name, row.total) for row in page.rows] == [(OTHER, 3)]
    assert not page.has_next
