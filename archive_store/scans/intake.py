"""The intake of an upload whose bytes are all there: checked, indexed, filed, or refused.

QUARANTINED until the checks are over, CHECKED, INDEXED by its name (policy §三(二)), FILED by `scan.file`. Each step is
kept, so that whoever takes over goes on from there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog

from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectMissingError, ObjectStoreError
from archive_store.foundation.store import Store
from archive_store.inspection.findings import Inspection, IntakeWarning
from archive_store.inspection.inspect import inspect
from archive_store.inspection.viruses import StreamTooLongError, VirusScannerError, find_virus
from archive_store.people.sign_in import viewer_of_person
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import DamagedScanError, Part, ScanKey, SegmentPlace
from archive_store.scans.file_names import parse_file_name
from archive_store.scans.holding import HeldUpload
from archive_store.scans.keys import unwrap_upload_key
from archive_store.scans.locks import lock_scan
from archive_store.scans.operations import FILERS, record_scan
from archive_store.scans.queries import scans_by_student
from archive_store.scans.removal import objects_of, remove_objects
from archive_store.scans.segments import RangeReader, StoredContent, read_content, store_segment
from archive_store.scans.upload_documents import DerivedImage, IntakeFinding, Refusal, Upload, UploadStatus

# An upload that meets one of these is asked for again; all others refuse it for good.
_PASSING = frozenset({ErrorCode.TRY_AGAIN, ErrorCode.LOCKED, ErrorCode.TIMED_OUT, ErrorCode.INTERNAL})
IMAGE_TYPE = "image/jpeg"
_ASK_AGAIN_SECONDS = 1.0
log = structlog.get_logger("registrar.scans")


async def finish(store: Store, held: HeldUpload, sha256: str | None) -> Scan:
    """Check and file; `sha256` of the content where it is known. What refuses it is raised, and nothing stays."""
    upload = held.upload
    key = ScanKey(upload.cipher, await unwrap_upload_key(store, upload.wrapped, upload.id))
    try:
        # An upload can take days, in which a post may have ended.
        viewer = await viewer_of_person(store, upload.person_id)
        viewer.require_any(FILERS, rule="operation scan.file")
        if held.upload.status is UploadStatus.QUARANTINED:
            await _check_whole(store, held, key, sha256)
        if held.upload.status is UploadStatus.CHECKED:
            await _index(store, viewer, held)
        scan = await record_scan(store, viewer, held.upload, key.data_key)
    except RegistrarError as error:
        if error.code not in _PASSING:
            await refuse(store, held, error)
        raise
    await _file(store, held, scan)
    return scan


async def refuse(store: Store, held: HeldUpload, error: RegistrarError) -> None:
    """Keep why, not what: its key and its objects go."""
    log.info("upload_refused", upload=str(held.upload.id), code=error.code)
    try:
        await discard(store, held, error)
    except ObjectStoreError:
        # They go when the upload is removed; nothing opens them.
        log.warning("refused_upload_not_removed", upload=str(held.upload.id))


async def discard(store: Store, held: HeldUpload, error: RegistrarError) -> None:
    """End an upload that is not filed, then remove its objects: from the first step on nobody can file it any more."""
    over = {
        "status": UploadStatus.REFUSED,
        "refusal": Refusal.of(error),
        "wrapped_key": None,
        "root_key_id": None,
    }
    await held.change({**over, "segments": [], "tail": None, "thumbnail": None, "preview": None})
    await remove_objects(store.objects, held.upload.id)


async def _check_whole(store: Store, held: HeldUpload, key: ScanKey, sha256: str | None) -> None:
    """As `_check`; DAMAGED where what is stored of the upload cannot be read, also when it is asked for again."""
    for is_last_try in (False, True):
        try:
            return await _check(store, held, key, sha256)
        except (DamagedScanError, ObjectMissingError) as error:
            log.exception("upload_damaged", upload=str(held.upload.id))
            if is_last_try:
                raise RegistrarError(ErrorCode.DAMAGED) from error
        await asyncio.sleep(_ASK_AGAIN_SECONDS)
    raise AssertionError("the last try returns or raises")


async def _check(store: Store, held: HeldUpload, key: ScanKey, sha256: str | None) -> None:
    upload, content = held.upload, held.upload.content(key)
    sha256 = sha256 or await _digest_of(store, content)
    if upload.expected_sha256 not in (None, sha256):
        raise RegistrarError(ErrorCode.DIGEST_MISMATCH, field="X-Content-SHA256")
    is_virus_checked = await _check_for_viruses(store, upload, content)
    found = await _inspected(store, upload, content)
    findings = [IntakeFinding(code=each.code, pages=list(each.pages)) for each in found.findings]
    if not is_virus_checked:
        findings.append(IntakeFinding(code=IntakeWarning.NOT_VIRUS_CHECKED))
    await held.change(
        {
            "status": UploadStatus.CHECKED,
            "sha256": sha256,
            "page_count": found.page_count,
            "findings": findings,
            "thumbnail": await _keep_image(store, content, Part.THUMBNAIL, found.thumbnail),
            "preview": await _keep_image(store, content, Part.PREVIEW, found.preview),
        }
    )


async def _check_for_viruses(store: Store, upload: Upload, content: StoredContent) -> bool:
    """Whether there was nothing to find, by a scanner or for want of one; INFECTED, TRY_AGAIN while it is away."""
    if store.settings.clamd is None:
        return True
    try:
        virus = await find_virus(store.settings, read_content(store.objects, content))
    except StreamTooLongError:
        return False
    except VirusScannerError as error:
        log.warning("virus_scanner_unavailable", upload=str(upload.id), why=str(error))
        raise RegistrarError(ErrorCode.TRY_AGAIN) from error
    if virus is not None:
        log.warning("virus_found", upload=str(upload.id), virus=virus)
        raise RegistrarError(ErrorCode.INFECTED)
    return True


async def _digest_of(store: Store, content: StoredContent) -> str:
    digest = hashlib.sha256()
    async for piece in read_content(store.objects, content):
        digest.update(piece)
    return digest.hexdigest()


async def _inspected(store: Store, upload: Upload, content: StoredContent) -> Inspection:
    assert upload.media_type is not None  # noqa: S101 - known from the first bytes on
    reader = RangeReader(store.objects, content)
    return await inspect(
        upload.media_type, content.size, reader.read, page_limit=store.settings.scan_page_limit
    )


async def _keep_image(
    store: Store, content: StoredContent, part: Part, image: bytes | None
) -> DerivedImage | None:
    if image is None:
        return None
    place = SegmentPlace(content.scan_id, content.content_version, part)
    stored = await store_segment(store.objects, content.key, place, image)
    return DerivedImage(size=stored.size, object_version=stored.object_version, media_type=IMAGE_TYPE)


async def _index(store: Store, viewer: Viewer, held: HeldUpload) -> None:
    upload = held.upload
    known: Sequence[Any] = (await scans_by_student(store, viewer, [upload.student_id]))[0] or ()
    rules, name = viewer.policy.rules, parse_file_name(upload.file_name)
    # Whoever reads the warning later knows of this scan, and so of all that are no more secret than it.
    most = rules.document_class(name.document_type)
    same = [scan for scan in known if scan.id != upload.id and scan.sha256 == upload.sha256]
    findings = list(upload.findings)
    if any(scan.content_class <= most for scan in same):
        findings.append(IntakeFinding(code=IntakeWarning.DUPLICATE))
    await held.change({"status": UploadStatus.INDEXED, "findings": findings})


async def _file(store: Store, held: HeldUpload, scan: Scan) -> None:
    # Filed it is, also where another holds its upload by now.
    with suppress(RegistrarError):
        await held.reload()
    try:
        if held.upload.receptions > 1:
            await remove_strays(store, scan)
        await lock_scan(store, scan)
    except ObjectStoreError:
        # It is filed and whole. Strays go when the upload is removed, the lock is set by the worker.
        log.exception("scan_not_locked", scan=str(scan.key))


async def remove_strays(store: Store, scan: Scan) -> None:
    """Remove what interrupted requests left beside the objects of a filed scan."""
    kept = objects_of(scan)
    await remove_objects(store.objects, scan.key, keep=frozenset(kept))
