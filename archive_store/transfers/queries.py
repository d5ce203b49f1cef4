"""Transfers of one student, for who reads that record, and those on their way, for who sends them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope
from archive_store.transfers.documents import FileTransfer, TransferStatus
from archive_store.transfers.operations import RULE, SENDERS


async def transfers_of(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[list[FileTransfer] | None]:
    """In the order of the ids, newest first; None of a student whose F1 fields the viewer may not read."""
    scope = student_scope(viewer)
    facts = await facts_by_id(store, viewer, student_ids)
    readable = {
        key
        for key, row in facts.items()
        if "destination" in scope.decide(row, FileTransfer).without_grants.readable
    }
    found: dict[ObjectId, list[FileTransfer]] = defaultdict(list)
    rows = store.database.collection(FileTransfer).find({"student_id": {"$in": sorted(readable)}})
    for row in await rows.sort("_id", -1).to_list():
        found[row["student_id"]].append(FileTransfer.model_validate(row))
    return [found[key] if key in readable else None for key in student_ids]


async def transfers_on_their_way(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[FileTransfer]:
    """A page of those whose receipt is awaited, newest first; FORBIDDEN for who does not send them."""
    viewer.require_any(SENDERS, rule=RULE)
    check_page_size(first, store.settings.page_size_limit)
    page = await page_of_newest(
        store.database.collection(FileTransfer),
        {"status": TransferStatus.SENT.value},
        {},
        first=first,
        after=after,
    )
    return Page([FileTransfer.model_validate(row) for row in page.rows], page.has_next)
