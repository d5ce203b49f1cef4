"""Removing objects of scans: all of an upload that came to nothing, or what an interruption left beside a whole one."""

from __future__ import annotations

from collections.abc import Collection

from bson import ObjectId

from archive_store.foundation.object_store import ObjectStore
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import Part, SegmentPlace
from archive_store.scans.segments import object_key, scan_prefix

StoredObject = tuple[str, str]  # key and version


def objects_of(scan: Scan) -> list[StoredObject]:
    """The objects that a scan names, those of its content first and in their order."""
    version = scan.content_version
    named = [
        (object_key(SegmentPlace(scan.key, version, Part.CONTENT, number)), segment.object_version)
        for number, segment in enumerate(scan.segments)
    ]
    for part, image in ((Part.THUMBNAIL, scan.thumbnail), (Part.PREVIEW, scan.preview)):
        if image is not None:
            named.append((object_key(SegmentPlace(scan.key, version, part)), image.object_version))
    return named


async def remove_objects(
    objects: ObjectStore, scan_id: ObjectId, *, keep: Collection[StoredObject] = ()
) -> int:
    """Remove every object version of a scan but those to keep; how many. ObjectStoreError."""
    removed = 0
    for key, version in await objects.versions(scan_prefix(scan_id)):
        if (key, version) not in keep:
            await objects.remove(key, version)
            removed += 1
    return removed
