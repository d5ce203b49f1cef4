"""A request that is cut off while it commits, as by a shutdown, does it again: nothing is told twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from archive_store.scans.holding import HeldUpload
from archive_store.scans.segments import SEGMENT_SIZE
from archive_store.scans.upload_documents import UploadStatus
from archive_store.scans.uploads import find_upload, receive
from tests.scans.test_interrupted_uploads import begun, filed_scan, sent
from tests.scans.test_pipeline import body, pdf, read_whole
from tests.school import School


@pytest.mark.parametrize("commits", ["a segment", "the tail"])
@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_commit_that_is_cut_off(
    school: School, monkeypatch: pytest.MonkeyPatch, is_answered: bool, commits: str
) -> None:
    content, viewer = pdf(3 * SEGMENT_SIZE), await school.viewer("archive")
    upload, change, is_stuck = await begun(school, len(content)), HeldUpload.change, asyncio.Event()

    async def sticks(held: HeldUpload, values: Mapping[str, Any]) -> None:
        before = held.upload
        await change(held, values)
        is_it = "segments.0" in values if commits == "a segment" else values.get("tail") is not None
        if is_it and not is_stuck.is_set():
            if not is_answered:
                held.upload = before
            is_stuck.set()
            await asyncio.sleep(1)

    monkeypatch.setattr(HeldUpload, "change", sticks)
    first = body(content[: 2 * SEGMENT_SIZE + 10])
    receiving = asyncio.create_task(receive(school.store, viewer, upload.id, 0, first))
    await is_stuck.wait()
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    found = await find_upload(school.store, viewer, upload.id)
    assert found.tail is not None
    assert sum(segment.size for segment in found.segments) + found.tail.size == found.offset
    done = await sent(school, found, found.offset, content[found.offset :])
    assert done.status is UploadStatus.FILED
    assert await read_whole(school, await filed_scan(school, upload.id)) == content
