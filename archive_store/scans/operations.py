"""`scan.file`: filing a scan. The archive group arranges and files (policy §二(一)); whatever is filed is encrypted
(§三(二))."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import perform
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.scans.chunked_encryption import ScanCipher
from archive_store.scans.documents import ArchiveFile, Scan
from archive_store.scans.file_names import parse_file_name
from archive_store.scans.keys import (
    archive_file_key,
    count_scan,
    new_archive_file,
    open_archive_file,
    read_archive_file,
    wrap_data_key,
)
from archive_store.scans.retention import retention_rule
from archive_store.scans.segments import Segment
from archive_store.scans.upload_documents import UPLOADS, DerivedImage, IntakeFinding, Upload, UploadStatus

FILERS = frozenset({Post.ARCHIVE_GROUP, Post.INFORMATION_GROUP, Post.DIRECTOR})
# Of a scan that meets others of the same student.
_TRIES, _PAUSE_SECONDS = 12, 0.1


class ScanFile(Payload):
    """Payload of `scan.file`: the scan whose bytes are stored already, and the archive file it goes to.

    `holder` holds the upload that brought it; whoever lost that files nothing.
    """

    holder: str
    scan_id: PydanticObjectId
    archive_file: dict[str, Any]
    opens_archive_file: bool
    file_name: str
    media_type: str
    size: int
    page_count: int | None
    sha256: str
    cipher: ScanCipher
    content_version: int
    segments: list[Segment]
    findings: list[IntakeFinding]
    thumbnail: DerivedImage | None
    preview: DerivedImage | None
    wrapped_data_key: bytes


async def record_scan(store: Store, viewer: Viewer, upload: Upload, data_key: bytes) -> Scan:
    """File what an upload brought, once however often asked; the first scan of a student opens their archive file."""
    for number in range(1, _TRIES + 1):
        opened = await read_archive_file(store, upload.student_id)
        archive_file = opened or await new_archive_file(store, upload.student_id)
        payload = await _payload(store, upload, archive_file, data_key, opens=opened is None)
        try:
            scan: Scan = (await perform(store, viewer, "scan.file", payload)).result
        except RegistrarError as error:
            if filed := await filed_scan(store, upload.id):
                return filed
            # Meanwhile another scan opened or changed the student's archive file, or its key was replaced.
            if number == _TRIES or error.code not in (ErrorCode.DUPLICATE, ErrorCode.TRY_AGAIN):
                raise
            await asyncio.sleep(random.uniform(0, number * _PAUSE_SECONDS))  # noqa: S311 - a pause is no secret
        else:
            return scan
    raise AssertionError("the last try returns or raises")


async def _payload(
    store: Store, upload: Upload, archive_file: ArchiveFile, data_key: bytes, *, opens: bool
) -> ScanFile:
    file_key = await archive_file_key(store, archive_file)
    assert upload.media_type is not None and upload.sha256 is not None  # noqa: S101 - it is checked
    assert upload.holder is not None  # noqa: S101 - by whoever files it
    return ScanFile(
        holder=upload.holder,
        scan_id=upload.id,
        archive_file=archive_file.model_dump(),
        opens_archive_file=opens,
        file_name=upload.file_name,
        media_type=upload.media_type,
        size=upload.offset,
        page_count=upload.page_count,
        sha256=upload.sha256,
        cipher=upload.cipher,
        content_version=upload.content_version,
        segments=upload.segments,
        findings=upload.findings,
        thumbnail=upload.thumbnail,
        preview=upload.preview,
        wrapped_data_key=wrap_data_key(file_key, data_key, upload.id),
    )


async def filed_scan(store: Store, scan_id: ObjectId) -> Scan | None:
    """The scan that came of an upload, which has its id."""
    row = await store.database.collection(Scan).find_one({"_id": scan_id})
    return None if row is None else Scan.model_validate(row)


async def _end_upload(unit: UnitOfWork, payload: ScanFile) -> None:
    """Nobody works on an upload any more once it is filed, and nobody files one that another works on: TRY_AGAIN."""
    ended = await unit.store.database.mongo[UPLOADS].update_one(  # house-rule: an upload is no record
        {"_id": payload.scan_id, "holder": payload.holder, "status": UploadStatus.INDEXED},
        {"$set": {"status": UploadStatus.FILED, "wrapped_key": None, "root_key_id": None}},
        session=unit.session,
    )
    if ended.matched_count != 1:
        raise RegistrarError(ErrorCode.TRY_AGAIN)


async def _check_file(store: Store, viewer: Viewer, payload: ScanFile) -> None:
    parse_file_name(payload.file_name)


async def _apply_file(unit: UnitOfWork, payload: ScanFile) -> Scan:
    name = parse_file_name(payload.file_name)
    assert unit.actor.person_id is not None  # noqa: S101 - only people file
    await _end_upload(unit, payload)
    archive_file = ArchiveFile.model_validate(payload.archive_file)
    if payload.opens_archive_file:
        await open_archive_file(unit, archive_file)
    await count_scan(unit, archive_file)
    scan = Scan(
        id=payload.scan_id,
        student_id=archive_file.student_id,
        archive_file_id=PydanticObjectId(archive_file.key),
        cohort=name.cohort,
        batch=name.batch,
        document_type=name.document_type,
        retention=(await retention_rule(unit.store, name.document_type)).retention,
        uploaded_by=PydanticObjectId(unit.actor.person_id),
        uploaded_by_name=unit.actor.name,
        **payload.model_dump(exclude={"holder", "scan_id", "archive_file", "opens_archive_file"}),
    )
    await unit.insert(scan)
    told = ("file_name", "media_type", "size", "sha256")
    changes = [FieldChange(field, None, getattr(scan, field)) for field in told]
    unit.audit(Subject(Scan.subject_type, scan.key), "scan:file", changes)
    # Not in the student's history, whose readers need not know of the paper.
    return scan


SCAN_FILE = Operation(
    name="scan.file",
    record_type=Scan,
    payload=ScanFile,
    requesters=FILERS,
    subject=lambda payload: Subject(Scan.subject_type, payload.scan_id),
    requested_values=lambda payload: {"file_name": payload.file_name},
    fields=lambda payload: frozenset({"file_name"}),
    check=_check_file,
    apply=_apply_file,
    applies_at_once=True,
)
