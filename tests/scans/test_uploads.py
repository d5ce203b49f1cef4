"""Uploads that last: how many are open at once, and what holds at their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import archive_store.scans.places as places
from archive_store.foundation.errors import ErrorCode
from archive_store.scans.documents import Scan
from archive_store.scans.uploads import file_scan
from tests.scans.test_pipeline import NAME, filed, pdf, refused, stored_objects
from tests.school import School


class Stalled:
    """Uploads that began and do not go on until they are let."""

    def __init__(self, school: School) -> None:
        self._school = school
        self._goes_on = asyncio.Event()
        self._tasks: list[asyncio.Task[Scan]] = []

    async def begin(self, subject: str, count: int) -> None:
        student, viewer = await self._school.student(), await self._school.viewer(subject)
        for _ in range(count):
            begun = asyncio.Event()
            filing = file_scan(self._school.store, viewer, student.key, NAME, self._body(begun))
            self._tasks.append(asyncio.create_task(filing))
            await asyncio.wait_for(begun.wait(), 5)

    async def _body(self, begun: asyncio.Event) -> AsyncIterator[bytes]:
        yield pdf(600_000)
        begun.set()
        await self._goes_on.wait()

    async def end(self) -> list[Scan]:
        self._goes_on.set()
        return await asyncio.gather(*self._tasks)


async def test_one_person_has_few_uploads_open_and_keeps_no_other_from_theirs(school: School) -> None:
    stalled = Stalled(school)
    await stalled.begin("archive", places.PLACES_OF_A_PERSON)
    assert await asyncio.wait_for(refused(filed(school, pdf(100))), 1) is ErrorCode.TRY_AGAIN
    assert (await filed(school, pdf(100), "director")).size == 100
    assert len(await stalled.end()) == places.PLACES_OF_A_PERSON
    assert (await filed(school, pdf(100))).size == 100


async def test_where_all_places_are_taken_the_answer_is_at_once(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "PLACES", 3)
    stalled = Stalled(school)
    await stalled.begin("archive", 2)
    await stalled.begin("information", 1)
    before = await stored_objects(school.store.objects)
    assert await asyncio.wait_for(refused(filed(school, pdf(100), "director")), 1) is ErrorCode.TRY_AGAIN
    assert await stored_objects(school.store.objects) == before
    await stalled.end()
    assert (await filed(school, pdf(100), "director")).size == 100


async def test_uploads_that_fail_give_their_places_back(school: School) -> None:
    for _ in range(places.PLACES_OF_A_PERSON + 1):
        assert await refused(filed(school, b"MZ")) is ErrorCode.UNSUPPORTED_MEDIA_TYPE
    assert (await filed(school, pdf(100))).size == 100


async def test_a_post_that_ends_during_the_upload_files_nothing(school: School) -> None:
    viewer, student = await school.viewer("archive"), await school.student()
    before, objects = await school.counts(), await stored_objects(school.store.objects)

    async def body() -> AsyncIterator[bytes]:
        yield pdf(600_000)
        grants = school.store.database.mongo["role_grants"]
        await grants.update_many({"person_id": viewer.person_id}, {"$set": {"valid_to": "2020-01-01"}})
        yield b"the rest"

    filing = file_scan(school.store, viewer, student.key, NAME, body())
    assert await refused(filing) is ErrorCode.FORBIDDEN
    assert await school.counts() == before
    assert await stored_objects(school.store.objects) == objects


async def test_a_person_who_is_gone_at_the_end_of_the_upload_files_nothing(school: School) -> None:
    viewer, student = await school.viewer("archive"), await school.student()
    objects = await stored_objects(school.store.objects)

    async def body() -> AsyncIterator[bytes]:
        yield pdf(600_000)
        await school.store.database.mongo["persons"].delete_one({"_id": viewer.person_id})

    filing = file_scan(school.store, viewer, student.key, NAME, body())
    assert await refused(filing) is ErrorCode.FORBIDDEN
    assert await stored_objects(school.store.objects) == objects
