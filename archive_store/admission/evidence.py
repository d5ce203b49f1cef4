"""`admission.add_evidence` and `admission.submit`: the papers a case rests on, and its way into the review.

A paper (材料) is a filed scan of the candidate, by its content: what was reviewed is what is filed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.admission.applicants import check_complete
from archive_store.admission.documents import AdmissionCase, CaseEvidence, CaseStatus
from archive_store.admission.rules import RULE, AdmissionAction, missing_evidence
from archive_store.admission.steps import (
    CasePayload,
    case_operation,
    case_to_move,
    policy_in_force,
    require_on,
    write,
)
from archive_store.approvals.documents import Evidence
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, UnitOfWork
from archive_store.scans.documents import Scan
from archive_store.scans.evidence import evidence_of

EVIDENCE_LIMIT = 50  # of a case


class AdmissionAddEvidence(CasePayload):
    """Payload of `admission.add_evidence`: scans filed for this candidate."""

    scan_ids: Annotated[tuple[PydanticObjectId, ...], Field(min_length=1, max_length=20)]


async def _papers(store: Store, viewer: Viewer, case: AdmissionCase, scan_ids: Sequence[ObjectId]) -> None:
    papers: list[Evidence] = await evidence_of(store, viewer, case.student_id, scan_ids)
    held = {paper.scan_id for paper in case.evidence}
    if all(paper.scan_id in held for paper in papers):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="scan_ids")
    if len(held | {paper.scan_id for paper in papers}) > EVIDENCE_LIMIT:
        raise RegistrarError(ErrorCode.TOO_MANY, field="scan_ids", limit=EVIDENCE_LIMIT)


async def _check_add(store: Store, viewer: Viewer, payload: AdmissionAddEvidence) -> None:
    case = await require_on(store, viewer, payload.case_id, AdmissionAction.ADD_EVIDENCE)
    await _papers(store, viewer, case, payload.scan_ids)


async def _filed(
    store: Store, student_id: ObjectId, scan_ids: Sequence[ObjectId], session: AsyncClientSession
) -> dict[ObjectId, tuple[str, str]]:
    """Document type and SHA-256 of scans that are there still."""
    rows = store.database.collection(Scan).find(
        {"_id": {"$in": list(scan_ids)}, "student_id": student_id, "wrapped_data_key": {"$ne": None}},
        {"document_type": 1, "sha256": 1},
        session=session,
    )
    return {row["_id"]: (row["document_type"], row["sha256"]) async for row in rows}


async def _apply_add(unit: UnitOfWork, payload: AdmissionAddEvidence) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.ADD_EVIDENCE)
    filed = await _filed(unit.store, case.student_id, payload.scan_ids, unit.session)
    if filed.keys() != set(payload.scan_ids):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="scan_ids")
    held = {paper.scan_id for paper in case.evidence}
    added = [
        CaseEvidence(
            document_type=filed[key][0],
            scan_id=PydanticObjectId(key),
            sha256=filed[key][1],
            added_by_name=unit.actor.name,
            added_at=unit.at,
        )
        for key in dict.fromkeys(payload.scan_ids)
        if key not in held
    ]
    # The types of sealed papers are for those who see the papers; the history names the scans.
    changes = [FieldChange("evidence.scan_id", None, [paper.scan_id for paper in added])]
    await write(unit, case, "add_evidence", {"evidence": [*case.evidence, *added]}, changes=changes)
    return case.key


async def _check_submit(store: Store, viewer: Viewer, payload: CasePayload) -> None:
    case = await require_on(store, viewer, payload.case_id, AdmissionAction.SUBMIT)
    _require_whole(case, (await policy_in_force(store)).rules.required_of(case.stage))


def _require_whole(case: AdmissionCase, required: frozenset[str]) -> None:
    """REQUIRED, by name, for a value or a paper that is missing."""
    check_complete(case.applicant.model_dump(mode="json"))
    if missing := missing_evidence({paper.document_type for paper in case.evidence}, required):
        raise RegistrarError(ErrorCode.REQUIRED, field=f"evidence.{missing[0]}", rule=RULE)


async def _apply_submit(unit: UnitOfWork, payload: CasePayload) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.SUBMIT)
    _require_whole(case, (await policy_in_force(unit.store)).rules.required_of(case.stage))
    filed = await _filed(
        unit.store, case.student_id, [paper.scan_id for paper in case.evidence], unit.session
    )
    if gone := [paper for paper in case.evidence if paper.scan_id not in filed]:
        raise RegistrarError(ErrorCode.REQUIRED, field=f"evidence.{gone[0].document_type}", rule=RULE)
    values = {
        "status": CaseStatus.IN_REVIEW,
        "submitted_by": unit.actor.person_id,
        "submitted_by_name": unit.actor.name,
        "submitted_at": unit.at,
    }
    changes = [FieldChange("status", case.status.value, CaseStatus.IN_REVIEW.value)]
    await write(unit, case, "submit", values, changes=changes, told="awaits_review")
    return case.key


ADMISSION_ADD_EVIDENCE = case_operation(
    "admission.add_evidence",
    AdmissionAddEvidence,
    AdmissionAction.ADD_EVIDENCE,
    _check_add,
    _apply_add,
)
ADMISSION_SUBMIT = case_operation(
    "admission.submit", CasePayload, AdmissionAction.SUBMIT, _check_submit, _apply_submit
)
