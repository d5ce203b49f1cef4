"""Scans into the object store and back, and what a failure leaves: nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId

from api.dev.demo import demo_paper
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import PART_SIZE, ObjectStore, ObjectStoreError
from archive_store.foundation.store import Store
from archive_store.scans.content import open_scan
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import DamagedScanError, new_key
from archive_store.scans.operations import file_scan
from archive_store.scans.pipeline import read_scan, store_scan
from tests.school import School

CHUNK = 16 * 1024
LIMIT = 64 * 1024 * 1024
NAME = "2023级户口簿"


async def body(content: bytes, piece: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), piece):
        yield content[start : start + piece]


def pdf(size: int) -> bytes:
    return (b"%PDF-1.7\n" + os.urandom(size))[:size]


async def stored_objects(objects: ObjectStore) -> set[tuple[str, str]]:
    """Every object version, and uploads that were never completed."""
    versions = await asyncio.to_thread(objects.versions_blocking)
    unfinished = await asyncio.to_thread(objects.unfinished_uploads_blocking)
    return set(versions) | {(key, "unfinished") for key in unfinished}


async def collected(content: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in content])


@pytest.mark.parametrize(
    "size", [9, CHUNK - 1, CHUNK, CHUNK + 1, 512 * 1024, PART_SIZE - 100, PART_SIZE, 2 * PART_SIZE + 1]
)
async def test_round_trip(store: Store, size: int) -> None:
    content, key, scan_id = pdf(size), new_key(), ObjectId()
    kept = await store_scan(store.objects, body(content), scan_id=scan_id, data_key=key, size_limit=LIMIT)
    assert (kept.size, kept.media_type) == (size, "application/pdf")
    assert kept.sha256 == hashlib.sha256(content).hexdigest()
    there = {"object_key": kept.object_key, "object_version": kept.object_version, "scan_id": scan_id}
    assert await collected(read_scan(store.objects, **there, data_key=key)) == content
    with pytest.raises(DamagedScanError):
        await collected(read_scan(store.objects, **there, data_key=new_key()))
    raw = b"".join(await asyncio.to_thread(lambda: list(store.objects.read_blocking(kept.object_key, ""))))
    assert content[:64] not in raw


async def gone(content: bytes) -> AsyncIterator[bytes]:
    async for piece in body(content):
        yield piece
    raise ConnectionResetError


@pytest.mark.parametrize("size", [1000, 3 * PART_SIZE])
@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        (gone, {}, ConnectionResetError),
        (body, {"expected_sha256": "0" * 64}, ErrorCode.DIGEST_MISMATCH),
        (body, {"size_limit": 999}, ErrorCode.TOO_LARGE),
        (lambda content: body(b"MZ" + content), {}, ErrorCode.UNSUPPORTED_MEDIA_TYPE),
        (lambda content: body(b""), {}, ErrorCode.EMPTY_FILE),
    ],
)
async def test_whatever_fails_leaves_nothing(
    store: Store, size: int, source: Callable[..., Any], options: dict[str, Any], expected: object
) -> None:
    before = await stored_objects(store.objects)
    arguments = {"scan_id": ObjectId(), "data_key": new_key(), "size_limit": LIMIT, **options}
    with pytest.raises((RegistrarError, ConnectionResetError)) as caught:
        await store_scan(store.objects, source(pdf(size)), **arguments)
    assert expected in (type(caught.value), getattr(caught.value, "code", None))
    assert await stored_objects(store.objects) == before


async def test_a_cancelled_upload_leaves_nothing(store: Store) -> None:
    before = await stored_objects(store.objects)
    reached = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        async for piece in body(pdf(3 * PART_SIZE)):
            yield piece
        reached.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(
        store_scan(store.objects, stalls(), scan_id=ObjectId(), data_key=new_key(), size_limit=LIMIT)
    )
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await stored_objects(store.objects) == before


async def test_a_reader_who_leaves_early_frees_the_connection(store: Store) -> None:
    content, key, scan_id = pdf(4 * PART_SIZE), new_key(), ObjectId()
    kept = await store_scan(store.objects, body(content), scan_id=scan_id, data_key=key, size_limit=LIMIT)
    for _ in range(30):
        reading = read_scan(
            store.objects,
            object_key=kept.object_key,
            object_version=kept.object_version,
            scan_id=scan_id,
            data_key=key,
        )
        assert (await anext(reading))[:5] == b"%PDF-"
        await reading.aclose()  # type: ignore[attr-defined]
    await store.objects.probe()


async def filed(school: School, content: bytes, subject: str = "archive", name: str = NAME) -> Scan:
    student = await school.student()
    return await file_scan(school.store, await school.viewer(subject), student.key, name, body(content))


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
    with pytest.raises(ObjectStoreError):
        await school.store.objects.remove(scan.object_key, scan.object_version)
    _, content = await open_scan(school.store, await school.viewer("director"), scan.key)
    assert (await collected(content))[:5] == b"%PDF-"


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
    await scans.update_one({"_id": scan.key}, {"$set": {"object_key": "scans/none"}})
    with pytest.raises(ObjectStoreError):
        await open_scan(school.store, await school.viewer("director"), scan.key)


async def test_a_reader_cancelled_in_the_middle_frees_everything(store: Store) -> None:
    content, key, scan_id = pdf(6 * PART_SIZE), new_key(), ObjectId()
    kept = await store_scan(store.objects, body(content), scan_id=scan_id, data_key=key, size_limit=LIMIT)
    for number in range(20):
        reading = read_scan(
            store.objects,
            object_key=kept.object_key,
            object_version=kept.object_version,
            scan_id=scan_id,
            data_key=key,
        )
        task = asyncio.create_task(collected(reading))
        await asyncio.sleep(number / 1000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await store.objects.probe()


async def test_a_scan_of_another_keyring_says_so(school: School) -> None:
    scan = await filed(school, pdf(100))
    files = school.store.database.mongo["archive_files"]
    await files.update_one({}, {"$set": {"root_key_id": "another"}})
    with pytest.raises(DamagedScanError, match="another"):
        await open_scan(school.store, await school.viewer("director"), scan.key)
