"""The audit history of transcripts: for those who read the transcript, so that no history tells that there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, text_of
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.store import Store
from archive_store.students.scope import student_scope
from archive_store.transcripts.documents import Transcript
from archive_store.transcripts.queries import reads_all, transcript_decisions


async def _rights(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Mapping[ObjectId, SubjectRights]:
    decisions = await transcript_decisions(store, viewer, ids)
    return {
        key: SubjectRights(
            held.decision.readable | text_of(held.decision.classes), grants_for=held.grants_for
        )
        for key, held in decisions.items()
        if reads_all(held)
    }


TRANSCRIPT_HISTORY = SubjectHistory(Transcript, _rights, lambda viewer: not student_scope(viewer).sees_nobody)
