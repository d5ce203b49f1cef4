"""`scan.file`: filing a scan. The archive group arranges and files (policy §二(一)); whatever is filed is encrypted
(§三(二))."""

from __future__ import annotations

from collections.abc import AsyncIterator

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import perform
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.scans.documents import ArchiveFile, Scan
from archive_store.scans.encryption import ARCHIVE_FILE_KEY, DATA_KEY, new_key, unwrap_key, wrap_key
from archive_store.scans.file_names import parse_file_name
from archive_store.scans.pipeline import StoredScan, store_scan
from archive_store.students.documents import Student
from archive_store.students.queries import find_student

FILERS = frozenset({Post.ARCHIVE_GROUP, Post.INFORMATION_GROUP, Post.DIRECTOR})


class ScanFile(Payload):
    """Payload of `scan.file`: the scan whose bytes are stored already."""

    scan_id: PydanticObjectId
    student_id: PydanticObjectId
    archive_file_id: PydanticObjectId
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

    Raises FORBIDDEN, NOT_FOUND, INVALID_FILE_NAME, and what `store_scan` raises.
    """
    # Who may not file learns nothing from what follows.
    viewer.require_any(FILERS, rule="operation scan.file")
    name = str(parse_file_name(file_name))
    found = await find_student(store, viewer, student_id, frozenset())
    if not found.rows:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student")
    archive_file = await _archive_file(store, viewer, student_id)
    file_key = unwrap_key(store.keyring.scans, archive_file.wrapped_key, ARCHIVE_FILE_KEY, archive_file.key)
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
        payload = _payload(
            stored, scan_id, archive_file, name, wrap_key(file_key, data_key, DATA_KEY, scan_id)
        )
        outcome = await perform(store, viewer, "scan.file", payload)
    except BaseException:
        await store.objects.remove(stored.object_key, stored.object_version)
        raise
    scan: Scan = outcome.result
    return scan


def _payload(
    stored: StoredScan, scan_id: ObjectId, archive_file: ArchiveFile, file_name: str, wrapped_key: bytes
) -> ScanFile:
    return ScanFile(
        scan_id=scan_id,
        student_id=archive_file.student_id,
        archive_file_id=archive_file.key,
        file_name=file_name,
        media_type=stored.media_type,
        size=stored.size,
        page_count=stored.page_count,
        sha256=stored.sha256,
        object_key=stored.object_key,
        object_version=stored.object_version,
        wrapped_data_key=wrapped_key,
    )


async def _archive_file(store: Store, viewer: Viewer, student_id: ObjectId) -> ArchiveFile:
    """The student's archive file, opened on first use."""
    if (found := await read_archive_file(store, student_id)) is not None:
        return found
    file_id = ObjectId()
    wrapped = wrap_key(store.keyring.scans, new_key(), ARCHIVE_FILE_KEY, file_id)
    opened = ArchiveFile(id=file_id, student_id=student_id, wrapped_key=wrapped, root_key_id=store.keyring.id)

    async def open_file(unit: UnitOfWork) -> None:
        await unit.insert(opened)
        unit.audit(Subject(ArchiveFile.subject_type, file_id), "archive_file:open")

    try:
        await governed_transaction(store, viewer.actor, "archive_file.open", open_file)
    except RegistrarError as error:
        # Somebody else opened it meanwhile.
        if (
            error.code is not ErrorCode.DUPLICATE
            or (found := await read_archive_file(store, student_id)) is None
        ):
            raise
        return found
    return opened


async def read_archive_file(store: Store, student_id: ObjectId) -> ArchiveFile | None:
    row = await store.database.collection(ArchiveFile).find_one({"student_id": student_id})
    return None if row is None else ArchiveFile.model_validate(row)


async def _check_file(store: Store, viewer: Viewer, payload: ScanFile) -> None:
    parse_file_name(payload.file_name)


async def _apply_file(unit: UnitOfWork, payload: ScanFile) -> Scan:
    name = parse_file_name(payload.file_name)
    assert unit.actor.person_id is not None  # noqa: S101 - only people file
    scan = Scan(
        id=payload.scan_id,
        cohort=name.cohort,
        batch=name.batch,
        document_type=name.document_type,
        uploaded_by=unit.actor.person_id,
        uploaded_by_name=unit.actor.name,
        **payload.model_dump(exclude={"scan_id"}),
    )
    await unit.insert(scan)
    told = ("file_name", "media_type", "size", "sha256")
    changes = [FieldChange(field, None, getattr(scan, field)) for field in told]
    unit.audit(Subject(Scan.subject_type, scan.key), "scan:file", changes)
    # In the student's own history only that it happened: the rest is said under the scan.
    unit.audit(Subject(Student.subject_type, payload.student_id), "student:scan:file", note=str(scan.key))
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
)
