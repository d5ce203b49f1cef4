"""Receiving uploads: begun, continued after any interruption, given up, and removed when they are left behind.

An upload belongs to the person who began it; to everybody else there is none. What was acknowledged is stored, and
every byte is stored encrypted or not at all.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStoreAwayError, ObjectStoreError
from archive_store.foundation.paging import check_page_size
from archive_store.foundation.store import Store
from archive_store.scans.checksums import Checksum
from archive_store.scans.chunked_encryption import ScanCipher
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import DamagedScanError, ScanKey
from archive_store.scans.file_names import FileNameFault, PolicyFileName, invalid_file_name, parse_file_name
from archive_store.scans.holding import IS_FREE, HeldUpload, holding
from archive_store.scans.intake import discard, finish, refuse, remove_strays
from archive_store.scans.keys import wrap_upload_key
from archive_store.scans.operations import FILERS, filed_scan
from archive_store.scans.places import upload_place
from archive_store.scans.receiving import expiry, take, take_digest
from archive_store.scans.upload_documents import UPLOADS, Upload, UploadStatus
from archive_store.students.applicants import applicant_entrance
from archive_store.students.queries import find_student

# Of one person, unfinished.
OPEN_UPLOADS_LIMIT = 200
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_IN_INTAKE = (UploadStatus.QUARANTINED, UploadStatus.CHECKED, UploadStatus.INDEXED)
log = structlog.get_logger("registrar.uploads")


async def begin_upload(
    store: Store,
    viewer: Viewer,
    student_id: ObjectId,
    file_name: str,
    *,
    length: int | None,
    expected_sha256: str | None = None,
) -> Upload:
    """An upload of a scan of the student; `length` in bytes, None where the sender does not know it.

    FORBIDDEN, INVALID_FILE_NAME, NOT_FOUND, TOO_LARGE, EMPTY_FILE, TOO_MANY unfinished uploads of the person.
    """
    # Who may not file learns nothing from what follows.
    viewer.require_any(FILERS, rule="operation scan.file")
    if expected_sha256 is not None and not _SHA256.fullmatch(expected_sha256):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="sha256",
            detail_zh="SHA-256 为 64 位十六进制数",
            detail_en="a SHA-256 has 64 hexadecimal digits",
        )
    limit = store.settings.scan_size_limit
    if length == 0:
        raise RegistrarError(ErrorCode.EMPTY_FILE)
    if length is not None and length > limit:
        raise RegistrarError(ErrorCode.TOO_LARGE, limit=f"{limit} bytes")
    name = await _name_for(store, viewer, student_id, file_name)
    key, upload_id = ScanKey.new(ScanCipher(store.settings.scan_cipher)), PydanticObjectId()
    wrapped = await wrap_upload_key(store, key.data_key, upload_id)
    upload = Upload(
        id=upload_id,
        person_id=PydanticObjectId(viewer.person_id),
        student_id=PydanticObjectId(student_id),
        file_name=str(name),
        length=length,
        expected_sha256=expected_sha256.lower() if expected_sha256 else None,
        cipher=key.cipher,
        root_key_id=wrapped.root_key_id,
        wrapped_key=wrapped.wrapped,
        created_at=store.clock.now(),
        expires_at=expiry(store),
    )
    uploads = store.database.mongo[UPLOADS]
    await uploads.insert_one(upload.model_dump(by_alias=True))  # house-rule: an upload is no record
    # Counted with this one, so that requests at once do not pass the limit together.
    unfinished = {"person_id": viewer.person_id, "status": UploadStatus.UPLOADING}
    if await uploads.count_documents(unfinished, limit=OPEN_UPLOADS_LIMIT + 1) > OPEN_UPLOADS_LIMIT:
        await uploads.delete_one({"_id": upload.id})  # house-rule: nothing was stored of it
        raise RegistrarError(ErrorCode.TOO_MANY, field="upload", limit=OPEN_UPLOADS_LIMIT)
    return upload


async def _name_for(store: Store, viewer: Viewer, student_id: ObjectId, file_name: str) -> PolicyFileName:
    """The parts of a policy name of a scan of the student; NOT_FOUND, INVALID_FILE_NAME."""
    found = await find_student(store, viewer, student_id, frozenset({"auxiliary_number", "enrolled_month"}))
    row = found.rows[0] if found.rows else {}
    number, enrolled = row.get("auxiliary_number"), row.get("enrolled_month")
    if not row:
        # Of whoever is about to be admitted, papers come before the record.
        enrolled = await applicant_entrance(store, viewer, student_id)
        if enrolled is None:
            raise RegistrarError(ErrorCode.NOT_FOUND, field="student")
    name = parse_file_name(
        file_name,
        cohort=int(enrolled[:4]) if enrolled else None,
        document_types=viewer.policy.rules.document_classes,
        student_number=number,
    )
    if name.student_number not in (None, number):
        raise invalid_file_name(FileNameFault.STUDENT_NUMBER)
    return name


async def find_upload(store: Store, viewer: Viewer, upload_id: ObjectId) -> Upload:
    """An upload of the viewer's own; NOT_FOUND."""
    viewer.require_any(FILERS, rule="operation scan.file")
    row = await store.database.mongo[UPLOADS].find_one({"_id": upload_id, **_own(viewer)})
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="upload")
    return Upload.model_validate(row)


