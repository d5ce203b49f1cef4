"""What awaits a viewer of the cases there are: a seat of the review, the entry, an answer, one's own confirmation."""

from __future__ import annotations

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import AdmissionCase, CaseStatus
from archive_store.admission.queries import CaseView, cases_by_id, visible_cases
from archive_store.admission.rules import ENTERERS, SUPPLIERS, seats_of
from archive_store.foundation.database import Row
from archive_store.foundation.paging import Page, page_of_newest
from archive_store.foundation.store import Store


async def cases_awaiting(
    store: Store, viewer: Viewer, paths: frozenset[str], *, first: int, after: ObjectId | None = None
) -> Page[CaseView]:
    """A page of the cases whose next step is the viewer's, newest first, with these leaves."""
    conditions = _awaiting(viewer)
    if not conditions:
        return Page([], False)
    query: Row = {"$and": [{"$or": conditions}, visible_cases(viewer)]}
    collection = store.database.collection(AdmissionCase)
    page = await page_of_newest(collection, query, {"_id": 1}, first=first, after=after)
    views = await cases_by_id(store, viewer, [row["_id"] for row in page.rows], paths)
    return Page([view for view in views if view is not None], page.has_next)


def _awaiting(viewer: Viewer) -> list[Row]:
    if viewer.is_service:
        return []
    conditions: list[Row] = []
    for seat in seats_of(viewer):
        # Nobody signs what they submitted, nor twice in a round, nor a seat that is taken.
        signed: Row = {
            "$filter": {
                "input": "$signatures",
                "cond": {
                    "$and": [
                        {"$eq": ["$$this.round", "$round"]},
                        {
                            "$or": [
                                {"$eq": ["$$this.seat", seat.value]},
                                {"$eq": ["$$this.signed_by", viewer.person_id]},
                            ]
                        },
                    ]
                },
            }
        }
        conditions.append(
            {
                "status": CaseStatus.IN_REVIEW.value,
                "submitted_by": {"$ne": viewer.person_id},
                "$expr": {"$eq": [signed, []]},
            }
        )
    if viewer.holds_any(ENTERERS):
        waiting = (CaseStatus.READY_FOR_ENTRY, CaseStatus.ENTERED, CaseStatus.OBJECTED)
        conditions.append({"status": {"$in": [status.value for status in waiting]}})
    if viewer.holds_any(SUPPLIERS):
        conditions.append({"status": CaseStatus.REVIEW_FAILED.value})
    if own := viewer.own_student_ids | viewer.ward_ids:
        unconfirmed = (CaseStatus.AWAITING_CONFIRMATION, CaseStatus.CORRECTED)
        conditions.append(
            {
                "student_id": {"$in": sorted(own)},
                "status": {"$in": [status.value for status in unconfirmed]},
            }
        )
    return conditions
