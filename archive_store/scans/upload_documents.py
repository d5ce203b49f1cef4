"""Uploads (上传): scans on their way into the archive.

They are no records yet: nothing of them is in the archive, and what comes of one is a governed `scan.file`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo import IndexModel

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.root_keys import WrappedKey
from archive_store.scans.chunked_encryption import ScanCipher
from archive_store.scans.encryption import ScanKey
from archive_store.scans.segments import Segment, StoredContent

UPLOADS = "scan_uploads"
UPLOAD_INDEXES = [
    IndexModel("expires_at"),
    IndexModel([("person_id", 1), ("_id", -1)]),
    IndexModel("status"),
    IndexModel("root_key_id"),
]


class UploadStatus(StrEnum):
    UPLOADING = "UPLOADING"  # 上传中
    QUARANTINED = "QUARANTINED"  # 隔离待检: all bytes are there
    CHECKED = "CHECKED"  # 已检查
    INDEXED = "INDEXED"  # 已编目
    FILED = "FILED"  # 已归档
    REFUSED = "REFUSED"  # 已拒收


class DerivedImage(BaseModel):
    """A picture made of a scan, encrypted under its key: size in bytes and media type of the plaintext."""

    size: int
    object_version: str
    media_type: str

    @property
    def segment(self) -> Segment:
        return Segment(size=self.size, object_version=self.object_version)


class IntakeFinding(BaseModel):
    """A warning of the intake checks (入库检查): `code` of `inspection.inspect.IntakeWarning`, and the pages it is of,
    counted from 1."""

    code: str
    pages: list[int] = []


class Refusal(BaseModel):
    """Why an upload was refused, as the error that its sender got."""

    code: ErrorCode
    field: str | None = None
    rule: str | None = None
    details: dict[str, str] = {}

    @classmethod
    def of(cls, error: RegistrarError) -> Refusal:
        details = {name: str(value) for name, value in error.details.items()}
        return cls(code=error.code, field=error.field, rule=error.rule, details=details)

    @property
    def error(self) -> RegistrarError:
        return RegistrarError(self.code, field=self.field, rule=self.rule, **self.details)


class Upload(BaseModel):
    """An upload, whose id is that of the scan to be. Sizes and `offset` are bytes of plaintext.

    `length` is None where the sender does not tell it. `offset` counts what is stored and was acknowledged: the
    segments and the tail after them. `receptions` counts the requests that brought bytes; where it is more than one,
    objects may be left of those that were cut off. `wrapped_key` is the data key under root key `root_key_id`, None
    once the upload is over. Who works on it holds it: `holder` until `held_until`.
    """

    model_config = ConfigDict(populate_by_name=True, extra="forbid", hide_input_in_errors=True)

    id: PydanticObjectId = Field(alias="_id")
    person_id: PydanticObjectId
    student_id: PydanticObjectId
    file_name: str
    length: int | None
    expected_sha256: str | None
    cipher: ScanCipher
    content_version: int = 1
    root_key_id: str | None
    wrapped_key: bytes | None
    segments: list[Segment] = []
    tail: Segment | None = None
    offset: int = 0
    receptions: int = 0
    status: UploadStatus = UploadStatus.UPLOADING
    media_type: str | None = None
    sha256: str | None = None
    page_count: int | None = None
    findings: list[IntakeFinding] = []
    thumbnail: DerivedImage | None = None
    preview: DerivedImage | None = None
    refusal: Refusal | None = None
    created_at: datetime
    expires_at: datetime
    holder: str | None = None
    held_until: datetime | None = None

    def content(self, key: ScanKey) -> StoredContent:
        """What is stored in segments, whole once all bytes are there."""
        is_whole = self.status is not UploadStatus.UPLOADING
        return StoredContent(self.id, self.content_version, key, self.segments, is_whole)

    @property
    def wrapped(self) -> WrappedKey:
        if self.root_key_id is None or self.wrapped_key is None:
            raise LookupError(f"upload {self.id} is over")
        return WrappedKey(self.root_key_id, self.wrapped_key)
