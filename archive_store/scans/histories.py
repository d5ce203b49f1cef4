"""The audit history of scans: of those that the viewer knows of, each leaf by its class.

Its reasons are why a paper was viewed, so they are as secret as the paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, of_no_leaf
from archive_store.audit.queries import TEXT, SubjectRights
from archive_store.foundation.database import Row
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.scans.documents import Scan
from archive_store.scans.queries import ScanView, scans_by_id
from archive_store.students.scope import student_scope


async def _rights(
    store: Store, viewer: Viewer, scan_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    views = await scans_by_id(store, viewer, scan_ids)
    return {view.id: _rights_of(view) for view in views if view is not None}


def _rights_of(view: ScanView) -> SubjectRights:
    reads_content = view.download_refusal is None

    def grants_for(paths: frozenset[str]) -> frozenset[ObjectId]:
        # No leaf of a scan is encrypted; its texts go with its bytes.
        return view.grants_for_content if TEXT in paths else frozenset()

    return SubjectRights(
        view.held.decision.readable | ({TEXT} if reads_content else frozenset()),
        texts=_texts,
        grants_for=grants_for,
    )


# Why they were done is told by the hold and the batch, to those who keep the archive: it may speak of the family.
_TOLD_ELSEWHERE = frozenset({"scan:hold", "scan:release_hold", "scan:propose_disposal", "scan:dispose"})


def _texts(record_type: type[Record], row: Row) -> frozenset[str] | None:
    return None if row["kind"] in _TOLD_ELSEWHERE else of_no_leaf(record_type, row)


def _in_reach(viewer: Viewer) -> bool:
    return viewer.has_scope(Scope.SCAN_READ) and not student_scope(viewer).sees_nobody


SCAN_HISTORY = SubjectHistory(Scan, _rights, _in_reach)
