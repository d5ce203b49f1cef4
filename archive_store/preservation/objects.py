"""Legal holds of the bucket, on all objects of a scan: its bytes, and whatever was made of them."""

from __future__ import annotations

from bson import ObjectId

from archive_store.foundation.store import Store
from archive_store.scans.segments import scan_prefix


async def hold_objects(store: Store, scan_id: ObjectId, *, is_held: bool) -> None:
    """Set or end the legal hold on each object, listed by the prefix so that none is forgotten; may be done again.

    ObjectStoreError where that is not certain.
    """
    for key, version in await store.objects.versions(scan_prefix(scan_id)):
        await store.objects.hold(key, version, is_held=is_held)
