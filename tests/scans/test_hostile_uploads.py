"""Uploads that lose their holder, grow by single bytes, come all at once, or are named to deceive."""

from __future__ import annotations

from typing import Any

import pytest

import archive_store.scans.intake as intake
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.scans.documents import Scan
from archive_store.scans.queries import scans_by_student
from archive_store.scans.upload_documents import UPLOADS
from archive_store.scans.uploads import abandon_upload, finish_left, remove_expired
from tests.scans.test_interrupted_uploads import begun, filed_scan, sent
from tests.scans.test_pipeline import filed, pdf, read_whole, stored_objects
from tests.school import School


async def test_a_filed_scan_survives_that_its_uploader_loses_the_post_before_the_upload_is_marked(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed (or the answer lost) between the commit of `scan.file` and the mark FILED; then the post ends."""
    content, viewer = pdf(100_000), await school.viewer("archive")
    upload = await begun(school, len(content))

    async def cut(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(intake, "_file", cut)
    with pytest.raises(RuntimeError):
        await sent(school, upload, 0, content)
    monkeypatch.undo()
    scan = await filed_scan(school, upload.id)  # it is in the archive
    grants = school.store.database.mongo["role_grants"]
    await grants.update_many({"person_id": viewer.person_id}, {"$set": {"valid_to": "2020-01-01"}})
    await finish_left(school.store, school.store.clock.now())
    assert await read_whole(school, scan) == content


@pytest.mark.parametrize("by", ["its sender", "the worker"])
async def test_whoever_files_late_files_nothing_of_which_the_objects_were_removed(
    school: School, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The hold ran out while its holder was about to commit `scan.file`; another gave the upload up meanwhile."""
    content, viewer = pdf(100_000), await school.viewer("archive")
    upload = await begun(school, len(content))
    uploads, record = school.store.database.mongo[UPLOADS], intake.record_scan

    async def overtaken(*told: Any) -> Scan:
        await uploads.update_one({"_id": upload.id}, [{"$set": {"held_until": 0}}])
        if by == "its sender":
            await abandon_upload(school.store, viewer, upload.id)
        else:  # by then the post has ended, so that the worker refuses
            grants = school.store.database.mongo["role_grants"]
            before = await grants.find({"person_id": viewer.person_id}).to_list()
            await grants.update_many({"person_id": viewer.person_id}, {"$set": {"valid_to": "2020-01-01"}})
            await finish_left(school.store, school.store.clock.now())
            for row in before:
                await grants.replace_one({"_id": row["_id"]}, row)
        return await record(*told)

    monkeypatch.setattr(intake, "record_scan", overtaken)
    try:
        await sent(school, upload, 0, content)
    except RegistrarError as error:
        assert error.code in (ErrorCode.TRY_AGAIN, ErrorCode.NOT_FOUND)
    if await school.store.database.collection(Scan).find_one({"_id": upload.id}):
        assert await read_whole(school, await filed_scan(school, upload.id)) == content


async def test_small_pieces_do_not_leave_a_copy_of_the_tail_each(school: School) -> None:
    """A request of one byte stores up to 1 MiB anew, and the version before stays until the upload is over."""
    before, content = await stored_objects(school.store.objects), pdf(900_100)
    upload = await begun(school, 2_000_000)
    await sent(school, upload, 0, content[:900_000])
    for number in range(20):
        await sent(school, upload, 900_000 + number, content[900_000 + number : 900_001 + number])
    assert len(await stored_objects(school.store.objects) - before) <= 2


async def test_a_warning_tells_of_no_paper_that_its_reader_may_not_know_of(school: School) -> None:
    """The uploader knows of the sealed paper; who reads the scan's findings later does not."""
    content = pdf(50_000)
    await filed(school, content, name="2023级诊断证明")
    await filed(school, content, name="2023级户口簿")
    student = await school.student()
    information = await school.viewer("information")
    (seen,) = await scans_by_student(school.store, information, [student.key])
    assert seen is not None
    assert [scan.document_type for scan in seen] == ["户口簿"]
    assert "DUPLICATE" not in [finding["code"] for finding in seen[0].findings]


async def test_one_reader_does_not_hold_the_memory_of_all(school: School) -> None:
    """150 downloads that a student does not read on took 3.1 GiB of the server; there is no limit on them."""
    from archive_store.scans.content import view_scan
    from archive_store.scans.segments import SEGMENT_SIZE

    scan = await filed(school, pdf(3 * SEGMENT_SIZE))
    director, reading = await school.viewer("director"), []
    try:
        with pytest.raises(RegistrarError) as caught:
            for _ in range(40):
                opened = await view_scan(school.store, director, scan.key, continues=True)
                reading.append(await opened.read())
                await anext(reading[-1])
        assert caught.value.code is ErrorCode.TRY_AGAIN
    finally:
        for each in reading:
            await each.aclose()


async def test_an_upload_that_can_never_be_checked_does_not_stay_for_ever(school: School) -> None:
    """Of one in intake whose object is gone every round reads all of it again, asks the scanner, and fails."""
    from datetime import timedelta

    content = pdf(100_000)
    upload = await begun(school, len(content))
    check = intake._check

    async def cut(*_: object) -> None:
        raise RuntimeError("power cut")

    intake._check = cut  # type: ignore[assignment]
    try:
        with pytest.raises(RuntimeError):
            await sent(school, upload, 0, content)
    finally:
        intake._check = check
    for name, version in await school.store.objects.versions(f"scans/{upload.id}/0"):
        await school.store.objects.remove(name, version)
    now = school.store.clock.now() + timedelta(days=400)
    for _ in range(3):
        await finish_left(school.store, now)
        await remove_expired(school.store, now)
    row = await school.store.database.mongo[UPLOADS].find_one({"_id": upload.id})
    assert row is None or row["status"] == "REFUSED"


async def test_no_more_uploads_are_begun_at_once_than_a_person_may_have(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted first and inserted later, so that requests at once pass the limit together."""
    import asyncio

    import archive_store.scans.uploads as uploads

    monkeypatch.setattr(uploads, "OPEN_UPLOADS_LIMIT", 3)
    await asyncio.gather(*(begun(school, 1000) for _ in range(12)), return_exceptions=True)
    assert await school.store.database.mongo[UPLOADS].count_documents({}) <= 3


@pytest.mark.parametrize("type_", ["心\uf9e4档案", "诊断证明\ufe00", "诊断证明\U000e0100", "诊断\u3164证明"])
async def test_a_type_that_looks_like_a_sealed_one_is_it_or_is_refused(school: School, type_: str) -> None:
    """Compatibility ideographs (of texts copied from a PDF) and variation selectors make another, unsealed type."""
    from archive_store.foundation.field_classes import FieldClass

    try:
        scan = await filed(school, pdf(1000), name=f"2023级{type_}")
    except RegistrarError as error:
        assert error.code is ErrorCode.INVALID_FILE_NAME
    else:
        rules = (await school.viewer("archive")).policy.rules
        assert rules.document_class(scan.document_type) is FieldClass.F4


async def test_an_upload_is_not_thrown_away_where_this_server_lacks_a_root_key(school: School) -> None:
    """One host has the new keyring, this one not yet: the archive file's key does not open here."""
    await filed(school, pdf(1000))
    archive_files = school.store.database.mongo["archive_files"]
    held = await archive_files.find_one({})
    assert held is not None
    await archive_files.update_one({"_id": held["_id"]}, {"$set": {"root_key_id": "elsewhere.9"}})
    content = pdf(100_000)
    upload = await begun(school, len(content))
    with pytest.raises(Exception):  # noqa: B017 - whatever it is, it must pass
        await sent(school, upload, 0, content)
    await archive_files.replace_one({"_id": held["_id"]}, held)  # the keyring is there
    assert await finish_left(school.store, school.store.clock.now()) == 1
    assert await read_whole(school, await filed_scan(school, upload.id)) == content
