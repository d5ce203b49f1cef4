"""Fixity (固化检查): reading a filed scan again, and holding it against what was filed.

Every byte is read and decrypted in its place. Nothing read leaves this module: damages name objects, never content.
"""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from bson import ObjectId
from pydantic import ValidationError

from archive_store.audit.documents import ENTRIES
from archive_store.audit.entries import is_genuine, open_entries
from archive_store.foundation.clock import school_day
from archive_store.foundation.object_store import (
    ObjectMissingError,
    ObjectStoreAwayError,
    ObjectStoreError,
)
from archive_store.foundation.store import Store
from archive_store.preservation.fixity_documents import Damage
from archive_store.scans.documents import Scan, ScanStatus
from archive_store.scans.encryption import DamagedScanError, Part, ScanKey, SegmentPlace
from archive_store.scans.keys import scan_data_key
from archive_store.scans.removal import objects_of
from archive_store.scans.retention import lock_end
from archive_store.scans.segments import Segment, StoredContent, load_segment, object_name
from archive_store.scans.upload_documents import UPLOADS

Result = TypeVar("Result")
# What `scan:file` tells of a scan, and what must be left of one that is disposed of.
TOLD_AT_FILING = ("file_name", "media_type", "size", "sha256")
# Objects of a scan are locked right after it is filed, or by the worker where the store was away then.
LOCKED_WITHIN = timedelta(hours=1)
_TRIES = 3


async def check_scan(store: Store, scan_id: ObjectId) -> list[str]:
    """Its damages, sorted; none of a scan that is sound, or that is not there.

    ObjectStoreAwayError, or RootKeysUnavailableError where the provider of root keys does not answer: nothing is known
    of the scan then.
    """
    damages: list[str] = []
    before = -1
    for _ in range(_TRIES):
        row = await store.database.collection(Scan).find_one({"_id": scan_id})
        # What is found while the scan is changed, disposed of for one, may be neither the old nor the new.
        if row is None or row.get("revision") == before:
            return damages
        try:
            scan = Scan.model_validate(row)
        except ValidationError:
            return [Damage.RECORD]
        if scan.created_at is None:
            return [Damage.RECORD]
        before = scan.revision
        told = await _unlike_history(store, scan)
        checking = _check_stored if _has_content(scan) else _check_stub
        damages = sorted({*told, *await checking(store, scan)})
        if not damages:
            return []
    return damages


async def _unlike_history(store: Store, scan: Scan) -> list[str]:
    query = {"subject_type": Scan.subject_type, "subject_id": scan.key, "kind": "scan:file"}
    entries = await store.database.whatever_is_stored(ENTRIES).find(query).to_list()
    if len(entries) != 1 or not is_genuine(store, entries[0]):
        return [Damage.UNLIKE_HISTORY]
    await open_entries(store, entries)
    told = {change["field"]: change["after"] for change in entries[0]["sealed"]["changes"]}
    is_told = all(told.get(field) == getattr(scan, field) for field in TOLD_AT_FILING)
    return [] if is_told else [Damage.UNLIKE_HISTORY]


def _has_content(scan: Scan) -> bool:
    return scan.status is not ScanStatus.DISPOSED and scan.wrapped_data_key is not None


async def _check_stub(store: Store, scan: Scan) -> list[str]:
    """Of a scan that is disposed of: no key of it is left, and the history tells of it."""
    damages: list[str] = []
    upload = await store.database.mongo[UPLOADS].find_one({"_id": scan.key}, {"wrapped_key": 1})
    if scan.wrapped_data_key is not None or (upload is not None and upload["wrapped_key"] is not None):
        damages.append(Damage.NOT_DISPOSED)
    query = {"subject_type": Scan.subject_type, "subject_id": scan.key, "kind": "scan:dispose"}
    told = await store.database.whatever_is_stored(ENTRIES).find_one(query)
    if scan.status is not ScanStatus.DISPOSED or told is None or not is_genuine(store, told):
        damages.append(Damage.STUB)
    return damages


async def _check_stored(store: Store, scan: Scan) -> list[str]:
    damages = await _check_locks(store, scan)
    try:
        key = ScanKey(scan.cipher, await scan_data_key(store, scan.key))
    except (DamagedScanError, LookupError, ValidationError):
        return [*damages, Damage.KEY]
    damages += await _check_content(
        store, scan, StoredContent(scan.key, scan.content_version, key, scan.segments)
    )
    for part, image in ((Part.THUMBNAIL, scan.thumbnail), (Part.PREVIEW, scan.preview)):
        if image is not None:
            place = SegmentPlace(scan.key, scan.content_version, part)
            _, damage = await _opened(store, key, place, image.segment)
            damages += damage
    return damages


async def _check_content(store: Store, scan: Scan, content: StoredContent) -> list[str]:
    damages: list[str] = []
    digest = hashlib.sha256()
    for number, segment in enumerate(content.segments):
        plain, damage = await _opened(store, content.key, content.place(number), segment)
        damages += damage
        if plain is not None:
            await asyncio.to_thread(digest.update, plain)
    if content.size != scan.size or not content.segments:
        damages.append(Damage.SIZE)
    # Of a content that does not open whole no digest can be told.
    if not damages and digest.hexdigest() != scan.sha256:
        damages.append(Damage.DIGEST)
    return damages


async def _opened(
    store: Store, key: ScanKey, place: SegmentPlace, segment: Segment
) -> tuple[bytes | None, list[str]]:
    try:
        return await _answered(store, lambda: load_segment(store.objects, key, place, segment)), []
    except ObjectStoreAwayError:
        raise
    except ObjectMissingError:
        damage = Damage.MISSING
    except ObjectStoreError:
        damage = Damage.UNREADABLE
    except (DamagedScanError, struct.error):  # a place that no segment can have
        damage = Damage.SEGMENT
    return None, [f"{damage} {object_name(place)}"]


async def _check_locks(store: Store, scan: Scan) -> list[str]:
    assert scan.created_at is not None  # noqa: S101 - it is stored
    if store.clock.now() - scan.created_at < LOCKED_WITHIN:
        return []
    least = lock_end(scan.retention, school_day(scan.created_at))
    until, damages = max(least, scan.locked_until or least), []
    for key, version in objects_of(scan):
        try:
            locked = await _answered(store, partial(store.objects.locked_until, key, version))
        except ObjectStoreAwayError:
            raise
        except ObjectStoreError:
            continue  # told by the reading of the object
        if locked is None or locked < until:
            damages.append(f"{Damage.LOCK} {key.rpartition('/')[2]}")
    return damages


async def _answered(store: Store, ask: Callable[[], Awaitable[Result]]) -> Result:
    """What the object store answers, asked twice where it must be: one failure can be of the way to it.

    A failure is one of the object while the store itself is well; else ObjectStoreAwayError.
    """
    try:
        return await ask()
    except ObjectMissingError:
        raise
    except ObjectStoreError as error:
        try:
            await store.objects.probe()
        except Exception:
            raise ObjectStoreAwayError(str(error)) from error
    try:
        return await ask()
    except ObjectStoreAwayError as error:
        raise ObjectStoreError(str(error)) from error
