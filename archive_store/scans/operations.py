"""`scan.file`: filing a scan. The archive group arranges and files (policy §二(一)); whatever is filed is encrypted
(§三(二))."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import structlog
from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import perform
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStoreError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.sign_in import reload_viewer
from archive_store.scans.documents import LOCK_YEARS, ArchiveFile, Scan
from archive_store.scans.encryption import new_key
from archive_store.scans.file_names import RULE as FILE_NAME_RULE
from archive_store.scans.file_names import parse_file_name
from archive_store.scans.keys import (
    archive_file_key,
    count_scan,
    new_archive_file,
    open_archive_file,
    read_archive_file,
    wrap_data_key,
)
from archive_store.scans.pipeline import StoredScan, store_scan
from archive_store.scans.places import upload_place
from archive_store.students.queries import find_student

log = structlog.get_logger("registrar.scans")

FILERS = frozenset({Post.ARCHIVE_GROUP, Post.INFORMATION_GROUP, Post.DIRECTOR})


class ScanFile(Payload):
    """Payload of `scan.file`: the scan whose bytes are stored already, and the archive file it goes to."""

    scan_id: PydanticObjectId
    archive_file: dict[str, Any]
    opens_archive_file: bool
    file_name: str
    media_type: str
    size: int
    page_count: int | None
    sha256: str
    object_key: str
    object_version: str
    wrapped_data_key: bytes


async def file_scan(
    store: Store,
    viewer: Viewer,
    student_id: ObjectId,
    file_name: str,
    body: AsyncIterator[bytes],
    *,
    expected_sha256: str | None = None,
) -> Scan:
    """Store the body encrypted, then file it; either both happen or nothing of it stays.

    Raises FORBIDDEN, TRY_AGAIN while other uploads take all places, NOT_FOUND, INVALID_FILE_NAME, and what
    `store_scan` raises.
    """
    # Who may not file learns nothing from what follows.
    viewer.require_any(FILERS, rule="operation scan.file")
    with upload_place(viewer.person_id):
        return await _file(store, viewer, student_id, file_name, body, expected_sha256)


async def _file(
    store: Store,
    viewer: Viewer,
    student_id: ObjectId,
    file_name: str,
    body: AsyncIterator[bytes],
    expected_sha256: str | None,
) -> Scan:
    name = parse_file_name(file_name)
    found = await find_student(store, viewer, student_id, frozenset({"auxiliary_number"}))
    if not found.rows:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student")
    if name.student_number not in (None, found.rows[0].get("auxiliary_number")):
        raise RegistrarError(ErrorCode.INVALID_FILE_NAME, field="file_name", rule=FILE_NAME_RULE)
    scan_id, data_key = ObjectId(), new_key()
    stored = await store_scan(
        store.objects,
        body,
        scan_id=scan_id,
        data_key=data_key,
        size_limit=store.settings.scan_size_limit,
        expected_sha256=expected_sha256,
    )
    try:
        # An upload can take hours, in which a post may have ended.
        viewer = await reload_viewer(store, viewer)
        scan = await _record(store, viewer, student_id, scan_id, str(name), stored, data_key)
    except BaseException:
        await asyncio.shield(_remove_unless_filed(store, scan_id, stored))
        raise
    until = store.clock.now() + timedelta(days=366 * LOCK_YEARS[scan.retention])
    try:
        await store.objects.lock(stored.object_key, stored.object_version, until)
    except ObjectStoreError:
        # It is filed and whole; who runs the store must know that it can still be removed there.
        log.exception("scan_not_locked", scan=str(scan_id))
    return scan


async def _record(
    store: Store,
    viewer: Viewer,
    student_id: ObjectId,
    scan_id: ObjectId,
    file_name: str,
    stored: StoredScan,
    data_key: bytes,
) -> Scan:
    """Write the scan, with the student's archive file if it is the first one."""
    for is_last_try in (False, True):
        opened = await read_archive_file(store, student_id)
        archive_file = opened or await new_archive_file(store, student_id)
        file_key = await archive_file_key(store, archive_file)
        payload = ScanFile(
            scan_id=scan_id,
            archive_file=archive_file.model_dump(),
            opens_archive_file=opened is None,
            file_name=file_name,
            wrapped_data_key=wrap_data_key(file_key, data_key, scan_id),
            **asdict(stored),
        )
        try:
            scan: Scan = (await perform(store, viewer, "scan.file", payload)).result
        except RegistrarError as error:
            # Meanwhile another first scan of the student opened the archive file, or its key was replaced.
            if is_last_try or error.code not in (ErrorCode.DUPLICATE, ErrorCode.TRY_AGAIN):
                raise
        else:
            return scan
    raise AssertionError("the second try returns or raises")


async def _remove_unless_filed(store: Store, scan_id: ObjectId, stored: StoredScan) -> None:
    """A commit can have happened although its answer was lost."""
    if await store.database.collection(Scan).find_one({"_id": scan_id}, {"_id": 1}) is None:
        await store.objects.remove(stored.object_key, stored.object_version)


async def _check_file(store: Store, viewer: Viewer, payload: ScanFile) -> None:
    parse_file_name(payload.file_name)


async def _apply_file(unit: UnitOfWork, payload: ScanFile) -> Scan:
    name = parse_file_name(payload.file_name)
    assert unit.actor.person_id is not None  # noqa: S101 - only people file
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
        uploaded_by=PydanticObjectId(unit.actor.person_id),
        uploaded_by_name=unit.actor.name,
        **payload.model_dump(exclude={"scan_id", "archive_file", "opens_archive_file"}),
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
