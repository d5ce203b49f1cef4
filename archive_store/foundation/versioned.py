"""Versioned documents, such as the two policies: the newest version in effect decides.

It is reread every few seconds, so a new one takes effect in every process without a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from archive_store.foundation.clock import school_day
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store

Versioned = TypeVar("Versioned", bound=Record)

# A new version reaches every process within this time, without a restart.
REREAD_AFTER_SECONDS = 5.0


class NoVersionError(RuntimeError):
    """The installation is not complete: no version has been stored."""


async def newest_version(
    store: Store, record_type: type[Versioned], *, default: Callable[[], Versioned] | None = None
) -> Versioned:
    """The version in effect today; at most `REREAD_AFTER_SECONDS` old. The same object until it is reread changed.

    Where none is in effect, `default` makes it; without one NoVersionError is raised.
    """
    seen: tuple[float, Any] | None = store.versions_seen.get(record_type)
    now = time.monotonic()
    if seen is not None and now - seen[0] < REREAD_AFTER_SECONDS:
        return seen[1]  # type: ignore[no-any-return]
    today = school_day(store.clock.now()).isoformat()
    row = await store.database.collection(record_type).find_one(
        {"effective_from": {"$lte": today}}, sort=[("version", -1)]
    )
    if row is None and default is None:
        raise NoVersionError(record_type.__name__)
    is_same = row is not None and seen is not None and seen[1].version == row["version"]
    if seen is not None and is_same:
        newest = seen[1]
    else:
        newest = default() if row is None and default is not None else record_type.model_validate(row)
    store.versions_seen[record_type] = (now, newest)
    return newest  # type: ignore[no-any-return]
