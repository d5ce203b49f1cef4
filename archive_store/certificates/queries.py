"""Reading certificates as a viewer stands to their student. A retrieval grant opens the record, not its certificates.

Who reads internal values (F1) of a student's certificates knows of them; the rest goes by the class of each leaf.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from bson import ObjectId

from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.certificates.documents import Certificate
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.store import Store
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope

# Whoever holds these has the paper.
DOCUMENT_PATHS = frozenset({"credential", "code"})


class CertificateView:
    """A certificate as one viewer may see it; `value` is None of what may not be read."""

    def __init__(self, row: Row, decision: FieldDecision) -> None:
        self.id: ObjectId = row["_id"]
        self.student_id: ObjectId = row["student_id"]
        self.decision = decision
        self._row = row

    def value(self, path: str) -> Any:
        """The stored leaf at a dotted path."""
        if path not in self.decision.readable:
            return None
        held: Any = self._row
        for name in path.split("."):
            held = held.get(name)
        return held

    def why_withheld(self, path: str) -> Withheld | None:
        if path in self.decision.readable:
            return None
        return self.decision.why_withheld(field_classes(Certificate)[path])

    @property
    def shows_document(self) -> bool:
        """Whether the viewer may have the signed document and the paper."""
        return self.decision.readable >= field_classes(Certificate).keys()


async def certificates_by_student(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[list[CertificateView] | None]:
    """Certificates of each student, newest first; None where the viewer may not know of them."""
    decisions = await _decisions(store, viewer, student_ids)
    rows = store.database.collection(Certificate).find(
        {"student_id": {"$in": list(decisions)}}, sort=[("_id", -1)]
    )
    found: dict[ObjectId, list[CertificateView]] = defaultdict(list)
    for row in await rows.to_list():
        found[row["student_id"]].append(CertificateView(row, decisions[row["student_id"]]))
    return [found[key] if key in decisions else None for key in student_ids]


async def certificates_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> list[CertificateView | None]:
    """In the order of the ids, None where there is none to see."""
    rows = await store.database.collection(Certificate).find({"_id": {"$in": list(ids)}}).to_list()
    held = {row["_id"]: row for row in rows}
    # Asked for a missing one, too: its answer must not come sooner than that of one out of sight.
    owners = {held[key]["student_id"] if key in held else key for key in ids}
    decisions = await _decisions(store, viewer, list(owners))
    views = {
        key: CertificateView(row, decisions[row["student_id"]])
        for key, row in held.items()
        if row["student_id"] in decisions
    }
    return [views.get(key) for key in ids]


async def read_document(store: Store, viewer: Viewer, certificate_id: ObjectId) -> Mapping[str, Any]:
    """The whole record for who may have the paper, which is recorded as a reading. NOT_FOUND, FORBIDDEN otherwise.

    `credential` in it is the signed document, parsed.
    """
    (view,) = await certificates_by_id(store, viewer, [certificate_id])
    if view is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    if not view.shows_document:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="id")
    read = ReadRows(DOCUMENT_PATHS, (certificate_id,))
    await record_reading(store, viewer, Certificate, [read])
    row = await store.database.collection(Certificate).find_one({"_id": certificate_id})
    assert row is not None  # noqa: S101 - certificates are never removed
    return {**row, "credential": orjson.loads(row["credential"])}


async def _decisions(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> dict[ObjectId, FieldDecision]:
    """Of the students of whose certificates the viewer may know."""
    if viewer.is_service:
        return {}
    scope, facts = student_scope(viewer), await facts_by_id(store, viewer, student_ids)
    decided = {key: scope.decide(row, Certificate).without_grants for key, row in facts.items()}
    return {key: decision for key, decision in decided.items() if FieldClass.F1 in decision.classes}
