"""Locks of the bucket (对象锁): what is filed cannot be removed from the store before its time, by anybody."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from archive_store.foundation.store import Store
from archive_store.scans.documents import LOCK_YEARS, Scan
from archive_store.scans.removal import objects_of


async def lock_scan(store: Store, scan: Scan) -> None:
    """Lock the objects of a filed scan for its retention; ObjectStoreError."""
    until = store.clock.now() + timedelta(days=366 * LOCK_YEARS[scan.retention])
    named = objects_of(scan.key, scan.segments, scan.thumbnail, scan.preview)
    await asyncio.gather(*(store.objects.lock(key, version, until) for key, version in named))
