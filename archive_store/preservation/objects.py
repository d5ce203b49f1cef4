"""Legal holds of the bucket, on all objects of a scan: its bytes, and whatever was made of them."""

from __future__ import annotations

from contextlib import suppress

from bson import ObjectId

from archive_store.foundation.object_store import ObjectMissingError
from archive_store.foundation.store import Store
from archive_store.scans.segments import scan_prefix


async def hold_objects(store: Store, scan_id: ObjectId, *, is_held: bool) -> None:
    """Set or end the legal hold on each object, listed by the prefix so that none is forgotten; may be done again.

    ObjectStoreError where that is not certain.
    """
    for key, version in await store.objects.versions(scan_prefix(scan_id)):
        # What has no bytes, such as a delete marker, cannot be held, and must not keep the others from it.
        with suppress(ObjectMissingError):
            await store.objects.hold(key, version, is_held=is_held)
