"""The appeals that await a viewer: to have their committee named, or to be decided by it."""

from __future__ import annotations

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.conduct.documents import Appeal, AppealStatus
from archive_store.conduct.queries import AppealView, appeals_by_id
from archive_store.conduct.rules import APPOINTERS
from archive_store.foundation.database import Row
from archive_store.foundation.paging import Page, page_of_newest
from archive_store.foundation.store import Store

# What is told of an appeal that comes to await somebody.
AWAITS_SOMEBODY = frozenset({"appeal:filed", "appeal:appointed"})


async def appeals_awaiting(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[AppealView]:
    """A page of them, newest first; the whole committee reviews, and its chair speaks for it."""
    conditions = _awaiting(viewer)
    if not conditions:
        return Page([], False)
    collection = store.database.collection(Appeal)
    page = await page_of_newest(
        collection, {"$or": conditions}, {"_id": 1, "status": 1}, first=first, after=after
    )
    views = await appeals_by_id(store, viewer, [row["_id"] for row in page.rows])
    # One that moved on in between awaits somebody else.
    waiting = {row["_id"]: row["status"] for row in page.rows}
    kept = [view for view in views if view is not None and view.row["status"] == waiting[view.id]]
    return Page(kept, page.has_next)


def _awaiting(viewer: Viewer) -> list[Row]:
    # A seat is held by one's posts: who has none any more reviews nothing.
    if viewer.is_service or not viewer.posts:
        return []
    seat = {"status": AppealStatus.UNDER_REVIEW.value, "committee.person_id": viewer.person_id}
    conditions: list[Row] = [seat]
    if viewer.holds_any(APPOINTERS):
        family = sorted(viewer.own_student_ids | viewer.ward_ids)
        conditions.append({"status": AppealStatus.FILED.value, "student_id": {"$nin": family}})
    return conditions
