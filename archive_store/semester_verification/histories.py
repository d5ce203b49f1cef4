"""The audit histories of campaigns and of items: for those who see them, leaf by leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, by_class
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.field_classes import FieldClass, leaves_of
from archive_store.foundation.store import Store
from archive_store.semester_verification.documents import VerificationCampaign, VerificationItem
from archive_store.semester_verification.queries import ItemView, items_by_id
from archive_store.semester_verification.rules import VERIFIABLE_FIELDS
from archive_store.students.documents import Student

VERIFICATION_CAMPAIGN_HISTORY = by_class(VerificationCampaign)


async def _rights(
    store: Store, viewer: Viewer, item_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    # By the ties to the student alone: what a handler reads of an open report is not what the history holds of others.
    views = await items_by_id(store, viewer, item_ids)
    return {
        view.id: SubjectRights(_readable(view))
        for view in views
        if view is not None and FieldClass.F1 in view.by_ties.classes
    }


def _readable(view: ItemView) -> frozenset[str]:
    """Found values only where each field of which one could have been found is readable."""
    may = view.record.readable.issuperset(
        path for name in VERIFIABLE_FIELDS for path in leaves_of(Student, name)
    )
    return view.by_ties.readable if may else view.by_ties.readable - {"found.value"}


VERIFICATION_ITEM_HISTORY = SubjectHistory(VerificationItem, _rights, lambda viewer: not viewer.is_service)
