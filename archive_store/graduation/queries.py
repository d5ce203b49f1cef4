"""Decisions that were taken, for those who audit."""

from __future__ import annotations

from dataclasses import dataclass

from archive_store.access.viewer import Viewer
from archive_store.foundation.store import Store
from archive_store.graduation.audits import require_reader
from archive_store.graduation.documents import GraduationBatch, GraduationOutcome

BATCHES_LIMIT = 100


@dataclass(frozen=True, slots=True)
class BatchView:
    """A decision, and how many students had which outcome."""

    batch: GraduationBatch
    counts: dict[GraduationOutcome, int]


async def batches(store: Store, viewer: Viewer) -> list[BatchView]:
    """The newest decisions first, up to `BATCHES_LIMIT`; FORBIDDEN for who does not audit."""
    require_reader(viewer)
    found = store.database.collection(GraduationBatch).find().sort([("decided_at", -1), ("_id", -1)])
    views = []
    for row in await found.limit(BATCHES_LIMIT).to_list():
        batch = GraduationBatch.model_validate(row)
        counts = dict.fromkeys(GraduationOutcome, 0)
        for item in batch.items:
            counts[item.outcome] += 1
        views.append(BatchView(batch, counts))
    return views
