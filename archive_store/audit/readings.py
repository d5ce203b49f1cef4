"""Recording that sensitive (F3) and sealed (F4) values are read, before they are opened.

One access event and one audit entry a query, however many rows it has; the entry holds all that is told of the
reading, sealed. Views of retrieval grants are taken in the same transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.retrieval_grants import AccessEvent, RetrievalGrant
from archive_store.access.viewer import Viewer
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.reading_content import ReadRows, reading_content, repeated_by_event
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork

__all__ = ["GrantExhaustedError", "ReadRows", "record_reading"]


class GrantExhaustedError(Exception):
    """Grants that were open when the viewer was loaded have no view left, or have ended."""

    def __init__(self, grant_ids: Iterable[ObjectId]) -> None:
        self.grant_ids = frozenset(grant_ids)
        super().__init__("retrieval grants have no view left")


async def record_reading(
    store: Store,
    viewer: Viewer,
    record_type: type[Record],
    read: Sequence[ReadRows],
    *,
    purpose: str | None = None,
    beside: Callable[[UnitOfWork], Awaitable[None]] | None = None,
) -> None:
    """Record; nothing may be shown if this raises. What is done `beside` is in the same transaction.

    `purpose` stands in for one the viewer need not state, such as a decision they are asked for. Raises
    GrantExhaustedError when a grant has no view left; a request takes one view of a grant, whatever it reads. What a
    crisis team opened is recorded for the team, whatever else is stated.
    """
    read = [rows for rows in read if rows.paths]
    if not read:
        return
    grants = frozenset().union(*(rows.grant_ids for rows in read))
    fresh = grants - viewer.reading.grants_used
    content = reading_content(viewer, record_type.subject_type, read, viewer.reading.purpose or purpose)

    async def record(unit: UnitOfWork) -> None:
        if beside is not None:
            await beside(unit)
        await _take_views(unit, grants, fresh)
        event = AccessEvent(
            viewer_id=PydanticObjectId(viewer.person_id),
            viewer_name=viewer.name,
            viewer_posts=sorted(viewer.posts),
            **repeated_by_event(content),
        )
        await unit.insert(event)
        unit.audit(Subject(AccessEvent.subject_type, event.key), "access:read", reading=content)

    await governed_transaction(store, viewer.actor, "access.read", record)
    viewer.reading.grants_used |= fresh


async def _take_views(unit: UnitOfWork, grant_ids: frozenset[ObjectId], fresh: frozenset[ObjectId]) -> None:
    """Take one view of each fresh grant. One that the request has used before must not have ended since."""
    loaded = {grant_id: await unit.load(RetrievalGrant, grant_id) for grant_id in sorted(grant_ids)}
    ended = [
        key
        for key, grant in loaded.items()
        if grant is None or unit.at >= grant.expires_at or (key in fresh and not grant.is_open(unit.at))
    ]
    if ended:
        raise GrantExhaustedError(ended)
    for key, grant in loaded.items():
        if grant is not None and key in fresh:
            await unit.change(grant, {"views_taken": grant.views_taken + 1})
            unit.audit(Subject(RetrievalGrant.subject_type, grant.key), "retrieval_grant:use")
