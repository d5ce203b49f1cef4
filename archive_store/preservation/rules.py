"""Who keeps the archive, and what may be disposed of. Pure.

Policy §二(一): the archive group arranges, files and keeps confidential; §四(一): the tiers above it decide.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.preservation.documents import DisposalItem
from archive_store.scans.documents import Scan, ScanStatus
from archive_store.scans.retention import RULE, RetentionContent, due_on

KEEPERS = frozenset({Post.ARCHIVE_GROUP, Post.DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL})
# One transaction disposes of a batch, and of all holds on a student's papers.
BATCH_LIMIT = 100


def keeps_archive(viewer: Viewer) -> bool:
    """Whether they know of the plain papers of every student, and it is their work to."""
    is_keeper = not viewer.is_service and viewer.holds_any(KEEPERS)
    return is_keeper and viewer.reads_by_post and FieldClass.F1 in viewer.decide(Scan).classes


def knows_every_scan(viewer: Viewer) -> bool:
    """Whether they keep the archive and know of the sealed papers, too: lists may name any of them to such people."""
    return keeps_archive(viewer) and viewer.holds_any(viewer.policy.rules.sealed_known_to)


def require_knows_every_scan(viewer: Viewer, *, rule: str) -> None:
    """FORBIDDEN, whatever there is to see."""
    if not knows_every_scan(viewer):
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=rule)


def item_of(scan: Scan, table: RetentionContent) -> DisposalItem | None:
    """The scan as an item of a batch; None where it is kept for good."""
    assert scan.created_at is not None and scan.id is not None  # noqa: S101 - it is stored
    filed_on = school_day(scan.created_at)
    retention = table.rule_for(scan.document_type).retention
    due = due_on(retention, filed_on)
    if due is None:
        return None
    return DisposalItem(
        scan_id=scan.id,
        student_id=scan.student_id,
        document_type=scan.document_type,
        retention=retention,
        filed_on=filed_on,
        due_on=due,
    )


def why_kept(
    scan: Scan | None,
    *,
    expected: ScanStatus,
    table: RetentionContent,
    today: date,
    cited: Collection[ObjectId],
) -> str | None:
    """Why a scan may not be disposed of, by a word; None where it may. `cited` are evidence of open requests."""
    if scan is None:
        return "NOT_FOUND"
    if scan.status is not expected:
        return scan.status
    item = item_of(scan, table)
    if item is None or item.due_on > today:
        return "NOT_DUE"
    return "EVIDENCE" if scan.key in cited else None


def refuse_kept(why: Sequence[str | None]) -> None:
    """CONFLICT that names each item of a list that may not be disposed of, and why: all of the list, or nothing."""
    kept = [f"items.{position} {word}" for position, word in enumerate(why) if word is not None]
    if kept:
        raise RegistrarError(ErrorCode.CONFLICT, field="items", rule=RULE, fields=", ".join(kept))
