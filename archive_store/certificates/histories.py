"""The audit history of certificates: of those that the viewer knows of, each leaf by its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, of_no_leaf, text_of
from archive_store.audit.queries import SubjectRights
from archive_store.certificates.documents import Certificate
from archive_store.certificates.queries import certificates_by_id
from archive_store.foundation.store import Store
from archive_store.students.scope import student_scope


async def _rights(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Mapping[ObjectId, SubjectRights]:
    # Why one was revoked may speak of anything.
    return {
        view.id: SubjectRights(view.decision.readable | text_of(view.decision.classes), of_no_leaf)
        for view in await certificates_by_id(store, viewer, ids)
        if view is not None
    }


def _in_reach(viewer: Viewer) -> bool:
    return not viewer.is_service and not student_scope(viewer).sees_nobody


CERTIFICATE_HISTORY = SubjectHistory(Certificate, _rights, _in_reach)
