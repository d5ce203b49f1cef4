"""Archive files (案卷) and scans (扫描件) as stored. The bytes lie encrypted in the object store."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import Field
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.scans.chunked_encryption import ScanCipher
from archive_store.scans.encryption import DamagedScanError, ScanKey
from archive_store.scans.segments import Segment, StoredContent
from archive_store.scans.upload_documents import DerivedImage, IntakeFinding

F0, F1, F2, F3, F4 = FieldClass


class ArchiveFile(Record):
    """案卷: one per student, with the key that wraps the keys of its scans, itself wrapped by a root key.

    `key_version` counts the keys it has had, the newest made at `key_made_at`; `scan_count` the scans filed to it. Who
    files a scan changes it in the same transaction, so that no key is wrapped by one that is just being replaced.
    """

    subject_type: ClassVar[str] = "ArchiveFile"

    student_id: Annotated[PydanticObjectId, F1]
    wrapped_key: Annotated[bytes, F1]
    root_key_id: Annotated[str, F1]
    key_version: Annotated[int, F1] = 1
    key_made_at: Annotated[datetime | None, F1] = None
    scan_count: Annotated[int, F1] = 0

    class Settings:
        name = "archive_files"
        indexes = [  # noqa: RUF012
            IndexModel("student_id", unique=True),
            IndexModel("root_key_id"),
            IndexModel("key_made_at"),
        ]


class ScanStatus(StrEnum):
    FILED = "FILED"  # 已归档
    ON_HOLD = "ON_HOLD"  # 冻结: nothing of it may be disposed of
    DISPOSAL_PROPOSED = "DISPOSAL_PROPOSED"  # 待销毁鉴定
    DISPOSED = "DISPOSED"  # 已销毁: its key is destroyed, a stub stays


class RetentionClass(StrEnum):
    """保管期限. The status file and its papers are kept for good unless a school's table says otherwise."""

    PERMANENT = "PERMANENT"
    YEARS_30 = "YEARS_30"
    YEARS_10 = "YEARS_10"


# For how long the object store refuses to remove the bytes; disposal before that destroys the key.
LOCK_YEARS = {RetentionClass.PERMANENT: 100, RetentionClass.YEARS_30: 30, RetentionClass.YEARS_10: 10}


class Scan(Record):
    """扫描件: sizes in bytes, `sha256` of the plaintext in hex.

    `findings` are the warnings of its intake. `wrapped_data_key` is None once the scan is disposed of.
    """

    subject_type: ClassVar[str] = "Scan"

    student_id: Annotated[PydanticObjectId, F1]
    archive_file_id: Annotated[PydanticObjectId, F1]
    file_name: Annotated[str, F2]
    document_type: Annotated[str, F1]
    cohort: Annotated[int, F1]
    batch: Annotated[int, F1]
    media_type: Annotated[str, F1]
    size: Annotated[int, F1]
    page_count: Annotated[int | None, F1] = None
    # A digest confirms a guess at the content, so it is as personal as the name.
    sha256: Annotated[str, F2]
    # A hold tells of a dispute, so it is as personal as the name.
    status: Annotated[ScanStatus, F2] = ScanStatus.FILED
    hold_ids: Annotated[list[PydanticObjectId], F2] = Field(default_factory=list)  # those in force
    # The object store has still to be told of a hold, or of its end.
    is_store_hold_due: Annotated[bool, F2] = False
    retention: Annotated[RetentionClass, F1] = RetentionClass.PERMANENT
    uploaded_by: Annotated[PydanticObjectId, F1]
    uploaded_by_name: Annotated[str, F1]
    cipher: Annotated[ScanCipher, F1]
    content_version: Annotated[int, F1] = 1
    segments: Annotated[list[Segment], F1]
    findings: Annotated[list[IntakeFinding], F1] = Field(default_factory=list)
    thumbnail: Annotated[DerivedImage | None, F1] = None
    preview: Annotated[DerivedImage | None, F1] = None
    wrapped_data_key: Annotated[bytes | None, F1]  # None once it is disposed of
    # Until when the object store refuses to remove its bytes, where that is known.
    locked_until: Annotated[datetime | None, F1] = None
    disposal_batch_id: Annotated[PydanticObjectId | None, F2] = None
    disposed_at: Annotated[datetime | None, F2] = None
    objects_removed_at: Annotated[datetime | None, F2] = None

    def content(self, key: ScanKey) -> StoredContent:
        """What is stored of it; DamagedScanError where that is not as much as was filed."""
        stored = StoredContent(self.key, self.content_version, key, self.segments)
        if stored.size != self.size:
            raise DamagedScanError("segments are missing")
        return stored

    class Settings:
        name = "scans"
        indexes = [  # noqa: RUF012
            IndexModel([("student_id", 1), ("_id", -1)]),
            # What is due for disposal, and what the object store has still to be told.
            IndexModel([("status", 1), ("document_type", 1), ("created_at", 1)]),
            IndexModel([("locked_until", 1), ("_id", 1)]),
            IndexModel("objects_removed_at", partialFilterExpression={"status": "DISPOSED"}),
            IndexModel("is_store_hold_due", partialFilterExpression={"is_store_hold_due": True}),
            IndexModel("created_at"),
        ]
