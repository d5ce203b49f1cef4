"""Reading what is known of scans, within the student's scope; reading their bytes is in `content.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.access.rules import Relationship, Scope
from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.store import Store
from archive_store.scans.documents import Scan, ScanStatus
from archive_store.students.applicants import facts_of_owners
from archive_store.students.scope import RowDecision, StudentScope, student_scope

_UNUSED_BY_VIEWS = {"wrapped_data_key": 0, "segments": 0}
CONTENT_RULE = "policy §三(二)"
_FAMILY = frozenset({Relationship.SELF, Relationship.GUARDIAN})


class ScanView:
    """A scan as one viewer may see it: fields that may not be read are None."""

    def __init__(self, row: Row, held: RowDecision, content_class: FieldClass) -> None:
        self.id: ObjectId = row["_id"]
        self.held = held
        self.content_class = content_class
        self.is_disposed = row["status"] == ScanStatus.DISPOSED.value
        self._row = {path: value for path, value in row.items() if path in held.decision.readable}

    @property
    def download_refusal(self) -> RegistrarError | None:
        """What reading the bytes would raise; None where it is allowed."""
        if self.content_class in self.held.decision.classes:
            # Only told to those who could read it.
            return RegistrarError(ErrorCode.DISPOSED, field="id") if self.is_disposed else None
        for_purpose = self.content_class in self.held.decision.for_purpose
        code = ErrorCode.PURPOSE_REQUIRED if for_purpose else ErrorCode.FORBIDDEN
        return RegistrarError(code, field="id", rule=CONTENT_RULE)

    @property
    def grants_for_content(self) -> frozenset[ObjectId]:
        """The grants without which the bytes could not be read."""
        if self.content_class in self.held.without_grants.classes:
            return frozenset()
        return frozenset(grant.id for grant in self.held.grants)

    def withheld(self, paths: frozenset[str]) -> Mapping[str, Withheld]:
        """The paths that are kept back, and why."""
        decision, classes = self.held.decision, field_classes(Scan)
        return {path: decision.why_withheld(classes[path]) for path in paths - decision.readable}

    def __getattr__(self, name: str) -> Any:
        if name not in Scan.model_fields:
            raise AttributeError(name)
        return self._row.get(name)


async def scans_by_student(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[list[ScanView] | None]:
    """Scans of each student, newest first; None where the viewer may not know of them."""
    scope, facts = student_scope(viewer), await _facts(store, viewer, student_ids)
    rows = store.database.collection(Scan).find(
        {"student_id": {"$in": list(facts)}}, _UNUSED_BY_VIEWS, sort=[("_id", -1)]
    )
    found: dict[ObjectId, list[ScanView]] = defaultdict(list)
    async for row in rows:
        if view := _view(scope, facts[row["student_id"]], row):
            found[row["student_id"]].append(view)
    knows = {key for key, row in facts.items() if _knows_of_scans(scope.decide(row, Scan))}
    return [found[key] if key in knows or key in found else None for key in student_ids]


async def find_scan(store: Store, viewer: Viewer, scan_id: ObjectId) -> ScanView | None:
    """One scan, None when there is none to see."""
    return (await scans_by_id(store, viewer, [scan_id]))[0]


async def scans_by_id(store: Store, viewer: Viewer, scan_ids: Sequence[ObjectId]) -> list[ScanView | None]:
    """Scans in the order of the ids; None where there is none to see."""
    rows = store.database.collection(Scan).find({"_id": {"$in": list(scan_ids)}}, _UNUSED_BY_VIEWS)
    held = {row["_id"]: row async for row in rows}
    # Asked for a missing scan, too: its answer must not come sooner than that of one out of sight.
    student_ids = {held[key]["student_id"] if key in held else key for key in scan_ids}
    scope, facts = student_scope(viewer), await _facts(store, viewer, list(student_ids))
    views = {
        key: _view(scope, facts[row["student_id"]], row)
        for key, row in held.items()
        if row["student_id"] in facts
    }
    return [views.get(key) for key in scan_ids]


async def _facts(store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]) -> dict[ObjectId, Row]:
    return await facts_of_owners(store, viewer, student_ids) if viewer.has_scope(Scope.SCAN_READ) else {}


def _knows_of_scans(held: RowDecision) -> bool:
    return FieldClass.F1 in held.decision.classes


def _view(scope: StudentScope, facts: Row, row: Row) -> ScanView | None:
    held = scope.decide(facts, Scan, row["document_type"])
    if not _knows_of_type(scope, facts, held, row["document_type"]):
        return None
    return ScanView(row, held, scope.viewer.policy.rules.document_class(row["document_type"]))


def knows_of_type(scope: StudentScope, facts: Row, document_type: str) -> bool:
    """Whether the viewer may know if the student's archive file holds documents of the type."""
    held = scope.decide(facts, Scan, document_type)
    return _knows_of_type(scope, facts, held, document_type)


def _knows_of_type(scope: StudentScope, facts: Row, held: RowDecision, document_type: str) -> bool:
    if not _knows_of_scans(held):
        return False
    is_sealed = scope.viewer.policy.rules.document_class(document_type) is FieldClass.F4
    return not is_sealed or _knows_of_sealed(scope, facts, held)


def _knows_of_sealed(scope: StudentScope, facts: Row, held: RowDecision) -> bool:
    viewer = scope.viewer
    return (
        viewer.holds_any(viewer.policy.rules.sealed_known_to)
        or not _FAMILY.isdisjoint(scope.relationships(facts, Scan))
        or FieldClass.F4 in held.decision.classes | held.decision.for_purpose
    )
