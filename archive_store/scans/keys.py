"""The keys of scans: a data key for each, wrapped by the key of the student's archive file, wrapped by a root key.

The data key of an upload that is not filed yet lies directly under the root key. FORMAT.md gives the bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.root_keys import (
    KeyNotGenuineError,
    RootKeyError,
    WrappedKey,
    open_key,
    seal_key,
)
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.scans.documents import ArchiveFile, Scan
from archive_store.scans.encryption import DamagedScanError, new_key

DATA_KEY = b"registrar/data-key"
UPLOAD_KEY = b"registrar/upload-key"
ARCHIVE_FILE_KEY = b"registrar/archive-file-key"


async def new_archive_file(store: Store, student_id: ObjectId) -> ArchiveFile:
    """A student's archive file with a fresh key, not stored yet."""
    file_id = PydanticObjectId()
    wrapped = await store.root_keys.wrap(new_key(), ARCHIVE_FILE_KEY, file_id)
    return ArchiveFile(
        id=file_id,
        student_id=PydanticObjectId(student_id),
        wrapped_key=wrapped.wrapped,
        root_key_id=wrapped.root_key_id,
        key_made_at=store.clock.now(),
    )


async def read_archive_file(store: Store, student_id: ObjectId) -> ArchiveFile | None:
    row = await store.database.collection(ArchiveFile).find_one({"student_id": student_id})
    return None if row is None else ArchiveFile.model_validate(row)


async def open_archive_file(unit: UnitOfWork, archive_file: ArchiveFile) -> None:
    """Store a new one; DUPLICATE where the student has one by now."""
    await unit.insert(archive_file)
    root_key = FieldChange("root_key_id", None, archive_file.root_key_id)
    unit.audit(Subject(ArchiveFile.subject_type, archive_file.key), "archive_file:open", [root_key])


async def count_scan(unit: UnitOfWork, archive_file: ArchiveFile) -> None:
    """Count a scan that is filed in this transaction, its data key wrapped by the key of `archive_file` as given.

    Collides with a rotation of that key: TRY_AGAIN where it was replaced meanwhile, and the data key is to be wrapped
    anew.
    """
    held = await unit.load(ArchiveFile, archive_file.key)
    if held is None or held.key_version != archive_file.key_version:
        raise RegistrarError(ErrorCode.TRY_AGAIN)
    await unit.change(held, {"scan_count": held.scan_count + 1})
    unit.audit(Subject(ArchiveFile.subject_type, held.key), "archive_file:count_scan")


async def archive_file_key(store: Store, archive_file: ArchiveFile) -> bytes:
    """The key that wraps the keys of the student's scans; DamagedScanError where it does not open."""
    wrapped = WrappedKey(archive_file.root_key_id, archive_file.wrapped_key)
    return await _opened(store.root_keys.unwrap(wrapped, ARCHIVE_FILE_KEY, archive_file.key))


def wrap_data_key(file_key: bytes, data_key: bytes, scan_id: ObjectId) -> bytes:
    return seal_key(file_key, data_key, DATA_KEY, scan_id)


def unwrap_data_key(file_key: bytes, wrapped: bytes, scan_id: ObjectId) -> bytes:
    """DamagedScanError where it was not wrapped by this key for this scan."""
    try:
        return open_key(file_key, wrapped, DATA_KEY, scan_id)
    except KeyNotGenuineError as error:
        raise DamagedScanError(str(error)) from error


async def scan_data_key(store: Store, scan_id: ObjectId) -> bytes:
    """The data key of a filed scan, also while the key of its archive file is being rotated.

    LookupError where there is none, DamagedScanError where it does not open.
    """
    seen = -1
    while True:
        scan = await store.database.collection(Scan).find_one(
            {"_id": scan_id}, {"student_id": 1, "wrapped_data_key": 1}
        )
        archive_file = None if scan is None else await read_archive_file(store, scan["student_id"])
        if scan is None or archive_file is None or scan["wrapped_data_key"] is None:
            raise LookupError(f"scan {scan_id} has no key")
        try:
            return unwrap_data_key(
                await archive_file_key(store, archive_file), scan["wrapped_data_key"], scan_id
            )
        except DamagedScanError:
            # The two were read one after the other; a rotation can lie between.
            if seen == archive_file.revision:
                raise
            seen = archive_file.revision


