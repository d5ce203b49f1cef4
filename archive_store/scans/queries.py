"""Reading what is known of scans, within the student's scope; reading their bytes is in `content.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bson import ObjectId

from archive_store.access.policy import FieldDecision
from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.store import Store
from archive_store.scans.documents import CONTENT_CLASS, Scan
from archive_store.students.queries import students_by_id
from archive_store.students.scope import student_scope

_UNUSED_BY_VIEWS = {"wrapped_data_key": 0, "object_key": 0, "object_version": 0}


class ScanView:
    """A scan as one viewer may see it: fields that may not be read are None."""

    def __init__(self, row: Row, decision: FieldDecision) -> None:
        self.id: ObjectId = row["_id"]
        self.may_download = CONTENT_CLASS in decision.classes
        self._row = {path: value for path, value in row.items() if path in decision.readable}

    def __getattr__(self, name: str) -> Any:
        if name not in Scan.model_fields:
            raise AttributeError(name)
        return self._row.get(name)


async def scans_by_student(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[list[ScanView] | None]:
    """Scans of each student, newest first; None where the viewer may not know of them."""
    decisions = await _decisions(store, viewer, student_ids)
    rows = store.database.collection(Scan).find(
        {"student_id": {"$in": list(decisions)}}, _UNUSED_BY_VIEWS, sort=[("_id", -1)]
    )
    found: dict[ObjectId, list[ScanView]] = defaultdict(list)
    async for row in rows:
        found[row["student_id"]].append(ScanView(row, decisions[row["student_id"]]))
    return [found[key] if key in decisions else None for key in student_ids]


async def find_scan(store: Store, viewer: Viewer, scan_id: ObjectId) -> ScanView | None:
    """One scan, None when there is none to see."""
    row = await store.database.collection(Scan).find_one({"_id": scan_id}, _UNUSED_BY_VIEWS)
    if row is None:
        return None
    decisions = await _decisions(store, viewer, [row["student_id"]])
    decision = decisions.get(row["student_id"])
    return None if decision is None else ScanView(row, decision)


async def _decisions(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> dict[ObjectId, FieldDecision]:
    """For each visible student whose scans the viewer may know of (F1), the decision on scans."""
    scope = student_scope(viewer)
    rows = await students_by_id(store, viewer, student_ids, frozenset({"class_name"}))
    decisions = {
        row["_id"]: viewer.may_read(Scan, scope.relationship(row)) for row in rows if row is not None
    }
    return {key: held for key, held in decisions.items() if FieldClass.F1 in held.classes}
