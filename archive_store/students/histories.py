"""The audit history of students, within the viewer's scope and rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.store import Store
from archive_store.students.documents import Student
from archive_store.students.queries import decisions_by_id
from archive_store.students.scope import student_scope


async def _rights(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    """Of each student in sight of whom the viewer reads some internal (F1) field."""
    held = await decisions_by_id(store, viewer, student_ids)
    return {
        key: SubjectRights(row.decision.readable, grants_for=row.grants_for)
        for key, row in held.items()
        if FieldClass.F1 in row.decision.classes
    }


STUDENT_HISTORY = SubjectHistory(Student, _rights, lambda viewer: not student_scope(viewer).sees_nobody)
