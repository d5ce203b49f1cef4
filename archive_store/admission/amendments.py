"""`admission.amend` and `admission.reopen`: what is collected is completed and put right, policy §三(一) 信息采集."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.applicants import check_applicant, differing, stored_values
from archive_store.admission.collection import Source, change_values, told_by_others
from archive_store.admission.documents import AdmissionCase, CaseStatus, Channel
from archive_store.admission.numbers import check_numbers, lookups_of
from archive_store.admission.rules import RULE, AdmissionAction, channel_of
from archive_store.admission.steps import (
    CasePayload,
    allowed,
    case_operation,
    case_to_move,
    require_on,
    write,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, UnitOfWork
from archive_store.students.changes import StudentChanges
from archive_store.students.registration import STUDENT_NUMBERS


class AdmissionAmend(CasePayload):
    """Payload of `admission.amend`: the fields that are set are changed; None clears one."""

    applicant: StudentChanges
    channel: Channel

    @property
    def values(self) -> dict[str, Any]:
        return self.applicant.stored


def _differing(case: AdmissionCase, payload: AdmissionAmend) -> dict[str, Any]:
    return differing(case.applicant.model_dump(mode="json"), payload.values)


async def _check_amend(store: Store, viewer: Viewer, payload: AdmissionAmend) -> None:
    case = await require_on(store, viewer, payload.case_id, AdmissionAction.AMEND)
    if payload.channel is not channel_of(viewer):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="channel", rule=RULE)
    if not payload.values:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="applicant")
    changed = _differing(case, payload)
    check_applicant(changed, case.applicant.model_dump(mode="json") | changed)
    numbers = {name: value for name, value in changed.items() if name in STUDENT_NUMBERS}
    await check_numbers(store, viewer, {None: numbers}, purpose="admission.amend", own_case=case.key)


async def _apply_amend(unit: UnitOfWork, payload: AdmissionAmend) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.AMEND)
    changed = _differing(case, payload) | told_by_others(unit, case, payload.values)
    if changed:
        check_applicant(changed, case.applicant.model_dump(mode="json") | changed)
        source = Source(case.stage, case.cohort, payload.channel)
        await change_values(unit, case, changed, source, "amend")
    return case.key


async def _apply_reopen(unit: UnitOfWork, payload: CasePayload) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.REOPEN)
    values = {
        "status": CaseStatus.COLLECTING,
        "round": case.round + 1,
        "lookups": lookups_of(unit.store, stored_values(case.applicant)),
    }
    changes = [FieldChange("status", case.status.value, CaseStatus.COLLECTING.value)]
    await write(unit, case, "reopen", values, changes=changes)
    return case.key


ADMISSION_AMEND = case_operation(
    "admission.amend", AdmissionAmend, AdmissionAction.AMEND, _check_amend, _apply_amend
)
ADMISSION_REOPEN = case_operation(
    "admission.reopen", CasePayload, AdmissionAction.REOPEN, allowed(AdmissionAction.REOPEN), _apply_reopen
)
