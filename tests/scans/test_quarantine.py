"""Scans wait in quarantine until a virus scanner, where there is one, has seen them. The scanner is a double of clamd's
protocol; the real one is asked in tests/inspection."""

from __future__ import annotations

import pytest

from archive_store.foundation.errors import ErrorCode
from archive_store.scans.documents import Scan
from archive_store.scans.upload_documents import UPLOADS, UploadStatus
from archive_store.scans.uploads import finish_left
from tests.inspection.test_viruses import TEST_VIRUS, Clamd, double
from tests.scans.test_interrupted_uploads import begun, filed_scan, sent
from tests.scans.test_pipeline import pdf, read_whole, refused, stored_objects
from tests.school import School


async def test_a_virus_is_refused_and_nothing_of_it_stays(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, content = await stored_objects(school.store.objects), pdf(100_000) + TEST_VIRUS
    async with double(Clamd()) as address:
        monkeypatch.setitem(school.store.settings.__dict__, "clamd", address)
        upload = await begun(school, len(content))
        assert await refused(sent(school, upload, 0, content)) is ErrorCode.INFECTED
        assert await refused(sent(school, upload, 0, content)) is ErrorCode.INFECTED
    async with double(Clamd()) as address:
        monkeypatch.setitem(school.store.settings.__dict__, "clamd", address)
        harmless = await begun(school, 50_000)
        assert (await sent(school, harmless, 0, pdf(50_000))).status is UploadStatus.FILED
    scans = school.store.database.collection(Scan)
    assert [row["_id"] async for row in scans.find()] == [harmless.id]
    left = {key for key, _ in await stored_objects(school.store.objects) - before}
    assert {key.split("/")[1] for key in left} == {str(harmless.id)}


async def test_while_the_scanner_is_away_a_scan_waits_and_is_filed_when_it_is_back(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pdf(100_000)
    monkeypatch.setitem(school.store.settings.__dict__, "clamd", "127.0.0.1:9")
    upload = await begun(school, len(content))
    assert await refused(sent(school, upload, 0, content)) is ErrorCode.TRY_AGAIN
    now = school.store.clock.now()
    assert await finish_left(school.store, now) == 0
    row = await school.store.database.mongo[UPLOADS].find_one({"_id": upload.id})
    assert row is not None
    assert row["status"] == "QUARANTINED"
    async with double(Clamd()) as address:
        monkeypatch.setitem(school.store.settings.__dict__, "clamd", address)
        assert await finish_left(school.store, now) == 1
    assert await read_whole(school, await filed_scan(school, upload.id)) == content


async def test_a_file_too_large_for_the_scanner_is_filed_with_a_warning(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pdf(100_000)
    async with double(Clamd(limit=50_000)) as address:
        monkeypatch.setitem(school.store.settings.__dict__, "clamd", address)
        upload = await begun(school, len(content))
        findings = (await sent(school, upload, 0, content)).findings
    assert "NOT_VIRUS_CHECKED" in [finding.code for finding in findings]
