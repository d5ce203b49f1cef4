"""Reading notifications (通知): what was told to a person, or to a post that they hold now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.documents import NOTIFICATIONS
from archive_store.foundation.database import Row
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject

AWAITS_DECISION = "change_request:awaits_decision"
_SHOWN = {"kind": 1, "at": 1, "subject_type": 1, "subject_id": 1}


@dataclass(frozen=True, slots=True)
class Notification:
    """That something happened to a subject. Whether the reader may see the subject is decided when they look."""

    id: ObjectId
    kind: str
    at: datetime
    subject: Subject


async def list_notifications(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[Notification]:
    """Notifications, newest first. A service account gets none: they are for people who act on them."""
    check_page_size(first, store.settings.page_size_limit)
    if viewer.is_service:
        return Page([], has_next=False)
    addressed: list[Row] = [{"recipient_person": viewer.person_id}]
    if viewer.posts:
        addressed.append({"recipient_post": {"$in": sorted(viewer.posts)}})
    collection = store.database.mongo[NOTIFICATIONS]
    page = await page_of_newest(collection, {"$or": addressed}, _SHOWN, first=first, after=after)
    return Page([_notification(row) for row in page.rows], page.has_next)


def notification_for(viewer: Viewer, row: Row) -> Notification | None:
    """The stored notification, if it is addressed to the viewer: what `list_notifications` asks the database."""
    if viewer.is_service:
        return None
    is_theirs = row["recipient_person"] == viewer.person_id or row["recipient_post"] in viewer.posts
    return _notification(row) if is_theirs else None


def _notification(row: Row) -> Notification:
    subject = Subject(row["subject_type"], row["subject_id"])
    return Notification(row["_id"], row["kind"], row["at"], subject)
