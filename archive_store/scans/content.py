"""Reading the bytes of a scan: sensitive or sealed by its document type, and every viewing is recorded first.

Bytes leave by this module only: an address at which the object store itself gives them out would pass by their
decryption, the reader's rights and the audit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.people.sign_in import reload_viewer
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import Part, ScanKey, SegmentPlace
from archive_store.scans.keys import scan_data_key
from archive_store.scans.places import reader_place
from archive_store.scans.queries import ScanView, find_scan
from archive_store.scans.retention import require_content
from archive_store.scans.segments import load_segment, read_content
from archive_store.scans.viewings import Viewing, ViewingOpenError, begin_viewing, note_viewing, viewing_now


@dataclass(frozen=True, slots=True)
class Content:
    """What goes with the bytes. Whoever has them can tell type, size and digest; not the name, None if not theirs."""

    media_type: str
    size: int
    sha256: str
    file_name: str | None


class OpenScan:
    """A scan whose bytes the viewer may read, which is recorded."""

    def __init__(self, store: Store, viewer: Viewer, scan: Scan, key: ScanKey, file_name: str | None) -> None:
        self.told = Content(scan.media_type, scan.size, scan.sha256, file_name)
        self._store = store
        self._reader_id = viewer.person_id
        self._scan = scan
        self._key = key

    async def read(self, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The plaintext from `start` to before `end`; closing the iterator releases what it reads from.

        Raises before the first byte, TRY_AGAIN while too many read; what is damaged later ends the iterator with
        DamagedScanError.
        """
        content = read_content(self._store.objects, self._scan.content(self._key), start, end)
        reading = _reading(content, self._reader_id)
        # Begun now, so that a file that is not there is an error and not a torn answer, and that closing it ends all.
        await anext(reading)
        return reading

    async def image(self, part: Part) -> tuple[str, bytes]:
        """Media type and bytes of the thumbnail or preview; NOT_FOUND where none could be made."""
        scan = self._scan
        image = scan.thumbnail if part is Part.THUMBNAIL else scan.preview
        if image is None:
            raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
        place = SegmentPlace(scan.key, scan.content_version, part)
        return image.media_type, await load_segment(self._store.objects, self._key, place, image.segment)


async def open_scan(
    store: Store, viewer: Viewer, scan_id: ObjectId
) -> tuple[Content, AsyncGenerator[bytes, None]]:
    """What goes with the bytes of a scan, and all its plaintext: a viewing by itself. Raises as `view_scan`."""
    opened = await view_scan(store, viewer, scan_id)
    return opened.told, await opened.read()


async def view_scan(store: Store, viewer: Viewer, scan_id: ObjectId, *, continues: bool = False) -> OpenScan:
    """A scan to read from. With `continues` it belongs to the viewing that there is, if there is one.

    NOT_FOUND where the viewer may not know of it, PURPOSE_REQUIRED or FORBIDDEN where they may but not read it.
    """
    view, is_noted = await _allow_view(store, viewer, scan_id, continues=continues)
    scan = await _with_content(store, scan_id)
    try:
        key = ScanKey(scan.cipher, await scan_data_key(store, scan_id))
    except LookupError:
        # It can have been disposed of since it was read.
        await _with_content(store, scan_id)
        raise

    async def note_view(unit: UnitOfWork) -> None:
        if await note_viewing(unit, viewer, scan_id) or not continues:
            # Not in the student's history, whose readers need not know of the paper.
            unit.audit(Subject(Scan.subject_type, scan_id), "scan:view")

    if not is_noted:
        await governed_transaction(store, viewer.actor, "scan.view", note_view, reason=viewer.reading.purpose)
    return OpenScan(store, viewer, scan, key, view.file_name)


async def _with_content(store: Store, scan_id: ObjectId) -> Scan:
    """The scan as it stands; DISPOSED where its content is gone."""
    row = await store.database.collection(Scan).find_one({"_id": scan_id})
    scan: Scan = Scan.model_validate(row)
    require_content(scan)
    return scan


async def _allow_view(
    store: Store, viewer: Viewer, scan_id: ObjectId, *, continues: bool
) -> tuple[ScanView, bool]:
    """What there is to view, and whether the scan's history tells of this viewing already."""
    while True:
        viewing = await viewing_now(store, viewer, scan_id) if continues else None
        if viewing is not None and (view := await _continued_view(store, viewer, scan_id, viewing)):
            return view, viewing.is_noted
        view = _allowed(await find_scan(store, viewer, scan_id))
        grant_ids = view.grants_for_content
        begin = partial(
            begin_viewing,
            viewer=viewer,
            scan_id=scan_id,
            grant_ids=grant_ids,
            continues=continues and viewing is None,
        )
        read = ReadRows(frozenset({"content"}), [scan_id], grant_ids)
        try:
            await record_reading(store, viewer, Scan, [read], beside=begin)
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)
        except ViewingOpenError:
            continue
        else:
            return view, False


async def _continued_view(
    store: Store, viewer: Viewer, scan_id: ObjectId, viewing: Viewing
) -> ScanView | None:
    """What there is to view by a viewing that was begun, None where that does not do: a new one is to be begun."""
    # The grants that the viewing has used are good for all of it, unless they ended; posts and ties are those of now.
    reading = replace(viewer.reading, grants_used=set(viewing.grant_ids))
    now = await reload_viewer(store, replace(viewer, reading=reading))
    view = _allowed(await find_scan(store, now, scan_id))
    # What only another grant opens takes a view of that one.
    return view if view.grants_for_content <= viewing.grant_ids else None


def _allowed(view: ScanView | None) -> ScanView:
    if view is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    if view.download_refusal is not None:
        raise view.download_refusal
    return view


async def _reading(content: AsyncGenerator[bytes, None], reader_id: ObjectId) -> AsyncGenerator[bytes, None]:
    """Nothing, once the first piece is there; then all of them."""
    async with reader_place(reader_id), aclosing(content):
        first = await anext(content, b"")
        yield b""
        yield first
        del first
        async for piece in content:
            yield piece
