"""The audit history of a transfer case: for those who see it, leaf by leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.store import Store
from archive_store.transfer_cases.documents import TransferCase
from archive_store.transfer_cases.queries import decisions_on


async def _rights(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Mapping[ObjectId, SubjectRights]:
    query = {"_id": {"$in": list(ids)}}
    rows = await store.database.collection(TransferCase).find(query, {"student_id": 1}).to_list()
    decisions = await decisions_on(store, viewer, rows)
    return {key: SubjectRights(decision.readable) for key, decision in decisions.items()}


TRANSFER_CASE_HISTORY = SubjectHistory(TransferCase, _rights)
