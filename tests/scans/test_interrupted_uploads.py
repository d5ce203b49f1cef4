"""Uploads that are interrupted anywhere go on at the byte that was acknowledged, and leave nothing beside the file."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from bson import ObjectId

from api.dev.demo import demo_paper
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStore, ObjectStoreError
from archive_store.scans import receiving
from archive_store.scans.checksums import Checksum
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import ScanKey
from archive_store.scans.keys import scan_data_key
from archive_store.scans.pipeline import LEAST_SEGMENT
from archive_store.scans.removal import objects_of
from archive_store.scans.segments import SEGMENT_SIZE, read_content
from archive_store.scans.upload_documents import UPLOADS, Upload, UploadStatus
from archive_store.scans.uploads import (
    abandon_upload,
    begin_upload,
    find_upload,
    finish_left,
    receive,
    remove_expired,
)
from tests.scans.test_pipeline import NAME, body, pdf, read_whole, refused, stored_objects
from tests.school import School


class _GoneError(Exception):
    pass


async def cut_off(content: bytes) -> AsyncIterator[bytes]:
    async for piece in body(content):
        yield piece
    raise _GoneError


async def begun(school: School, length: int, **options: Any) -> Upload:
    student, viewer = await school.student(), await school.viewer("archive")
    return await begin_upload(school.store, viewer, student.key, NAME, length=length, **options)


async def sent(school: School, upload: Upload, offset: int, content: bytes, **options: Any) -> Upload:
    return await receive(
        school.store, await school.viewer("archive"), upload.id, offset, body(content), **options
    )


async def filed_scan(school: School, upload_id: ObjectId) -> Scan:
    row = await school.store.database.collection(Scan).find_one({"_id": upload_id})
    assert row is not None
    return Scan.model_validate(row)


async def objects_beside(school: School, scan: Scan) -> set[tuple[str, str]]:
    named = objects_of(scan)
    found = {found for found in await stored_objects(school.store.objects) if str(scan.key) in found[0]}
    assert set(named) <= found
    return found - set(named)


@pytest.mark.parametrize("keeps_digest", [True, False], ids=["same process", "another process"])
async def test_an_upload_in_many_pieces_is_the_file(school: School, keeps_digest: bool) -> None:
    chance = random.Random(7)
    content = pdf(2 * SEGMENT_SIZE + 3 * LEAST_SEGMENT + 12_345)
    upload = await begun(school, len(content))
    sizes = [1, 5000, 16384, LEAST_SEGMENT - 1, LEAST_SEGMENT + 1, SEGMENT_SIZE + 1]
    offset = 0
    while offset < len(content):
        piece = content[offset : offset + chance.choice(sizes)]
        was_cut_off = chance.random() < 0.5 and offset + len(piece) < len(content)
        if not keeps_digest:
            receiving._digests.clear()
        if was_cut_off:
            with pytest.raises(_GoneError):
                await receive(school.store, await school.viewer("archive"), upload.id, offset, cut_off(piece))
        else:
            await sent(school, upload, offset, piece)
        offset += len(piece)
        found = await find_upload(school.store, await school.viewer("archive"), upload.id)
        assert found.offset == offset
    scan = await filed_scan(school, upload.id)
    assert (scan.size, scan.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert await read_whole(school, scan) == content
    assert await objects_beside(school, scan) == set()


async def test_a_failing_store_loses_nothing_that_was_acknowledged(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pdf(3 * SEGMENT_SIZE)
    upload = await begun(school, len(content))
    stores = ObjectStore.put_blocking
    left = 2

    def put(self: ObjectStore, key: str, plain: bytes) -> str:
        nonlocal left
        left -= 1
        if left < 0:
            raise ObjectStoreError("down")
        return stores(self, key, plain)

    monkeypatch.setattr(ObjectStore, "put_blocking", put)
    with pytest.raises(ObjectStoreError):
        await sent(school, upload, 0, content)
    monkeypatch.undo()
    found = await find_upload(school.store, await school.viewer("archive"), upload.id)
    assert found.offset in (0, SEGMENT_SIZE, 2 * SEGMENT_SIZE)
    assert found.offset < len(content)
    done = await sent(school, upload, found.offset, content[found.offset :])
    assert done.status is UploadStatus.FILED
    scan = await filed_scan(school, upload.id)
    assert await read_whole(school, scan) == content
    assert await objects_beside(school, scan) == set()


async def test_a_body_with_another_checksum_leaves_the_upload_as_it_was(school: School) -> None:
    content = pdf(SEGMENT_SIZE + 2 * LEAST_SEGMENT)
    upload = await begun(school, len(content))
    await sent(school, upload, 0, content[:5000])
    part = content[5000 : SEGMENT_SIZE + LEAST_SEGMENT]
    wrong = Checksum("sha1", hashlib.sha1(b"other", usedforsecurity=False).digest())
    assert await refused(sent(school, upload, 5000, part, checksum=wrong)) is ErrorCode.CHECKSUM_MISMATCH
    assert (await find_upload(school.store, await school.viewer("archive"), upload.id)).offset == 5000
    right = Checksum("sha1", hashlib.sha1(part, usedforsecurity=False).digest())
    after = await sent(school, upload, 5000, part, checksum=right)
    assert after.offset == 5000 + len(part)
    await sent(school, upload, after.offset, content[after.offset :])
    scan = await filed_scan(school, upload.id)
    assert await read_whole(school, scan) == content
    assert await objects_beside(school, scan) == set()


async def test_one_request_at_a_time_brings_bytes(school: School) -> None:
    content = pdf(50_000)
    upload, viewer = await begun(school, len(content)), await school.viewer("archive")
    goes_on, began = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield content[:10_000]
        began.set()
        await goes_on.wait()
        yield content[10_000:]

    first = asyncio.create_task(receive(school.store, viewer, upload.id, 0, slow()))
    await began.wait()
    for awaited in (
        sent(school, upload, 0, content),
        abandon_upload(school.store, viewer, upload.id),
    ):
        assert await refused(awaited) is ErrorCode.LOCKED
    assert await remove_expired(school.store, school.store.clock.now() + timedelta(days=9)) == 0
    goes_on.set()
    assert (await first).status is UploadStatus.FILED


async def test_who_lost_the_hold_changes_nothing(school: School) -> None:
    content = pdf(3 * SEGMENT_SIZE)
    upload, viewer = await begun(school, len(content)), await school.viewer("archive")
    uploads = school.store.database.mongo[UPLOADS]

    async def overtaken() -> AsyncIterator[bytes]:
        yield content[:10_000]
        await uploads.update_one({"_id": upload.id}, {"$set": {"holder": "another"}})
        yield content[10_000:]

    assert await refused(receive(school.store, viewer, upload.id, 0, overtaken())) is ErrorCode.TRY_AGAIN
    row = await uploads.find_one({"_id": upload.id})
    assert row is not None
    assert (row["offset"], row["segments"], row["holder"]) == (0, [], "another")


async def test_an_upload_goes_on_where_it_stands_only(school: School) -> None:
    upload = await begun(school, 50_000)
    await sent(school, upload, 0, pdf(20_000))
    for offset in (0, 19_999, 20_001, 50_000):
        assert await refused(sent(school, upload, offset, b"x")) is ErrorCode.OFFSET_MISMATCH
    assert await refused(sent(school, upload, 20_000, bytes(30_001))) is ErrorCode.TOO_LARGE
    assert (await find_upload(school.store, await school.viewer("archive"), upload.id)).offset == 20_000


async def test_an_upload_is_its_owners_alone(school: School) -> None:
    upload = await begun(school, 50_000)
    for subject, code in (("director", ErrorCode.NOT_FOUND), ("logistics", ErrorCode.FORBIDDEN)):
        viewer = await school.viewer(subject)
        for awaited in (
            find_upload(school.store, viewer, upload.id),
            receive(school.store, viewer, upload.id, 0, body(pdf(50_000))),
            abandon_upload(school.store, viewer, upload.id),
        ):
            assert await refused(awaited) is code


async def test_a_refused_upload_says_why_again_and_keeps_no_bytes(school: School) -> None:
    before = await stored_objects(school.store.objects)
    upload = await begun(school, 20_000)
    refusal = await refused(sent(school, upload, 0, b"MZ" + bytes(19_998)))
    assert refusal is ErrorCode.UNSUPPORTED_MEDIA_TYPE
    digest = await begun(school, 20_000, expected_sha256="0" * 64)
    assert await refused(sent(school, digest, 0, pdf(20_000))) is ErrorCode.DIGEST_MISMATCH
    assert await refused(sent(school, digest, 20_000, b"")) is ErrorCode.DIGEST_MISMATCH
    found = await find_upload(school.store, await school.viewer("archive"), digest.id)
    assert (found.status, found.segments, found.wrapped_key) == (UploadStatus.REFUSED, [], None)
    assert await stored_objects(school.store.objects) == before
    assert await school.store.database.collection(Scan).count_documents({}) == 0


async def test_uploads_left_behind_are_removed_with_all_that_is_stored_of_them(school: School) -> None:
    before = await stored_objects(school.store.objects)
    upload = await begun(school, 3 * SEGMENT_SIZE)
    await sent(school, upload, 0, pdf(SEGMENT_SIZE + 100_000))
    assert await stored_objects(school.store.objects) > before
    now = school.store.clock.now()
    assert await remove_expired(school.store, now + timedelta(hours=47)) == 0
    assert await remove_expired(school.store, now + timedelta(hours=49)) == 1
    assert await stored_objects(school.store.objects) == before
    viewer = await school.viewer("archive")
    assert await refused(find_upload(school.store, viewer, upload.id)) is ErrorCode.NOT_FOUND


async def test_an_abandoned_upload_leaves_nothing(school: School) -> None:
    before = await stored_objects(school.store.objects)
    upload = await begun(school, 3 * SEGMENT_SIZE)
    await sent(school, upload, 0, pdf(SEGMENT_SIZE + 100_000))
    await abandon_upload(school.store, await school.viewer("archive"), upload.id)
    assert await stored_objects(school.store.objects) == before


async def test_an_expired_upload_that_is_filed_leaves_its_scan(school: School) -> None:
    content = pdf(100_000)
    upload = await begun(school, len(content))
    await sent(school, upload, 0, content)
    assert await remove_expired(school.store, school.store.clock.now() + timedelta(days=9)) == 1
    assert await read_whole(school, await filed_scan(school, upload.id)) == content


@pytest.mark.parametrize("step", ["_check", "_index", "record_scan", "_file"])
async def test_an_intake_that_was_cut_off_is_finished_by_the_worker(
    school: School, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    import archive_store.scans.intake as intake

    content = pdf(100_000)
    upload = await begun(school, len(content))

    async def cut(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(intake, step, cut)
    with pytest.raises(RuntimeError):
        await sent(school, upload, 0, content)
    monkeypatch.undo()
    # By the last step it is filed.
    assert await finish_left(school.store, school.store.clock.now()) == (step != "_file")
    scan = await filed_scan(school, upload.id)
    assert scan.uploaded_by == (await school.viewer("archive")).person_id
    assert await read_whole(school, scan) == content
    assert await objects_beside(school, scan) == set()
    entries = school.store.database.mongo["audit_entries"]
    assert await entries.count_documents({"subject_id": scan.key, "kind": "scan:file"}) == 1
    assert await finish_left(school.store, school.store.clock.now()) == 0


async def test_a_worker_files_in_the_name_and_by_the_rights_of_who_uploaded(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    import archive_store.scans.intake as intake

    content, viewer = pdf(100_000), await school.viewer("archive")
    upload = await begun(school, len(content))

    async def cut(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(intake, "_check", cut)
    with pytest.raises(RuntimeError):
        await sent(school, upload, 0, content)
    monkeypatch.undo()
    grants = school.store.database.mongo["role_grants"]
    await grants.update_many({"person_id": viewer.person_id}, {"$set": {"valid_to": "2020-01-01"}})
    assert await finish_left(school.store, school.store.clock.now()) == 0
    row = await school.store.database.mongo[UPLOADS].find_one({"_id": upload.id})
    assert row is not None
    assert (row["status"], row["refusal"]["code"]) == ("REFUSED", "forbidden")


def overtake_before_filing(
    school: School, monkeypatch: pytest.MonkeyPatch, upload: Upload, overtake: Callable[[], Awaitable[object]]
) -> None:
    """Whoever files the upload next sleeps before so long that their hold runs out, and `overtake` comes first."""
    import archive_store.scans.intake as intake

    files = intake.record_scan

    async def late(*arguments: Any) -> Scan:
        monkeypatch.undo()
        await school.store.database.mongo[UPLOADS].update_one(
            {"_id": upload.id}, {"$set": {"held_until": school.store.clock.now() - timedelta(seconds=1)}}
        )
        await overtake()
        return await files(*arguments)

    monkeypatch.setattr(intake, "record_scan", late)


async def test_an_upload_given_up_meanwhile_is_not_filed(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, content = await stored_objects(school.store.objects), pdf(100_000)
    upload, viewer = await begun(school, len(content)), await school.viewer("archive")

    overtake_before_filing(
        school, monkeypatch, upload, lambda: abandon_upload(school.store, viewer, upload.id)
    )
    assert await refused(sent(school, upload, 0, content)) is ErrorCode.TRY_AGAIN
    assert await school.store.database.collection(Scan).count_documents({}) == 0
    assert await stored_objects(school.store.objects) == before


async def test_an_upload_filed_by_another_meanwhile_is_filed_once(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = demo_paper("PDF", pages=1)
    upload = await begun(school, len(content))
    finish_first = partial(finish_left, school.store, school.store.clock.now())
    overtake_before_filing(school, monkeypatch, upload, finish_first)
    await sent(school, upload, 0, content)
    scan = await filed_scan(school, upload.id)
    assert await read_whole(school, scan) == content
    assert scan.preview is not None
    assert await remove_expired(school.store, school.store.clock.now() + timedelta(days=9)) == 1
    assert await objects_beside(school, scan) == set()
    entries = school.store.database.mongo["audit_entries"]
    assert await entries.count_documents({"subject_id": scan.key, "kind": "scan:file"}) == 1


async def test_the_same_bytes_again_are_warned_of(school: School) -> None:
    content = pdf(30_000)
    found = []
    for _ in range(2):
        upload = await begun(school, len(content))
        found.append((await sent(school, upload, 0, content)).findings)
    assert [[finding.code for finding in findings] for findings in found][1][-1] == "DUPLICATE"
    assert "DUPLICATE" not in [finding.code for finding in found[0]]


async def test_a_range_reads_the_chunks_that_hold_it_and_no_more(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pdf(2 * SEGMENT_SIZE + 100_000)
    upload = await begun(school, len(content))
    await sent(school, upload, 0, content)
    scan = await filed_scan(school, upload.id)
    key = ScanKey(scan.cipher, await scan_data_key(school.store, scan.key))
    reads, gets = 0, ObjectStore.get_blocking

    def get(self: ObjectStore, *arguments: Any) -> bytes:
        nonlocal reads
        reads += len(stored := gets(self, *arguments))
        return stored

    monkeypatch.setattr(ObjectStore, "get_blocking", get)
    chance = random.Random(3)
    for _ in range(40):
        start = chance.randrange(len(content))
        end = min(len(content), start + chance.choice([1, 100, 16_384, 40_000]))
        reads = 0
        pieces = read_content(school.store.objects, scan.content(key), start, end)
        assert b"".join([piece async for piece in pieces]) == content[start:end]
        # Two chunks more than the range may touch, twice where it goes over the end of a segment.
        assert reads <= end - start + 4 * 16_400 + 2 * 74


async def test_scans_under_the_national_cipher_lie_beside_the_others(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [demo_paper("PDF", pages=1), pdf(SEGMENT_SIZE + 70_000)]
    filed = []
    for cipher in ("SM4_GCM", "AES_256_GCM"):
        monkeypatch.setitem(school.store.settings.__dict__, "scan_cipher", cipher)
        for content in contents:
            upload = await begun(school, len(content))
            await sent(school, upload, 0, content[:9_000])
            await sent(school, upload, 9_000, content[9_000:])
            filed.append(await filed_scan(school, upload.id))
    assert [scan.cipher for scan in filed] == ["SM4_GCM"] * 2 + ["AES_256_GCM"] * 2
    for scan, content in zip(filed, contents * 2, strict=True):
        assert await read_whole(school, scan) == content
    assert filed[0].preview is not None


async def test_too_many_uploads_are_not_begun(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    import archive_store.scans.uploads as uploads

    monkeypatch.setattr(uploads, "OPEN_UPLOADS_LIMIT", 3)
    for _ in range(3):
        await begun(school, 100)
    with pytest.raises(RegistrarError) as caught:
        await begun(school, 100)
    assert caught.value.code is ErrorCode.TOO_MANY
