"""学籍录入 and the call for confirmation: `admission.enter` and `admission.call_confirmation`.

信息管理组根据审核结果录入 (policy §三(一)): by the information group, and of what the review passed.
"""

from __future__ import annotations

import hmac

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.applicants import check_complete, stored_values
from archive_store.admission.documents import AdmissionCase, CaseStatus, Seat
from archive_store.admission.numbers import check_numbers
from archive_store.admission.rules import AdmissionAction
from archive_store.admission.steps import (
    CasePayload,
    allowed,
    case_operation,
    case_to_move,
    digest_of,
    require_on,
    write,
)
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.documents import Student
from archive_store.students.registration import STUDENT_NUMBERS, prepare_records, register_records


async def _check_enter(store: Store, viewer: Viewer, payload: CasePayload) -> None:
    case = await require_on(store, viewer, payload.case_id, AdmissionAction.ENTER)
    numbers = {
        name: value for name, value in stored_values(case.applicant).items() if name in STUDENT_NUMBERS
    }
    # Somebody may have come on record with them since.
    await check_numbers(store, viewer, {None: numbers}, purpose="admission.enter", own_case=case.key)


async def _apply_enter(unit: UnitOfWork, payload: CasePayload) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.ENTER)
    values = stored_values(case.applicant)
    check_complete(case.applicant.model_dump(mode="json"))
    _require_signed(unit, case)
    student = Student(id=case.student_id, person_id=PydanticObjectId(), **values)
    await register_records(unit, prepare_records(unit.store, [student.to_bson()]))
    written = {
        "status": CaseStatus.ENTERED,
        "entered_at": unit.at,
        "entered_by_name": unit.actor.name,
        "fields_to_confirm": sorted(values),
        # From now on the person bears them.
        "lookups": [],
    }
    changes = [FieldChange("status", case.status.value, CaseStatus.ENTERED.value)]
    await write(unit, case, "enter", written, changes=changes)
    unit.notify(Post.DIRECTOR, "admission:entered", Subject(AdmissionCase.subject_type, case.key))
    return case.key


def _require_signed(unit: UnitOfWork, case: AdmissionCase) -> None:
    """What is entered is what both seats signed; anything else is a defect."""
    digest = digest_of(unit.store, case)
    signed = {
        signature.seat
        for signature in case.current_signatures
        if signature.passed and hmac.compare_digest(signature.digest, digest)
    }
    if signed != set(Seat):
        raise AssertionError(f"what case {case.key} holds is not what was reviewed")


async def _apply_call(unit: UnitOfWork, payload: CasePayload) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.CALL_CONFIRMATION)
    values = {"status": CaseStatus.AWAITING_CONFIRMATION}
    await write(
        unit,
        case,
        "call_confirmation",
        values,
        told="awaits_confirmation",
        people=await family_of(unit, case),
    )
    return case.key


async def family_of(unit: UnitOfWork, case: AdmissionCase) -> list[ObjectId]:
    """The student's person and the guardians who have an account, as of this transaction."""
    row = await unit.store.database.collection(Student).find_one(
        {"_id": case.student_id}, {"person_id": 1, "guardians.person_id": 1}, session=unit.session
    )
    if row is None:
        raise LookupError(f"case {case.key} has no record")
    guardians = [held["person_id"] for held in row.get("guardians", ()) if held.get("person_id")]
    return [row["person_id"], *guardians]


ADMISSION_ENTER = case_operation(
    "admission.enter", CasePayload, AdmissionAction.ENTER, _check_enter, _apply_enter
)
ADMISSION_CALL_CONFIRMATION = case_operation(
    "admission.call_confirmation",
    CasePayload,
    AdmissionAction.CALL_CONFIRMATION,
    allowed(AdmissionAction.CALL_CONFIRMATION),
    _apply_call,
)
