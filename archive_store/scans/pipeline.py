"""The way of a scan into the object store and back: streamed, encrypted, checked, with bounded memory.

No plaintext touches a disk. A file is stored under a fresh key and only when it was received whole; whatever
fails before leaves neither an object nor a part of one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bson import ObjectId

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStore
from archive_store.inspection.media_types import SNIFF_SIZE, media_type_of
from archive_store.scans.encryption import ScanEncryptor, decrypted
from archive_store.scans.page_count import SIZE_LIMIT as PAGE_COUNT_SIZE_LIMIT
from archive_store.scans.page_count import count_pages
from archive_store.scans.pipe import Pipe
from archive_store.scans.places import PLACES

# Small enough to keep memory low, large enough that a hop to a thread costs little beside it.
PIECE_SIZE = 512 * 1024
# An upload holds its thread for as long as it lasts, so there are as many as places. A download holds one for a piece.
_uploads = ThreadPoolExecutor(max_workers=PLACES, thread_name_prefix="scan-upload")
_downloads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="scan-download")


@dataclass(frozen=True, slots=True)
class StoredScan:
    """What came of storing: `size` and `sha256` (hex) are of the plaintext."""

    object_key: str
    object_version: str
    size: int
    sha256: str
    media_type: str
    page_count: int | None


async def store_scan(
    objects: ObjectStore,
    body: AsyncIterator[bytes],
    *,
    scan_id: ObjectId,
    data_key: bytes,
    size_limit: int,
    expected_sha256: str | None = None,
) -> StoredScan:
    """Store the body encrypted.

    Raises EMPTY_FILE, UNSUPPORTED_MEDIA_TYPE, TOO_LARGE, DIGEST_MISMATCH, and whatever the body raises.
    """
    pieces = _pieces(body, size_limit)
    first = await anext(pieces, b"")
    if not first:
        raise RegistrarError(ErrorCode.EMPTY_FILE)
    media_type = media_type_of(first[:SNIFF_SIZE])
    object_key = f"scans/{scan_id}"
    pipe = Pipe()

    def upload() -> str:
        try:
            return objects.put_blocking(object_key, pipe)
        finally:
            pipe.abandon()

    uploading = asyncio.get_running_loop().run_in_executor(_uploads, upload)
    try:
        received = await _encrypt(first, pieces, pipe, ScanEncryptor(data_key, scan_id))
        if expected_sha256 is not None and received.sha256 != expected_sha256.lower():
            raise RegistrarError(ErrorCode.DIGEST_MISMATCH, field="X-Content-SHA256")
        page_count = None
        if received.kept is not None:
            page_count = await count_pages(received.kept, media_type)
        pipe.end()
        version = await asyncio.shield(uploading)
    except BaseException:
        pipe.abort()
        uploading.add_done_callback(lambda done: _remove_if_stored(objects, object_key, done))
        await asyncio.wait([uploading])
        raise
    return StoredScan(object_key, version, received.size, received.sha256, media_type, page_count)


def _remove_if_stored(objects: ObjectStore, key: str, done: asyncio.Future[str]) -> None:
    """The upload may have been over when it was given up."""
    if not done.cancelled() and done.exception() is None:
        _removals.add(removal := asyncio.ensure_future(objects.remove(key, done.result())))
        removal.add_done_callback(_removals.discard)


_removals: set[asyncio.Future[None]] = set()


@dataclass(frozen=True, slots=True)
class _Received:
    size: int
    sha256: str
    kept: bytearray | None  # the whole plaintext, where it is small enough to count its pages


async def _encrypt(
    first: bytes, rest: AsyncIterator[bytes], pipe: Pipe, encryptor: ScanEncryptor
) -> _Received:
    digest = hashlib.sha256()
    size, kept = 0, bytearray()
    keep = True
    await pipe.write_piece(encryptor.start())
    piece = first
    while piece:
        # Both release the interpreter's lock, so they run side by side; hashing is the slower.
        _, sealed = await asyncio.gather(
            asyncio.to_thread(digest.update, piece), asyncio.to_thread(encryptor.update, piece)
        )
        await pipe.write_piece(sealed)
        size += len(piece)
        keep = keep and size <= PAGE_COUNT_SIZE_LIMIT
        if keep:
            kept += piece
        elif kept:
            kept = bytearray()
        piece = await anext(rest, b"")
    await pipe.write_piece(encryptor.finish())
    return _Received(size, digest.hexdigest(), kept if keep else None)


async def _pieces(body: AsyncIterator[bytes], size_limit: int) -> AsyncIterator[bytes]:
    """The body in pieces of PIECE_SIZE, the last one shorter."""
    buffer, size = bytearray(), 0
    async for received in body:
        size += len(received)
        if size > size_limit:
            raise RegistrarError(ErrorCode.TOO_LARGE, limit=f"{size_limit} bytes")
        buffer += received
        while len(buffer) >= PIECE_SIZE:
            yield bytes(buffer[:PIECE_SIZE])
            del buffer[:PIECE_SIZE]
    if buffer:
        yield bytes(buffer)


async def read_scan(
    objects: ObjectStore, *, object_key: str, object_version: str, scan_id: ObjectId, data_key: bytes
) -> AsyncGenerator[bytes, None]:
    """The plaintext in verified pieces; DamagedScanError where the stored file is not whole and genuine."""
    loop = asyncio.get_running_loop()
    stored = objects.read_blocking(object_key, object_version)
    plain = decrypted(data_key, scan_id, stored)
    reading: asyncio.Future[bytes] | None = None

    def close() -> None:
        plain.close()
        stored.close()

    try:
        while True:
            reading = loop.run_in_executor(_downloads, next, plain, b"")
            # A reader who leaves must not pull the thread's iterator away from under it.
            piece = await asyncio.shield(reading)
            if not piece:
                break
            yield piece
    finally:
        await asyncio.shield(_after(reading, loop, close))


async def _after(
    reading: asyncio.Future[bytes] | None, loop: asyncio.AbstractEventLoop, close: Callable[[], None]
) -> None:
    if reading is not None:
        await asyncio.wait([reading])
    await loop.run_in_executor(_downloads, close)