async def wrap_upload_key(store: Store, data_key: bytes, upload_id: ObjectId) -> WrappedKey:
    return await store.root_keys.wrap(data_key, UPLOAD_KEY, upload_id)


async def unwrap_upload_key(store: Store, wrapped: WrappedKey, upload_id: ObjectId) -> bytes:
    """DamagedScanError where it does not open."""
    return await _opened(store.root_keys.unwrap(wrapped, UPLOAD_KEY, upload_id))


async def rotate_archive_file_key(unit: UnitOfWork, archive_file: ArchiveFile) -> int:
    """Give the archive file, as read in this transaction, a new key and wrap those of its scans anew; how many.

    All of it or none: where one does not open, DamagedScanError.
    """
    store = unit.store
    before, after = await archive_file_key(store, archive_file), new_key()
    wrapped = await _wrap_anew(store, after, ARCHIVE_FILE_KEY, archive_file.key)
    whose = {"student_id": archive_file.student_id, "archive_file_id": archive_file.key}
    rewrapped = 0
    async for row in store.database.collection(Scan).find(whose, session=unit.session):
        scan = await unit.decrypted(Scan, row)
        if scan.wrapped_data_key is None:
            continue
        data_key = unwrap_data_key(before, scan.wrapped_data_key, scan.key)
        await unit.change(scan, {"wrapped_data_key": wrap_data_key(after, data_key, scan.key)})
        unit.audit(Subject(Scan.subject_type, scan.key), "scan:rewrap")
        rewrapped += 1
    await unit.change(
        archive_file,
        {
            "wrapped_key": wrapped.wrapped,
            "root_key_id": wrapped.root_key_id,
            "key_version": archive_file.key_version + 1,
            "key_made_at": unit.at,
        },
    )
    changes = [FieldChange("key_version", archive_file.key_version, archive_file.key_version + 1)]
    if wrapped.root_key_id != archive_file.root_key_id:
        changes.append(FieldChange("root_key_id", archive_file.root_key_id, wrapped.root_key_id))
    unit.audit(Subject(ArchiveFile.subject_type, archive_file.key), "archive_file:rotate_key", changes)
    return rewrapped


async def rewrap_archive_file_key(unit: UnitOfWork, archive_file: ArchiveFile) -> bool:
    """Wrap the key of the archive file, as read in this transaction, under the current root key; False if it is so."""
    store = unit.store
    file_key = await archive_file_key(store, archive_file)
    wrapped = await _wrap_anew(store, file_key, ARCHIVE_FILE_KEY, archive_file.key)
    if wrapped.root_key_id == archive_file.root_key_id:
        return False
    await unit.change(archive_file, {"wrapped_key": wrapped.wrapped, "root_key_id": wrapped.root_key_id})
    change = FieldChange("root_key_id", archive_file.root_key_id, wrapped.root_key_id)
    unit.audit(Subject(ArchiveFile.subject_type, archive_file.key), "archive_file:rewrap", [change])
    return True


async def rewrap_upload_key(store: Store, wrapped: WrappedKey, upload_id: ObjectId) -> WrappedKey:
    """The data key of an upload under the current root key."""
    data_key = await unwrap_upload_key(store, wrapped, upload_id)
    return await _wrap_anew(store, data_key, UPLOAD_KEY, upload_id)


async def _wrap_anew(store: Store, key: bytes, purpose: bytes, owner: ObjectId) -> WrappedKey:
    """What replaces a wrapped key is opened first: there is no other copy."""
    wrapped = await store.root_keys.wrap(key, purpose, owner)
    if await _opened(store.root_keys.unwrap(wrapped, purpose, owner)) != key:
        raise DamagedScanError("a key was wrapped wrongly")
    return wrapped


async def _opened(unwrapping: Awaitable[bytes]) -> bytes:
    try:
        return await unwrapping
    except RootKeyError as error:
        raise DamagedScanError(str(error)) from error
