"""The audit histories of legal holds and disposal batches: for those who keep the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, of_no_leaf
from archive_store.audit.queries import TEXT, SubjectRights
from archive_store.foundation.field_classes import field_classes
from archive_store.foundation.store import Store
from archive_store.preservation.documents import DisposalBatch, LegalHold
from archive_store.preservation.queries import batches_by_id, holds_by_id
from archive_store.preservation.rules import knows_every_scan


async def _hold_rights(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    # As `queries` shows a hold: its reasons for a stated purpose.
    texts = frozenset({"reason", TEXT})
    leaves = frozenset(field_classes(LegalHold)) - texts
    readable = leaves | texts if viewer.reading.purpose is not None else leaves
    seen = await holds_by_id(store, viewer, ids)
    rights = SubjectRights(readable, texts=of_no_leaf)
    return {hold.key: rights for hold in seen if hold is not None}


async def _batch_rights(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    seen = await batches_by_id(store, viewer, ids)
    # Why a list is disposed of speaks of no one student, and stands in the batch.
    readable = frozenset(field_classes(DisposalBatch)) | {TEXT}
    return {batch.key: SubjectRights(readable) for batch in seen if batch is not None}


LEGAL_HOLD_HISTORY = SubjectHistory(LegalHold, _hold_rights, knows_every_scan)
DISPOSAL_BATCH_HISTORY = SubjectHistory(DisposalBatch, _batch_rights, knows_every_scan)
