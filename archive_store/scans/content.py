"""Reading the bytes of a scan: sensitive or sealed by its document type, and every view is recorded first."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import ScanKey
from archive_store.scans.keys import scan_data_key
from archive_store.scans.queries import ScanView, find_scan
from archive_store.scans.retention import require_content
from archive_store.scans.segments import read_content


@dataclass(frozen=True, slots=True)
class Content:
    """What goes with the bytes. Whoever has them can tell type, size and digest; not the name, None if not theirs."""

    media_type: str
    size: int
    sha256: str
    file_name: str | None


async def open_scan(
    store: Store, viewer: Viewer, scan_id: ObjectId
) -> tuple[Content, AsyncGenerator[bytes, None]]:
    """What goes with the bytes of a scan, and its plaintext; closing the iterator releases what it reads from.

    NOT_FOUND where the viewer may not know of it, PURPOSE_REQUIRED or FORBIDDEN where they may but not read it.
    Raises before the first byte; a damaged file ends the iterator with DamagedScanError.
    """
    view = await _allow_view(store, viewer, scan_id)
    scan = Scan.model_validate(await store.database.collection(Scan).find_one({"_id": scan_id}))
    require_content(scan)
    key = ScanKey(scan.cipher, await scan_data_key(store, scan_id))

    async def note_view(unit: UnitOfWork) -> None:
        # Not in the student's history, whose readers need not know of the paper.
        unit.audit(Subject(Scan.subject_type, scan_id), "scan:view")

    await governed_transaction(store, viewer.actor, "scan.view", note_view, reason=viewer.reading.purpose)
    content = read_content(store.objects, scan.content(key))
    # Read now, so that a file that is not there is an error and not a torn answer.
    first = await anext(content, b"")
    told = Content(scan.media_type, scan.size, scan.sha256, view.file_name)
    return told, _after(first, content)


async def _allow_view(store: Store, viewer: Viewer, scan_id: ObjectId) -> ScanView:
    while True:
        view = await find_scan(store, viewer, scan_id)
        if view is None:
            raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
        if view.download_refusal is not None:
            raise view.download_refusal
        read = ReadRows(frozenset({"content"}), [scan_id], view.grants_for_content)
        try:
            await record_reading(store, viewer, Scan, [read])
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)
        else:
            return view


async def _after(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        await rest.aclose()
