"""The audit history of crisis teams: for those who see the team and read internal (F1) values of it, leaf by leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory
from archive_store.audit.queries import SubjectRights, texts_by_field
from archive_store.crisis.documents import CrisisTeam
from archive_store.crisis.queries import purpose_of, teams_by_id
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass, encrypted_paths
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store


async def _rights(
    store: Store, viewer: Viewer, team_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    views = await teams_by_id(store, viewer, team_ids)
    return {
        view.id: SubjectRights(
            view.decision.readable, texts=_texts, purpose=purpose_of(viewer.actor, view.team)
        )
        for view in views
        if view is not None and FieldClass.F1 in view.decision.classes
    }


def _texts(record_type: type[Record], row: Row) -> frozenset[str]:
    # Why members change or a team stands down may tell of what it was formed for.
    return texts_by_field(record_type, row) | encrypted_paths(record_type)


CRISIS_TEAM_HISTORY = SubjectHistory(CrisisTeam, _rights, lambda viewer: not viewer.is_service)
