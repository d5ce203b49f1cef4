"""Which subjects of notifications a viewer may see now: one look a type, however many there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from bson import ObjectId

from archive_store.academics.queries import grade_decisions, reads
from archive_store.access.viewer import Viewer
from archive_store.admission.queries import cases_by_id
from archive_store.approvals.emergency_queries import visible_emergency_ids
from archive_store.approvals.queries import visible_request_ids
from archive_store.conduct.queries import appeals_by_id, awards_by_id, sanctions_by_id
from archive_store.crisis.queries import teams_by_id
from archive_store.duplicates.queries import merge_cases_by_id
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject
from archive_store.imports.queries import batches_by_id as imports_by_id
from archive_store.preservation.queries import batches_by_id, holds_by_id
from archive_store.scans.queries import scans_by_id
from archive_store.semester_verification.queries import campaigns_by_id, items_by_id
from archive_store.students.queries import facts_by_id
from archive_store.transcripts.queries import transcripts_by_id


async def _visible_case_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {view.id for view in await cases_by_id(store, viewer, ids) if view is not None}


async def _visible_grade_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    decisions = await grade_decisions(store, viewer, ids)
    return {key for key, held in decisions.items() if reads(held)}


async def _visible_transcript_ids(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Collection[ObjectId]:
    return {view.id for view in await transcripts_by_id(store, viewer, ids) if view is not None}


async def _visible_scan_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {view.id for view in await scans_by_id(store, viewer, ids) if view is not None}


async def _visible_team_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {view.id for view in await teams_by_id(store, viewer, ids) if view is not None}


async def _visible_batch_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {batch.key for batch in await batches_by_id(store, viewer, ids) if batch is not None}


async def _visible_import_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {batch.key for batch in await imports_by_id(store, viewer, ids) if batch is not None}


async def _visible_hold_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {hold.key for hold in await holds_by_id(store, viewer, ids) if hold is not None}


async def _visible_campaign_ids(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Collection[ObjectId]:
    return {held.key for held in await campaigns_by_id(store, viewer, ids) if held is not None}


async def _visible_item_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {view.id for view in await items_by_id(store, viewer, ids) if view is not None}


async def _visible_merge_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {view.id for view in await merge_cases_by_id(store, viewer, ids) if view is not None}


async def _visible_appeal_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {view.id for view in await appeals_by_id(store, viewer, ids) if view is not None}


async def _visible_award_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> Collection[ObjectId]:
    return {view.id for view in await awards_by_id(store, viewer, ids) if view is not None}


async def _visible_sanction_ids(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Collection[ObjectId]:
    return {view.id for view in await sanctions_by_id(store, viewer, ids) if view is not None}


# The types that have a global id. Of any other, nobody is told which record it is.
_VISIBLE_IDS: Mapping[str, Callable[[Store, Viewer, Sequence[ObjectId]], Awaitable[Collection[ObjectId]]]] = {
    "AdmissionCase": _visible_case_ids,
    "Appeal": _visible_appeal_ids,
    "Award": _visible_award_ids,
    "ChangeRequest": visible_request_ids,
    "CrisisTeam": _visible_team_ids,
    "DisposalBatch": _visible_batch_ids,
    "EmergencyAction": visible_emergency_ids,
    "GradeRecord": _visible_grade_ids,
    "ImportBatch": _visible_import_ids,
    "LegalHold": _visible_hold_ids,
    "MergeCase": _visible_merge_ids,
    "Sanction": _visible_sanction_ids,
    "Scan": _visible_scan_ids,
    "Student": facts_by_id,
    "Transcript": _visible_transcript_ids,
    "VerificationCampaign": _visible_campaign_ids,
    "VerificationItem": _visible_item_ids,
}


async def visible_subjects(store: Store, viewer: Viewer, subjects: Sequence[Subject]) -> frozenset[Subject]:
    """Those of the subjects that the viewer may see."""
    seen: set[Subject] = set()
    for type_name, visible_ids in _VISIBLE_IDS.items():
        if asked := {subject.id for subject in subjects if subject.type == type_name}:
            seen |= {Subject(type_name, key) for key in await visible_ids(store, viewer, list(asked))}
    return frozenset(seen)
