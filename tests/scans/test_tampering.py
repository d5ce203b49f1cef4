"""Who can write to database and bucket cannot pass anything off as a filed scan; who copies both reads nothing."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import bson
import pytest

from api.dev.demo import demo_paper
from api.dev.stack import EmbeddedStack
from archive_store.foundation.object_store import ObjectStore, ObjectStoreError
from archive_store.scans.content import open_scan
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import DamagedScanError
from archive_store.scans.removal import objects_of
from archive_store.scans.segments import SEGMENT_SIZE
from archive_store.scans.uploads import file_scan
from tests.scans.test_pipeline import NAME, body, collected, pdf
from tests.school import School

SIZE = 2 * SEGMENT_SIZE + 50_000
MARK = b"Zhang San, born 2009-04-17, kept by nobody else"


async def filed_for(school: School, position: int, content: bytes) -> Scan:
    student, viewer = await school.student(position), await school.viewer("archive")
    return await file_scan(school.store, viewer, student.key, NAME, body(content), length=len(content))


class Intruder:
    """Somebody with the rights of our own accounts in database and bucket, and without a key."""

    def __init__(self, school: School) -> None:
        self._school = school
        self.scans = school.store.database.collection(Scan)

    async def stored(self, scan: Scan, number: int) -> bytes:
        key, version = objects_of(scan)[number]
        return await asyncio.to_thread(self._school.store.objects.get_blocking, key, version)

    async def replace(self, scan: Scan, number: int, content: bytes) -> None:
        """Put another object in the place of a segment; what is locked stays beside it, unnamed."""
        key, _ = objects_of(scan)[number]
        version = await asyncio.to_thread(self._school.store.objects.put_blocking, key, content)
        await self.scans.update_one(
            {"_id": scan.key}, {"$set": {f"segments.{number}.object_version": version}}
        )

    async def change(self, scan: Scan, **values: Any) -> None:
        await self.scans.update_one({"_id": scan.key}, {"$set": values})


async def flip(intruder: Intruder, scan: Scan, other: Scan) -> None:
    stored = bytearray(await intruder.stored(scan, 1))
    stored[len(stored) // 2] ^= 1
    await intruder.replace(scan, 1, bytes(stored))


async def cut(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.replace(scan, 2, (await intruder.stored(scan, 2))[:-20_000])


async def cut_at_a_chunk(intruder: Intruder, scan: Scan, other: Scan) -> None:
    stored = await intruder.stored(scan, 1)
    await intruder.replace(scan, 1, stored[: 74 + 10 * 16400])


async def drop_the_last(intruder: Intruder, scan: Scan, other: Scan) -> None:
    kept = [segment.model_dump() for segment in scan.segments[:-1]]
    await intruder.change(scan, segments=kept, size=2 * SEGMENT_SIZE)


async def drop_the_last_alone(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.change(scan, segments=[segment.model_dump() for segment in scan.segments[:-1]])


async def reorder(intruder: Intruder, scan: Scan, other: Scan) -> None:
    first, second = await intruder.stored(scan, 0), await intruder.stored(scan, 1)
    await intruder.replace(scan, 0, second)
    await intruder.replace(scan, 1, first)


async def repeat(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.replace(scan, 1, await intruder.stored(scan, 0))


async def swap_a_segment(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.replace(scan, 0, await intruder.stored(other, 0))


async def swap_whole(intruder: Intruder, scan: Scan, other: Scan) -> None:
    for number in range(len(scan.segments)):
        await intruder.replace(scan, number, await intruder.stored(other, number))


async def swap_whole_with_its_key(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await swap_whole(intruder, scan, other)
    await intruder.change(scan, wrapped_data_key=other.wrapped_data_key)


async def swap_students(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.change(scan, student_id=other.student_id, archive_file_id=other.archive_file_id)


async def swap_keys(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.change(scan, wrapped_data_key=other.wrapped_data_key)


async def another_version(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.change(scan, content_version=2)


async def another_cipher(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.change(scan, cipher="SM4_GCM")


async def plain_instead(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.replace(scan, 0, b"paper" * (SEGMENT_SIZE // 5))


async def gone(intruder: Intruder, scan: Scan, other: Scan) -> None:
    await intruder.scans.update_one({"_id": scan.key}, {"$set": {"segments.1.object_version": "none"}})


FORGERIES: list[Callable[[Intruder, Scan, Scan], Awaitable[None]]] = [
    flip,
    cut,
    cut_at_a_chunk,
    drop_the_last,
    drop_the_last_alone,
    reorder,
    repeat,
    swap_a_segment,
    swap_whole,
    swap_whole_with_its_key,
    swap_students,
    swap_keys,
    another_version,
    another_cipher,
    plain_instead,
    gone,
]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
async def test_forged_scans_are_refused(
    school: School, forge: Callable[[Intruder, Scan, Scan], Awaitable[None]]
) -> None:
    content = pdf(SIZE)
    scan, other = await filed_for(school, 0, content), await filed_for(school, 1, pdf(SIZE))
    await forge(Intruder(school), scan, other)
    director = await school.viewer("director")
    read = b""
    with pytest.raises((DamagedScanError, ObjectStoreError)):
        _, pieces = await open_scan(school.store, director, scan.key)
        async for piece in pieces:
            read += piece
    # What came before the fault was found is the paper's own.
    assert content.startswith(read)
    _, pieces = await open_scan(school.store, director, other.key)
    assert len(await collected(pieces)) == SIZE


async def test_a_stolen_copy_of_database_and_bucket_reveals_nothing(
    school: School, stack: EmbeddedStack
) -> None:
    begun = time.time() - 1
    paper = demo_paper("PDF", pages=2) + b"\n%" + MARK * 100
    photograph = demo_paper("JPEG", pages=1) + MARK
    scans = [
        await filed_for(school, 0, content) for content in (paper, photograph, MARK.join([pdf(50), b""]))
    ]
    assert scans[0].preview is not None and scans[0].thumbnail is not None
    stolen = {"the database": await _database(school), "the bucket": await _bucket(school)}
    stolen["the bucket's disk"] = b"".join(_disk(stack.directory, begun))
    keyring = school.store.keyring
    secrets = {
        "the text": MARK,
        "a PDF": b"%PDF-1.",
        "a JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    }
    for number, root_key in enumerate(keyring.scans):
        secrets |= {
            f"root key {number}": root_key.key,
            f"root key {number} in hex": root_key.key.hex().encode(),
        }
    # Anything of 12 bytes that the papers hold, wherever it begins.
    secrets |= {f"bytes {at} of the paper": paper[at : at + 12] for at in range(0, len(paper) - 12, 501)}
    secrets |= {f"bytes {at} of the photograph": photograph[at : at + 12] for at in range(0, 4000, 97)}
    assert len(stolen["the bucket"]) > len(paper) + len(photograph)
    found = [
        f"{name} in {place}" for name, held in secrets.items() for place in stolen if held in stolen[place]
    ]
    assert found == []
    # The search would find it: each scan is in what was stolen, sealed.
    for scan in scans:
        raw = await Intruder(school).stored(scan, 0)
        assert raw in stolen["the bucket"]
        assert raw[-64:] in stolen["the bucket's disk"]


async def _database(school: School) -> bytes:
    mongo = school.store.database.mongo
    names = await mongo.list_collection_names()
    rows = [row for name in names for row in await mongo[name].find().to_list()]
    return b"".join(bson.encode({"row": row}) for row in rows)


async def _bucket(school: School) -> bytes:
    return b"".join(await stored_bytes(school.store.objects))


async def stored_bytes(objects: ObjectStore) -> list[bytes]:
    """Of every object version; a delete marker has none."""
    pages = [page async for page in objects.pages("")]
    return [
        await asyncio.to_thread(objects.get_blocking, found.key, found.version)
        for page in pages
        for found in page
        if not found.is_delete_marker
    ]


def _disk(directory: Path, since: float) -> list[bytes]:
    """What lies on the disk that was written since; tests before leave a great deal."""
    files = [
        Path(folder) / name
        for folder, _, names in os.walk(directory / "s3")
        for name in names
        if name.endswith(".dat")
    ]
    return [file.read_bytes() for file in files if file.stat().st_mtime >= since]
