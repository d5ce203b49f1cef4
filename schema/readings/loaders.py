"""The batched load of who looked at what of students."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.paging import Page
from archive_store.foundation.store import Store
from archive_store.readings.queries import Access, access_histories


class AccessHistoryKey(NamedTuple):
    """A page of the readings of a student."""

    student_id: ObjectId
    first: int
    after: ObjectId | None
    with_own: bool
    with_purposes: bool


async def load_access_histories(
    store: Store, viewer: Viewer, keys: Sequence[AccessHistoryKey]
) -> list[Page[Access] | None]:
    """One page each; pages that are asked for alike are loaded together."""
    found: dict[AccessHistoryKey, Page[Access] | None] = {}
    for asked in {key[1:] for key in keys}:
        first, after, with_own, with_purposes = asked
        alike = [key for key in dict.fromkeys(keys) if key[1:] == asked]
        pages = await access_histories(
            store,
            viewer,
            [key.student_id for key in alike],
            first=first,
            after=after,
            with_own=with_own,
            with_purposes=with_purposes,
        )
        found |= zip(alike, pages, strict=True)
    return [found[key] for key in keys]
