"""Filed scans as evidence (材料) of a change request, by their content: a request speaks of these bytes alone."""

from __future__ import annotations

from collections.abc import Sequence

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import Evidence
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.scans.documents import Scan
from archive_store.scans.queries import scans_by_id

EVIDENCE_LIMIT = 20


async def evidence_of(
    store: Store, viewer: Viewer, student_id: ObjectId, scan_ids: Sequence[ObjectId]
) -> list[Evidence]:
    """The scans as evidence; NOT_FOUND for one that is not this student's or not in the viewer's sight."""
    if len(scan_ids) > EVIDENCE_LIMIT:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="evidence", least=0, most=EVIDENCE_LIMIT)
    seen = await scans_by_id(store, viewer, scan_ids)
    rows = store.database.collection(Scan).find(
        {
            "_id": {"$in": [view.id for view in seen if view is not None]},
            "student_id": student_id,
            "wrapped_data_key": {"$ne": None},  # what was disposed of proves nothing any more
        },
        {"sha256": 1},
    )
    digests = {row["_id"]: row["sha256"] for row in await rows.to_list()}
    if digests.keys() != set(scan_ids):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="evidence")
    return [Evidence(scan_id=PydanticObjectId(key), sha256=digests[key]) for key in dict.fromkeys(scan_ids)]
