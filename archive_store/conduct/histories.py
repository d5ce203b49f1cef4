"""The audit histories of awards, sanctions and appeals: for those who see them, leaf by leaf."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory
from archive_store.audit.queries import SubjectRights
from archive_store.conduct.documents import Appeal, Award, Sanction
from archive_store.conduct.queries import LEAST, appeals_by_id, awards_by_id, sanctions_by_id
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store


def _history(record_type: type[Record], by_id: Callable[..., Awaitable[Sequence[Any]]]) -> SubjectHistory:
    async def rights(
        store: Store, viewer: Viewer, ids: Sequence[ObjectId]
    ) -> Mapping[ObjectId, SubjectRights]:
        # By the ties to the student alone: a seat on a committee opens what is under review, not what was before.
        views = await by_id(store, viewer, ids)
        return {
            view.id: SubjectRights(view.by_ties.readable)
            for view in views
            if view is not None and LEAST[record_type] in view.by_ties.classes
        }

    return SubjectHistory(record_type, rights)


AWARD_HISTORY = _history(Award, awards_by_id)
SANCTION_HISTORY = _history(Sanction, sanctions_by_id)
APPEAL_HISTORY = _history(Appeal, appeals_by_id)
