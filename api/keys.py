"""How many keys of the archive are still to be wrapped anew, measured beside the jobs that do it."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import Gauge

from archive_store.foundation.store import Store
from archive_store.scans.rotation import keys_left

_LEFT = Gauge(
    "registrar_keys_to_rewrap",
    "Keys that a rotation has yet to wrap anew: under older root keys (root), archive files' own (file).",
    ["rotation"],
)


async def measure_keys(store: Store, _at: datetime) -> int:
    """The job: it does nothing but count."""
    left = await keys_left(store)
    _LEFT.labels("root").set(left.under_older_root_keys)
    _LEFT.labels("file").set(left.of_archive_files)
    return 0
