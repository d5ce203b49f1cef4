"""Locks of the bucket (对象锁): what is filed cannot be removed from the store before its time, by anybody."""

from __future__ import annotations

import asyncio
from datetime import datetime

from archive_store.foundation.clock import school_day
from archive_store.foundation.store import Store
from archive_store.scans.documents import Scan
from archive_store.scans.removal import objects_of
from archive_store.scans.retention import lock_end


async def lock_scan(store: Store, scan: Scan, until: datetime | None = None) -> None:
    """Lock the objects that a filed scan names, for its retention unless told until when; ObjectStoreError.

    Not what lies beside them: an interrupted request left it, and it is still to be removed.
    """
    until = until or lock_end(scan.retention, school_day(store.clock.now()))
    named = objects_of(scan)
    await asyncio.gather(*(store.objects.lock(key, version, until) for key, version in named))
