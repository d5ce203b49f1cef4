"""Versions of the scale of grade points (绩点标准): the one in effect, and those that averages were told by before."""

from __future__ import annotations

from archive_store.academics.documents import GradePointScale, default_scale
from archive_store.academics.rules import GpaScale, scale_from
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version


async def stored_scale(store: Store, version: int | None = None) -> GradePointScale:
    """A version that is or was in effect, or the newest; NOT_FOUND on `scale` without it.

    Version 0 is the default, which holds until the school sets one.
    """
    if version is None:
        return await newest_version(store, GradePointScale, default=default_scale)
    if version == 0:
        return default_scale()
    begun = {"$lte": school_day(store.clock.now()).isoformat()}
    query = {"version": version, "effective_from": begun}
    row = await store.database.collection(GradePointScale).find_one(query)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="scale")
    held: GradePointScale = GradePointScale.model_validate(row)
    return held


async def scale_of(store: Store, version: int | None = None) -> GpaScale:
    """As `stored_scale`, to count with."""
    held = await stored_scale(store, version)
    return scale_from(held.version, held.rules)
