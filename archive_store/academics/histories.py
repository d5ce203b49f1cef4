"""The audit history of grades: for those who read the grade, so that no history tells that there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.academics.documents import GradeRecord
from archive_store.academics.queries import grade_decisions, reads
from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, text_of
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.store import Store
from archive_store.students.scope import student_scope


async def _rights(
    store: Store, viewer: Viewer, grade_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    decisions = await grade_decisions(store, viewer, grade_ids)
    return {
        key: SubjectRights(
            held.decision.readable | text_of(held.decision.classes), grants_for=held.grants_for
        )
        for key, held in decisions.items()
        if reads(held)
    }


GRADE_RECORD_HISTORY = SubjectHistory(
    GradeRecord, _rights, lambda viewer: not student_scope(viewer).sees_nobody
)
