"""`scanUploads`: the viewer's own uploads. Their bytes come over HTTP, by tus (docs/uploads.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from archive_store.scans.upload_documents import Upload
from archive_store.scans.uploads import own_uploads
from schema.context import Request
from schema.enums import ScanUploadStatus
from schema.errors import UserError, user_error
from schema.nodes import global_id
from schema.scans.findings import ScanFinding
from schema.scans.types import Scan, note_withheld

UPLOAD_TYPE = "ScanUpload"


@strawberry.type(description="上传: a scan on its way into the archive, of whoever asks.")
class ScanUpload:
    file_name: str = strawberry.field(description="文件名, by the policy's naming §三(二)")
    offset: float = strawberry.field(description="bytes that are stored")
    status: ScanUploadStatus
    expires_at: datetime = strawberry.field(description="when it is removed, unless it goes on before")
    findings: list[ScanFinding] = strawberry.field(description="what the checks found")

    @strawberry.field(description="Id, as the address of the upload has it.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(global_id(UPLOAD_TYPE, _upload(self).id))

    @strawberry.field(description="Global id of the student.")
    def student_id(self) -> strawberry.ID:
        return strawberry.ID(global_id("Student", _upload(self).student_id))

    @strawberry.field(description="bytes of the file, where its sender has told")
    def size(self) -> float | None:
        return _upload(self).length

    @strawberry.field(description="Why it was refused, if it was.")
    def refusal(self) -> UserError | None:
        refusal = _upload(self).refusal
        return None if refusal is None else user_error(refusal.error)

    @strawberry.field(description="扫描件 that it became, where the viewer may know of it.")
    async def scan(self, info: Request) -> Scan | None:
        view = await info.context.loaders.scans.load(_upload(self).id)
        if view is not None:
            note_withheld(info, [view])
        return view  # type: ignore[return-value]


def _upload(source: Any) -> Upload:
    assert isinstance(source, Upload)  # noqa: S101
    return source


async def resolve_scan_uploads(info: Request, first: int = 20) -> list[ScanUpload]:
    """The viewer's own uploads, newest first."""
    return await own_uploads(info.context.store, info.context.viewer, limit=first)  # type: ignore[return-value]
