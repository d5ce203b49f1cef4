"""Orphans: object versions of the bucket under `scans/` that neither a scan nor an upload names.

An upload that is not removed yet names whatever lies under its id: its own jobs clean up. So does a scan that is
disposed of, until its objects are removed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import structlog
from bson import ObjectId
from bson.errors import InvalidId
from pydantic import ValidationError

from archive_store.audit.documents import ENTRIES
from archive_store.foundation.database import Row
from archive_store.foundation.object_store import ObjectStoreError, ObjectVersion
from archive_store.foundation.store import Store
from archive_store.preservation.fixity_documents import CHECKS, FixityRun
from archive_store.scans.documents import Scan
from archive_store.scans.removal import StoredObject, objects_of
from archive_store.scans.segments import scan_prefix
from archive_store.scans.upload_documents import UPLOADS

ROOT = "scans/"
REMOVABLE_AFTER = timedelta(days=1)
log = structlog.get_logger("registrar.fixity")


async def find_orphans(
    store: Store, scan_ids: Sequence[ObjectId] | None = None
) -> AsyncIterator[ObjectVersion]:
    """Of the bucket, or of some scans, in the order of their keys; ObjectStoreError."""
    prefixes = [ROOT] if scan_ids is None else [scan_prefix(scan_id) for scan_id in scan_ids]
    for prefix in prefixes:
        async for page in store.objects.pages(prefix):
            for orphan in await _orphans_of(store, page):
                yield orphan


async def remove_orphan(store: Store, run: FixityRun, orphan: ObjectVersion) -> bool:
    """Remove it if it is older than a day; false where it stays.

    What is locked stays, and what may be all that is left of a scan: the run must have found the scan sound, unless
    the history tells of none.
    """
    if orphan.stored_at is None or store.clock.now() - orphan.stored_at < REMOVABLE_AFTER:
        return False
    if not await _is_superfluous(store, run, _scan_id(orphan.key)):
        return False
    try:
        await store.objects.remove(orphan.key, orphan.version)
    except ObjectStoreError as error:
        log.warning("orphan_not_removed", key=orphan.key, version=orphan.version, error=str(error))
        return False
    return True


async def _is_superfluous(store: Store, run: FixityRun, scan_id: ObjectId | None) -> bool:
    filed = {"subject_type": Scan.subject_type, "subject_id": scan_id, "kind": "scan:file"}
    if scan_id is None or await store.database.mongo[ENTRIES].find_one(filed, {"_id": 1}) is None:
        return True
    sound = {"_id": scan_id, "run_id": run.key, "damages": []}
    is_there = await store.database.collection(Scan).find_one({"_id": scan_id}, {"_id": 1})
    return is_there is not None and await store.database.mongo[CHECKS].find_one(sound, {"_id": 1}) is not None


async def _orphans_of(store: Store, page: Sequence[ObjectVersion]) -> list[ObjectVersion]:
    ids = {each.key: _scan_id(each.key) for each in page}
    asked = {"_id": {"$in": sorted({key for key in ids.values() if key is not None})}}
    # Uploads first: one that is gone by then has been filed, or its objects are removed.
    uploads = store.database.mongo[UPLOADS].find(asked, {"_id": 1})
    untold = {row["_id"] async for row in uploads}
    named: set[StoredObject] = set()
    async for row in store.database.collection(Scan).find(asked):
        if (objects := _named_by(row)) is None:
            untold.add(row["_id"])
        else:
            named.update(objects)
    return [each for each in page if ids[each.key] not in untold and (each.key, each.version) not in named]


def _named_by(row: Row) -> list[StoredObject] | None:
    """None where it names whatever lies there: it is disposed of, or the record is damaged."""
    try:
        scan = Scan.model_validate(row)
    except ValidationError:
        return None
    if scan.wrapped_data_key is None:
        return None
    return objects_of(scan)


def _scan_id(key: str) -> ObjectId | None:
    name = key.removeprefix(ROOT).partition("/")[0]
    try:
        return ObjectId(name)
    except InvalidId:
        return None
