"""The audit history of admission cases: for those who see the case and read internal (F1) values of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import AdmissionCase
from archive_store.admission.queries import cases_by_id
from archive_store.audit.histories import SubjectHistory
from archive_store.audit.queries import SubjectRights, texts_by_field
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.store import Store


async def _rights(
    store: Store, viewer: Viewer, case_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    views = await cases_by_id(store, viewer, case_ids)
    return {
        view.id: SubjectRights(view.decision.readable, texts=texts_by_field)
        for view in views
        if view is not None and FieldClass.F1 in view.decision.classes
    }


ADMISSION_CASE_HISTORY = SubjectHistory(AdmissionCase, _rights, lambda viewer: not viewer.is_service)
