"""Segments (分段): the objects of a scan, each whole and encrypted by itself, and reading from them.

A file is the plaintexts of its content segments, one after the other. Their sizes differ: each holds SEGMENT_SIZE bytes
unless its upload was interrupted there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from itertools import islice

from bson import ObjectId
from pydantic import BaseModel

from archive_store.foundation.object_store import ObjectStore
from archive_store.foundation.workers import Workers
from archive_store.scans.chunked_encryption import CHUNK_SIZE
from archive_store.scans.encryption import (
    HEADER_SIZE,
    DamagedScanError,
    Part,
    ScanKey,
    SegmentPlace,
    stored_range,
)

# Of plaintext. Small enough that a few of them fit into memory for each of many transfers; sealed it still fits into
# 4 MiB, of which object stores make one piece of their own.
SEGMENT_SIZE = 255 * CHUNK_SIZE
# Times that a content that is read here and there may be read in whole segments.
_WHOLE_READS = 4
# Segments read before they are asked for.
_AHEAD = 2
_transfers = Workers("scan-transfer", 16)


class Segment(BaseModel):
    """A stored segment: bytes of plaintext, and the version of its object."""

    size: int
    object_version: str


def scan_prefix(scan_id: ObjectId) -> str:
    """What the keys of all objects of a scan begin with, and of no other's."""
    return f"scans/{scan_id}/"


def object_name(place: SegmentPlace) -> str:
    """The key of the object within its scan."""
    return f"{place.number:06d}" if place.part is Part.CONTENT else place.part.name.lower()


def object_key(place: SegmentPlace) -> str:
    return scan_prefix(place.scan_id) + object_name(place)


@dataclass(frozen=True, slots=True)
class StoredContent:
    """The content of a scan as it is stored, and the key that opens it.

    `is_whole` is false while its last segment is not there yet.
    """

    scan_id: ObjectId
    content_version: int
    key: ScanKey
    segments: Sequence[Segment]
    is_whole: bool = True

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)

    def place(self, number: int) -> SegmentPlace:
        is_last = self.is_whole and number == len(self.segments) - 1
        return SegmentPlace(self.scan_id, self.content_version, Part.CONTENT, number, is_last)


async def store_segment(
    objects: ObjectStore, key: ScanKey, place: SegmentPlace, plain: bytes | bytearray
) -> Segment:
    """Seal and store; ObjectStoreError."""
    return await _transfers.run(_store, objects, key, place, plain)


def _store(objects: ObjectStore, key: ScanKey, place: SegmentPlace, plain: bytes | bytearray) -> Segment:
    size = len(plain)
    return Segment(size=size, object_version=objects.put_blocking(object_key(place), key.seal(place, plain)))


async def load_segment(objects: ObjectStore, key: ScanKey, place: SegmentPlace, segment: Segment) -> bytes:
    """The plaintext of a whole segment, verified; ObjectStoreError, DamagedScanError."""
    return b"".join(await _transfers.run(_load, objects, key, place, segment))


def _load(objects: ObjectStore, key: ScanKey, place: SegmentPlace, segment: Segment) -> list[bytes]:
    plain = key.open(place, objects.pieces_blocking(object_key(place), segment.object_version))
    if sum(len(piece) for piece in plain) != segment.size:
        raise DamagedScanError("a segment is of another size")
    return plain


async def load_range(
    objects: ObjectStore, key: ScanKey, place: SegmentPlace, segment: Segment, start: int, end: int
) -> bytes:
    """The plaintext from `start` to before `end` of a segment, of which only the chunks that hold it are read."""
    return await _transfers.run(_load_range, objects, key, place, segment, start, end)


def _load_range(
    objects: ObjectStore, key: ScanKey, place: SegmentPlace, segment: Segment, start: int, end: int
) -> bytes:
    name, version = object_key(place), segment.object_version
    from_byte, to_byte = stored_range(segment.size, start, end)
    if from_byte == HEADER_SIZE:
        stored = objects.get_blocking(name, version, 0, to_byte)
        header, chunks = stored[:HEADER_SIZE], stored[HEADER_SIZE:]
    else:
        header = objects.get_blocking(name, version, 0, HEADER_SIZE)
        chunks = objects.get_blocking(name, version, from_byte, to_byte)
    return key.open_range(place, segment.size, start, end, header, chunks)


async def read_content(
    objects: ObjectStore, content: StoredContent, start: int = 0, end: int | None = None
) -> AsyncGenerator[bytes, None]:
    """The verified plaintext from `start` to before `end`, in pieces, with a few segments read ahead.

    Of segments that are wanted whole every byte is verified before the first is given. ObjectStoreError,
    DamagedScanError.
    """
    under_way: deque[asyncio.Task[list[bytes]]] = deque()
    wanted = iter(_wanted(content, start, content.size if end is None else end))
    try:
        while True:
            for part in islice(wanted, _AHEAD + 1 - len(under_way)):
                under_way.append(asyncio.create_task(_read(objects, content, *part)))
            if not under_way:
                return
            plain = await under_way[0]
            under_way.popleft()
            while plain:
                if piece := plain.pop(0):
                    yield piece
            del plain
    finally:
        for reading in under_way:
            # Its thread cannot be stopped; what it reads is dropped.
            reading.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _wanted(content: StoredContent, start: int, end: int) -> list[tuple[int, int, int]]:
    """(number, from, to) of the segments that a range touches, in bytes of each segment's plaintext."""
    wanted, at = [], 0
    for number, segment in enumerate(content.segments):
        from_byte, to_byte = max(start - at, 0), min(end - at, segment.size)
        # The empty last segment is read as well: it tells that this is the end.
        if from_byte < to_byte or (segment.size == 0 and at == end):
            wanted.append((number, from_byte, to_byte))
        at += segment.size
    return wanted


async def _read(
    objects: ObjectStore, content: StoredContent, number: int, start: int, end: int
) -> list[bytes]:
    segment, place = content.segments[number], content.place(number)
    if start == 0 and end == segment.size:
        return await _transfers.run(_load, objects, content.key, place, segment)
    return [await load_range(objects, content.key, place, segment, start, end)]


class RangeReader:
    """Reads of a content in small pieces here and there, of which no more is read than the chunks that hold a piece.

    A segment that is asked for twice in a row is read whole and kept, but not so often that a file could cost many
    times its size.
    """

    def __init__(self, objects: ObjectStore, content: StoredContent) -> None:
        self._objects = objects
        self._content = content
        self._kept: tuple[int, bytes] = (-1, b"")
        self._last = -1
        self._whole_left = _WHOLE_READS * len(content.segments)

    async def read(self, start: int, length: int) -> bytes:
        """The plaintext from `start` on, `length` bytes or up to the end."""
        pieces = [
            await self._piece(number, from_byte, to_byte)
            for number, from_byte, to_byte in _wanted(self._content, start, start + length)
        ]
        return b"".join(pieces)

    async def _piece(self, number: int, start: int, end: int) -> bytes:
        is_asked_again, self._last = number == self._last, number
        if number != self._kept[0] and is_asked_again and self._whole_left:
            self._whole_left -= 1
            content = self._content
            place, segment = content.place(number), content.segments[number]
            self._kept = (number, await load_segment(self._objects, content.key, place, segment))
        if number == self._kept[0]:
            return self._kept[1][start:end]
        return b"".join(await _read(self._objects, self._content, number, start, end))
