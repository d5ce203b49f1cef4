"""Filed scans of the tests: of any type, filed so many years ago, and what the bucket says of them."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from datetime import datetime
from typing import Any

from bson import ObjectId
from minio.error import S3Error

from api.dev.demo import demo_paper
from archive_store.archive import JOBS, SCAN_JOBS
from archive_store.foundation.object_store import ObjectStore
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.scans.documents import ArchiveFile, Scan
from archive_store.scans.segments import scan_prefix
from archive_store.scans.uploads import file_scan
from tests.scans.test_pipeline import body
from tests.school import School

LONG_AGO = datetime.fromisoformat("2010-06-01T00:00:00+00:00")
PLAIN, SEALED, KEPT = "请假条", "诊断证明", "成绩单"  # kept for 10 years, 30 years, for good


async def file_paper(
    school: School, document_type: str = PLAIN, *, student: int = 0, filed_at: datetime | None = None
) -> ObjectId:
    archive, owner = await school.viewer("archive"), await school.student(student)
    name = f"2023级{document_type}"
    scan = await file_scan(school.store, archive, owner.key, name, body(demo_paper("JPEG", pages=1)))
    if filed_at is not None:
        await set_scan(school, scan.key, created_at=filed_at)
    return scan.key


async def set_scan(school: School, key: ObjectId, **values: Any) -> None:
    await school.store.database.collection(Scan).update_one({"_id": key}, {"$set": values})


async def scan_of(school: School, key: ObjectId) -> Scan:
    row = await school.store.database.collection(Scan).find_one({"_id": key})
    return Scan.model_validate(row)


async def archive_file_of(school: School, scan: Scan) -> ArchiveFile:
    row = await school.store.database.collection(ArchiveFile).find_one({"_id": scan.archive_file_id})
    return ArchiveFile.model_validate(row)


async def run_job(store: Store, name: str, at: datetime | None = None) -> int:
    return await {**JOBS, **SCAN_JOBS}[name](store, at or store.clock.now())


def without_bucket(store: Store, settings: Settings) -> Store:
    """The same store, whose bucket does not answer."""
    away = settings.model_copy(update={"s3_endpoint": "127.0.0.1:9"})
    return replace(store, objects=ObjectStore.from_settings(away))


async def versions(store: Store, key: ObjectId) -> list[tuple[str, str]]:
    return await store.objects.versions(scan_prefix(key))


async def is_held(store: Store, key: ObjectId) -> bool:
    client, bucket = store.objects._client, store.objects.bucket
    told = []
    for name, version in await versions(store, key):
        try:
            asking = asyncio.to_thread(client.is_object_legal_hold_enabled, bucket, name, version_id=version)
            told.append(await asking)
        except S3Error as error:
            assert error.code == "NoSuchObjectLegalHold"
            told.append(False)
    assert told and len(set(told)) == 1
    return told[0]


async def locked_until(store: Store, key: ObjectId) -> datetime:
    client, bucket = store.objects._client, store.objects.bucket
    ends = set()
    for name, version in await versions(store, key):
        held = await asyncio.to_thread(client.get_object_retention, bucket, name, version_id=version)
        assert held is not None
        ends.add(held.retain_until_date)
    (end,) = ends
    return end


async def put(store: Store, key: str) -> str:
    client, bucket = store.objects._client, store.objects.bucket
    result = await asyncio.to_thread(client.put_object, bucket, key, io.BytesIO(b"sealed"), 6)
    return str(result.version_id)
