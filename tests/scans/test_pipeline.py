"""Scans into the object store and back, and what a failure leaves: nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from api.dev.demo import demo_paper
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStore, ObjectStoreError
from archive_store.scans.chunked_encryption import CHUNK_SIZE
from archive_store.scans.content import open_scan
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import DamagedScanError
from archive_store.scans.segments import SEGMENT_SIZE, scan_prefix
from archive_store.scans.uploads import file_scan
from tests.school import School

NAME = "2023级户口簿"


async def body(content: bytes, piece: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), piece):
        yield content[start : start + piece]


def pdf(size: int) -> bytes:
    return (b"%PDF-1.7\n" + os.urandom(size))[:size]


async def stored_objects(objects: ObjectStore) -> set[tuple[str, str]]:
    """Every object version."""
    return set(await objects.versions(""))


async def collected(content: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in content])


async def read_whole(school: School, scan: Scan) -> bytes:
    _, content = await open_scan(school.store, await school.viewer("director"), scan.key)
    return await collected(content)


@pytest.mark.parametrize(
    "size",
    [
        9,
        CHUNK_SIZE - 1,
        CHUNK_SIZE,
        CHUNK_SIZE + 1,
        SEGMENT_SIZE - 1,
        SEGMENT_SIZE,
        SEGMENT_SIZE + 1,
        2 * SEGMENT_SIZE,
    ],
)
@pytest.mark.parametrize("tells_length", [True, False])
async def test_round_trip(school: School, size: int, tells_length: bool) -> None:
    content = pdf(size)
    scan = await filed(school, content, length=size if tells_length else None)
    assert (scan.size, scan.media_type) == (size, "application/pdf")
    assert scan.sha256 == hashlib.sha256(content).hexdigest()
    # A last segment of its own closes a file whose length was not told.
    assert len(scan.segments) == -(-size // SEGMENT_SIZE) + (not tells_length)
    assert await read_whole(school, scan) == content
    _, version = scan.segments[0].size, scan.segments[0].object_version
    raw = await asyncio.to_thread(school.store.objects.get_blocking, f"scans/{scan.key}/000000", version)
    assert content[:64] not in raw


async def gone(content: bytes) -> AsyncIterator[bytes]:
    async for piece in body(content):
        yield piece
    raise ConnectionResetError


@pytest.mark.parametrize("size", [1000, 3 * SEGMENT_SIZE])
@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        (gone, {}, ConnectionResetError),
        (body, {"expected_sha256": "0" * 64}, ErrorCode.DIGEST_MISMATCH),
        (body, {"length": 999}, ErrorCode.TOO_LARGE),
        (body, {"length": 4 * SEGMENT_SIZE}, ErrorCode.TIMED_OUT),
        (lambda content: body(b"MZ" + content), {}, ErrorCode.UNSUPPORTED_MEDIA_TYPE),
        (lambda content: body(b""), {}, ErrorCode.EMPTY_FILE),
    ],
)
async def test_whatever_fails_leaves_nothing(
    school: School, size: int, source: Callable[..., Any], options: dict[str, Any], expected: object
) -> None:
    student, viewer = await school.student(), await school.viewer("archive")
    before, objects = await school.counts(), await stored_objects(school.store.objects)
    with pytest.raises((RegistrarError, ConnectionResetError)) as caught:
        await file_scan(school.store, viewer, student.key, NAME, source(pdf(size)), **options)
    assert expected in (type(caught.value), getattr(caught.value, "code", None))
    assert await school.counts() == before
    assert await stored_objects(school.store.objects) == objects


async def test_a_cancelled_upload_leaves_nothing(school: School) -> None:
    student, viewer = await school.student(), await school.viewer("archive")
    before, objects = await school.counts(), await stored_objects(school.store.objects)
    reached = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        async for piece in body(pdf(3 * SEGMENT_SIZE)):
            yield piece
        reached.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(file_scan(school.store, viewer, student.key, NAME, stalls()))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await school.counts() == before
    assert await stored_objects(school.store.objects) == objects


async def test_a_file_over_the_limit_is_refused_however_it_is_told(school: School) -> None:
    school.store.settings.__dict__["scan_size_limit"] = 100_000
    try:
        for length in (None, 100_001):
            assert await refused(filed(school, pdf(100_001), length=length)) is ErrorCode.TOO_LARGE
        assert (await filed(school, pdf(100_000))).size == 100_000
    finally:
        school.store.settings.__dict__["scan_size_limit"] = 2048 * 1024 * 1024


async def test_a_reader_who_leaves_early_frees_everything(school: School) -> None:
    content = pdf(4 * SEGMENT_SIZE)
    scan, director = await filed(school, content), await school.viewer("director")
    for _ in range(30):
        _, reading = await open_scan(school.store, director, scan.key)
        assert (await anext(reading))[:5] == b"%PDF-"
        await reading.aclose()
    assert await read_whole(school, scan) == content


async def filed(
    school: School, content: bytes, subject: str = "archive", name: str = NAME, **options: Any
) -> Scan:
    student = await school.student()
    return await file_scan(
        school.store, await school.viewer(subject), student.key, name, body(content), **options
    )


async def test_a_filed_scan_comes_back_to_the_director_and_each_view_is_told(school: School) -> None:
    paper = demo_paper("TIFF", pages=2)
    scan = await filed(school, paper)
    assert (scan.document_type, scan.cohort, scan.batch, scan.page_count) == ("户口簿", 2023, 1, 2)
    director = await school.viewer("director")
    told, content = await open_scan(school.store, director, scan.key)
    assert told.sha256 == hashlib.sha256(paper).hexdigest()
    assert await collected(content) == paper
    entries = school.store.database.mongo["audit_entries"]
    kinds = [row["kind"] async for row in entries.find({"subject_id": scan.key}).sort("sequence", 1)]
    assert kinds == ["scan:file", "scan:view"]
    view = await entries.find_one({"kind": "scan:view"})
    assert view is not None
    assert view["actor_name"] == director.name


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        ("archive", ErrorCode.FORBIDDEN),
        ("information", ErrorCode.FORBIDDEN),
        ("vice-principal", ErrorCode.FORBIDDEN),
        ("academic-affairs", ErrorCode.FORBIDDEN),
        ("service", ErrorCode.FORBIDDEN),
        ("logistics", ErrorCode.NOT_FOUND),
        ("analysis", ErrorCode.NOT_FOUND),
    ],
)
async def test_who_may_not_read_a_scan(school: School, subject: str, code: ErrorCode) -> None:
    scan = await filed(school, demo_paper("PDF", pages=1))
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await open_scan(school.store, await school.viewer(subject), scan.key)
    assert caught.value.code is code
    assert await school.counts() == before


async def refused(awaited: Awaitable[object]) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await awaited
    return caught.value.code


async def test_who_may_not_file_learns_nothing_and_leaves_nothing(school: School) -> None:
    before, objects = await school.counts(), await stored_objects(school.store.objects)
    for subject in ("teacher", "academic-affairs", "service", "principal", "analysis"):
        assert await refused(filed(school, pdf(100), subject)) is ErrorCode.FORBIDDEN
    assert await refused(filed(school, pdf(100), name="whatever.pdf")) is ErrorCode.INVALID_FILE_NAME
    assert await school.counts() == before
    assert await stored_objects(school.store.objects) == objects


async def test_a_scan_that_cannot_be_recorded_is_not_kept(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    import archive_store.audit.governed_transaction as governed

    await filed(school, pdf(100))
    before, objects = await school.counts(), await stored_objects(school.store.objects)

    async def fail(unit: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(governed, "_insert_notifications", fail)
    with pytest.raises(RuntimeError):
        await filed(school, pdf(100))
    assert await school.counts() == before
    assert await stored_objects(school.store.objects) == objects


async def test_the_first_scans_of_a_student_at_once_share_one_archive_file(school: School) -> None:
    scans = await asyncio.gather(*(filed(school, pdf(5000)) for _ in range(4)))
    assert len({scan.archive_file_id for scan in scans}) == 1
    assert (await school.counts())["archive_files"] == 1


async def test_a_filed_scan_cannot_be_removed_from_the_store(school: School) -> None:
    scan = await filed(school, pdf(100))
    for key, version in await school.store.objects.versions(scan_prefix(scan.key)):
        with pytest.raises(ObjectStoreError):
            await school.store.objects.remove(key, version)
    assert (await read_whole(school, scan))[:5] == b"%PDF-"


async def test_a_refused_first_scan_opens_no_archive_file(school: School) -> None:
    before = await school.counts()
    assert await refused(filed(school, b"MZ" + bytes(100))) is ErrorCode.UNSUPPORTED_MEDIA_TYPE
    assert await school.counts() == before


async def test_a_file_name_names_no_other_student(school: School) -> None:
    mine, other = await school.student(0), await school.student(1)
    scan = await filed(school, pdf(100), name=f"2023级户口簿-{mine.auxiliary_number}")
    assert scan.file_name.endswith(str(mine.auxiliary_number))
    for number in (other.auxiliary_number, mine.national_student_number):
        assert (
            await refused(filed(school, pdf(100), name=f"2023级户口簿-{number}"))
            is ErrorCode.INVALID_FILE_NAME
        )


async def test_an_object_that_is_gone_is_an_error_before_the_first_byte(school: School) -> None:
    scan = await filed(school, pdf(100))
    scans = school.store.database.collection(Scan)
    await scans.update_one({"_id": scan.key}, {"$set": {"segments.0.object_version": "none"}})
    with pytest.raises(ObjectStoreError):
        await open_scan(school.store, await school.viewer("director"), scan.key)


async def test_a_reader_cancelled_in_the_middle_frees_everything(school: School) -> None:
    content = pdf(6 * SEGMENT_SIZE)
    scan, director = await filed(school, content), await school.viewer("director")
    for number in range(20):
        _, reading = await open_scan(school.store, director, scan.key)
        task = asyncio.create_task(collected(reading))
        await asyncio.sleep(number / 1000)
        # On a fast machine the last ones have read all of it by then.
        if task.cancel() or number == 0:
            with pytest.raises(asyncio.CancelledError):
                await task
    assert await read_whole(school, scan) == content


async def test_a_scan_of_another_keyring_says_so(school: School) -> None:
    scan = await filed(school, pdf(100))
    files = school.store.database.mongo["archive_files"]
    await files.update_one({}, {"$set": {"root_key_id": "another"}})
    with pytest.raises(DamagedScanError, match="another"):
        await open_scan(school.store, await school.viewer("director"), scan.key)
