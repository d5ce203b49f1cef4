"""What is told the object store about all objects of a scan: its bytes, and whatever was made of them.

They are listed by their prefix, so that none is forgotten. Each of these may be done again.
"""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId

from archive_store.foundation.store import Store
from archive_store.scans.segments import scan_prefix


async def hold_objects(store: Store, scan_id: ObjectId, *, is_held: bool) -> None:
    """Set or end the legal hold on each of them; ObjectStoreError where that is not certain."""
    for key, version in await store.objects.versions(scan_prefix(scan_id)):
        await store.objects.hold(key, version, is_held=is_held)


async def lock_objects(store: Store, scan_id: ObjectId, until: datetime) -> None:
    """Lock each of them until then, or leave a longer lock; ObjectStoreError where that is not certain."""
    for key, version in await store.objects.versions(scan_prefix(scan_id)):
        await store.objects.extend_lock(key, version, until)
