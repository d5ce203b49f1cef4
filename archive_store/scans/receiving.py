"""Taking the bytes of one request into an upload that is held."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo.errors import PyMongoError

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStoreError
from archive_store.foundation.store import Store
from archive_store.inspection.media_types import media_type_of
from archive_store.scans.checksums import Checksum
from archive_store.scans.encryption import DamagedScanError, Part, ScanKey, SegmentPlace
from archive_store.scans.holding import HeldUpload
from archive_store.scans.keys import unwrap_upload_key
from archive_store.scans.pipeline import Reception
from archive_store.scans.segments import Segment, object_key
from archive_store.scans.upload_documents import Upload, UploadStatus

# Digests of uploads that may go on in this process, with the bytes that they have taken. Where there is none, the
# content is read again at its end.
_DIGESTS_KEPT = 64
_digests: OrderedDict[ObjectId, tuple[int, Any]] = OrderedDict()


def expiry(store: Store) -> datetime:
    """Until when an upload may rest from now on."""
    return store.clock.now() + timedelta(hours=store.settings.upload_expiry_hours)


async def take(
    store: Store, held: HeldUpload, body: AsyncIterator[bytes], checksum: Checksum | None = None
) -> None:
    """Bring the body into the upload; the last byte of the file makes it QUARANTINED.

    Where the sender is cut off, what came is kept, unless a checksum speaks of the whole body or the length is not
    known. UNSUPPORTED_MEDIA_TYPE, TOO_LARGE, CHECKSUM_MISMATCH, TRY_AGAIN, and whatever the body raises.
    """
    upload = held.upload
    key = ScanKey(upload.cipher, await unwrap_upload_key(store, upload.wrapped, upload.id))
    await held.change({"receptions": upload.receptions + 1, "expires_at": expiry(store)})
    found: dict[str, Any] = {}
    all_segments = list(upload.segments)

    def check_head(first_bytes: bytes) -> None:
        found["media_type"] = media_type_of(first_bytes)

    async def commit(first: int, segments: list[Segment], tail: Segment | None, is_whole: bool) -> None:
        all_segments[first:] = segments
        sealed = sum(segment.size for segment in all_segments)
        values: dict[str, Any] = {"tail": tail, "offset": sealed + (tail.size if tail else 0), **found}
        if is_whole:
            values["status"] = UploadStatus.QUARANTINED
        before = held.upload.tail
        # By their places: a commit that was cut off is done again.
        values |= {f"segments.{number}": segment for number, segment in enumerate(segments, first)}
        await held.change(values)
        if before is not None:
            await _remove_tail(store, held.upload, before)

    digest = _digest_so_far(upload)
    reception = Reception(
        store.objects,
        upload.content(key),
        length=upload.length,
        commit=commit,
        digest=digest,
        check_head=None if upload.media_type else check_head,
        commits_at_end=checksum is not None,
    )
    keeps_a_part = checksum is None and upload.length is not None
    try:
        if upload.tail is not None:
            await reception.take_up(upload.tail)
        await _write_all(reception, body, checksum, store.settings.scan_size_limit)
        await reception.end()
    except (RegistrarError, ObjectStoreError, DamagedScanError, PyMongoError) as error:
        if keeps_a_part and isinstance(error, RegistrarError) and error.code is ErrorCode.TIMED_OUT:
            await reception.end()
            raise
        await reception.abort()
        raise
    except BaseException:
        # The sender left.
        await asyncio.shield(reception.end() if keeps_a_part else reception.abort())
        raise
    if digest is not None:
        _digests[upload.id] = (held.upload.offset, digest)
        while len(_digests) > _DIGESTS_KEPT:
            _digests.popitem(last=False)


async def _remove_tail(store: Store, upload: Upload, tail: Segment) -> None:
    """Its bytes have been stored anew. What is left of it goes with the upload."""
    with suppress(ObjectStoreError):
        place = SegmentPlace(upload.id, upload.content_version, Part.TAIL)
        await store.objects.remove(object_key(place), tail.object_version)


async def _write_all(
    reception: Reception, body: AsyncIterator[bytes], checksum: Checksum | None, limit: int
) -> None:
    async for piece in body:
        if reception.received + len(piece) > limit:
            raise RegistrarError(ErrorCode.TOO_LARGE, limit=f"{limit} bytes")
        if checksum is not None:
            checksum.update(piece)
        await reception.write(piece)
    if checksum is not None:
        checksum.require_right()


def take_digest(upload: Upload) -> str | None:
    """SHA-256 of all that the upload has, hex, where this process took all of it; it is not told twice."""
    offset, digest = _digests.pop(upload.id, (-1, None))
    return digest.hexdigest() if offset == upload.offset else None


def _digest_so_far(upload: Upload) -> Any:
    if upload.offset == 0:
        return hashlib.sha256()
    offset, digest = _digests.pop(upload.id, (-1, None))
    return digest if offset == upload.offset else None