async def own_uploads(store: Store, viewer: Viewer, *, limit: int) -> list[Upload]:
    """The viewer's uploads that are not removed yet, newest first; INVALID_ARGUMENT over a page."""
    check_page_size(limit, store.settings.page_size_limit)
    if not viewer.holds_any(FILERS):
        return []
    rows = store.database.mongo[UPLOADS].find(_own(viewer), sort=[("_id", -1)], limit=limit)
    return [Upload.model_validate(row) async for row in rows]


async def receive(
    store: Store,
    viewer: Viewer,
    upload_id: ObjectId,
    offset: int,
    body: AsyncIterator[bytes],
    *,
    checksum: Checksum | None = None,
) -> Upload:
    """Take bytes from `offset` on; the last ones file the scan, or have it refused.

    With a checksum all of the body is taken, or none of it. OFFSET_MISMATCH, LOCKED while another request brings
    bytes, CHECKSUM_MISMATCH, TOO_LARGE beyond the length, TRY_AGAIN; an upload that is refused raises why, then and
    whenever it is continued.
    """
    viewer.require_any(FILERS, rule="operation scan.file")
    with upload_place(viewer.person_id):
        async with holding(store, upload_id, _own(viewer)) as held:
            if held.upload.refusal is not None:
                raise held.upload.refusal.error
            if offset != held.upload.offset:
                raise RegistrarError(ErrorCode.OFFSET_MISMATCH, expected=held.upload.offset)
            if held.upload.status is UploadStatus.UPLOADING:
                try:
                    await take(store, held, body, checksum)
                except RegistrarError as error:
                    if error.code is ErrorCode.UNSUPPORTED_MEDIA_TYPE:
                        await refuse(store, held, error)
                    raise
            if held.upload.status in _IN_INTAKE:
                await finish(store, held, take_digest(held.upload))
            return held.upload


async def file_scan(
    store: Store,
    viewer: Viewer,
    student_id: ObjectId,
    file_name: str,
    body: AsyncIterator[bytes],
    *,
    length: int | None = None,
    expected_sha256: str | None = None,
) -> Scan:
    """Receive and file a scan in one go; either it is filed or nothing of it stays.

    Raises what `begin_upload` and `receive` raise, and DIGEST_MISMATCH, UNSUPPORTED_MEDIA_TYPE.
    """
    viewer.require_any(FILERS, rule="operation scan.file")
    with upload_place(viewer.person_id):
        upload = await begin_upload(
            store, viewer, student_id, file_name, length=length, expected_sha256=expected_sha256
        )
        async with holding(store, upload.id, _own(viewer)) as held:
            try:
                await take(store, held, body)
                if held.upload.status is UploadStatus.UPLOADING:
                    raise RegistrarError(ErrorCode.TIMED_OUT)
                scan = await finish(store, held, take_digest(held.upload))
            except BaseException:
                # Whoever took it over meanwhile sees to it.
                with suppress(RegistrarError, ObjectStoreError):
                    await _give_up(store, held)
                raise
            await held.forget()
            return scan


async def abandon_upload(store: Store, viewer: Viewer, upload_id: ObjectId) -> None:
    """Give up an upload, and remove what is stored of it; NOT_FOUND, LOCKED. A scan that is filed stays."""
    viewer.require_any(FILERS, rule="operation scan.file")
    async with holding(store, upload_id, _own(viewer)) as held:
        await _give_up(store, held)


async def remove_expired(store: Store, now: datetime) -> int:
    """Remove uploads whose time is over; those that are being checked stay until that is done."""
    expired = {"expires_at": {"$lte": now}, "status": {"$nin": list(_IN_INTAKE)}}
    return await _each(store, expired, _give_up)


async def finish_left(store: Store, now: datetime) -> int:
    """Go on with the intake of uploads whose bytes are all there, where whoever received the last is gone."""

    async def go_on(store: Store, held: HeldUpload) -> None:
        # What was being stored when it was cut off may lie there as well.
        await held.change({"receptions": held.upload.receptions + 1})
        await finish(store, held, None)

    return await _each(store, {"status": {"$in": list(_IN_INTAKE)}}, go_on)


async def _give_up(store: Store, held: HeldUpload) -> None:
    """Remove an upload, and all that is stored of it but a scan that is filed."""
    if scan := await filed_scan(store, held.upload.id):
        try:
            await remove_strays(store, scan)
        except ObjectStoreAwayError:
            raise
        except ObjectStoreError:
            # One that is held, say. `registrar archive check` tells of it.
            log.warning("strays_left", upload=str(held.upload.id))
    else:
        await discard(store, held, RegistrarError(ErrorCode.NOT_FOUND, field="upload"))
    await held.forget()


async def _each(
    store: Store, whose: dict[str, Any], work: Callable[[Store, HeldUpload], Awaitable[object]]
) -> int:
    done = 0
    async for row in store.database.mongo[UPLOADS].find(whose | IS_FREE, {"_id": 1}):
        try:
            async with holding(store, row["_id"], whose, waits=False) as held:
                await work(store, held)
        except RegistrarError as error:
            # Held, changed or refused meanwhile: a later round, or nobody, has to look at it.
            log.info("upload_left", upload=str(row["_id"]), code=error.code)
        except (ObjectStoreError, DamagedScanError):
            log.exception("upload_left", upload=str(row["_id"]))
        else:
            done += 1
    return done


def _own(viewer: Viewer) -> dict[str, Any]:
    return {"person_id": viewer.person_id}
