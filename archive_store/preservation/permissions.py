"""What trying to keep or to dispose of something would answer, told beforehand: by post, and by where it stands."""

from __future__ import annotations

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.permissions import Permission, may_ask
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version
from archive_store.preservation.documents import BatchStatus, DisposalBatch, LegalHold
from archive_store.preservation.rules import require_knows_every_scan
from archive_store.scans.documents import ScanStatus
from archive_store.scans.queries import ScanView
from archive_store.scans.retention import RULE, due_on, retention_rule


async def may_hold(store: Store, viewer: Viewer, view: ScanView) -> Permission:
    """Whether the scan can be put on hold."""
    refusal = _wrong_state(view.status) if view.status == ScanStatus.DISPOSED else None
    return await _asking(store, viewer, "scan.hold", refusal)


async def may_propose(store: Store, viewer: Viewer, view: ScanView) -> Permission:
    """Whether the scan can be proposed for disposal; evidence of a request is told when it is tried."""
    refusal = None
    try:
        require_knows_every_scan(viewer, rule="operation disposal.propose")
    except RegistrarError as error:
        return Permission(error)
    if view.status is not None and view.status != ScanStatus.FILED:
        refusal = _wrong_state(view.status)
    elif view.created_at is not None:
        rule = await retention_rule(store, view.document_type)
        due = due_on(rule.retention, school_day(view.created_at))
        if due is None or due > school_day(store.clock.now()):
            refusal = _wrong_state("NOT_DUE")
    return await _asking(store, viewer, "disposal.propose", refusal)


async def may_release(store: Store, viewer: Viewer, hold: LegalHold) -> Permission:
    """Whether the end of the hold can be asked for."""
    refusal = _wrong_state("RELEASED") if hold.released_at is not None else None
    return await _asking(store, viewer, "scan.release_hold", refusal)


async def may_cancel(store: Store, viewer: Viewer, batch: DisposalBatch) -> Permission:
    """Whether the batch can be cancelled."""
    refusal = None if batch.status is BatchStatus.PROPOSED else _wrong_state(batch.status)
    return await _asking(store, viewer, "disposal.cancel", refusal)


def _wrong_state(state: str) -> RegistrarError:
    return RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=state)


async def _asking(store: Store, viewer: Viewer, name: str, refusal: RegistrarError | None) -> Permission:
    policy = await newest_version(store, ApprovalPolicy)
    asking = may_ask(policy, viewer, store.operations[name])
    # The post comes first: who may not ask is told no state.
    return asking if asking.refusal is not None or refusal is None else Permission(refusal, asking.tiers)
