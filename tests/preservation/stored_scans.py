"""Filed scans whose objects and records are damaged on purpose, past every rule."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from bson import ObjectId

from api.dev.demo import demo_paper
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import ScanKey
from archive_store.scans.keys import scan_data_key
from archive_store.scans.segments import SEGMENT_SIZE
from archive_store.scans.uploads import file_scan
from tests.scans.test_pipeline import NAME, body, pdf
from tests.school import School

THREE_SEGMENTS = 2 * SEGMENT_SIZE + 1000


async def file_paper(school: School, content: bytes, *, position: int = 0) -> Scan:
    """Filed two hours ago, when its lock has long been set."""
    student, viewer = await school.student(position), await school.viewer("archive")
    scan = await file_scan(
        school.store, viewer, student.key, NAME, body(content, 500_000), length=len(content)
    )
    assert scan.id is not None
    before = school.store.clock.now() - timedelta(hours=2)
    await set_fields(school, scan, created_at=before)
    return await stored(school, scan.id)


async def file_three_segments(school: School, *, position: int = 0) -> Scan:
    return await file_paper(school, pdf(THREE_SEGMENTS), position=position)


async def file_picture(school: School) -> Scan:
    """One with a thumbnail and a preview."""
    scan = await file_paper(school, demo_paper("TIFF", pages=1))
    assert scan.thumbnail is not None and scan.preview is not None
    return scan


async def stored(school: School, scan_id: ObjectId) -> Scan:
    return Scan.model_validate(await school.store.database.collection(Scan).find_one({"_id": scan_id}))


async def set_fields(school: School, scan: Scan, **values: Any) -> None:
    """As somebody who writes to the database does."""
    told = {path.replace("__", "."): value for path, value in values.items()}
    await school.store.database.collection(Scan).update_one({"_id": scan.key}, {"$set": told})


async def raw_object(school: School, scan: Scan, number: int) -> bytes:
    name, version = f"scans/{scan.key}/{number:06d}", scan.segments[number].object_version
    return await asyncio.to_thread(school.store.objects.get_blocking, name, version)


async def put_object(school: School, scan: Scan, name: str, content: bytes) -> str:
    """A further version, which no lock holds; its id."""
    return await asyncio.to_thread(school.store.objects.put_blocking, f"scans/{scan.key}/{name}", content)


async def replace_segment(school: School, scan: Scan, number: int, content: bytes) -> None:
    """Put other bytes, locked as before, and have the record name them."""
    version = await put_object(school, scan, f"{number:06d}", content)
    until = school.store.clock.now() + timedelta(days=366 * 100)
    await school.store.objects.lock(f"scans/{scan.key}/{number:06d}", version, until)
    await set_fields(school, scan, **{f"segments__{number}__object_version": version})


async def key_of(school: School, scan: Scan) -> ScanKey:
    return ScanKey(scan.cipher, await scan_data_key(school.store, scan.key))
