"""Candidates and the usual steps of their cases, in the store."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from archive_store.admission.batches import move_each
from archive_store.admission.collection import supply
from archive_store.admission.documents import AdmissionCase, SchoolStage
from archive_store.admission.evidence import AdmissionAddEvidence
from archive_store.admission.review import AdmissionReview, seat_for
from archive_store.admission.rules import AdmissionAction
from archive_store.admission.steps import CasePayload
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.people.rules import check_character
from archive_store.scans.uploads import file_scan
from archive_store.students.accounts import link_account, link_guardian_account
from tests.scans.test_pipeline import body, pdf
from tests.school import School

COHORT = 2026


def citizen_id(number: int) -> str:
    """A girl of 3 May 2013."""
    first = f"11010120130503{number:02d}0"
    return first[:16] + "2" + check_character(first[:16] + "2")


def candidate(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Whatever a record must have, and a little more."""
    return {
        "name": f"新生{number}",
        "gender": "2",
        "birth_date": "2013-05-03",
        "ethnic_group": "01",
        "identity_document_type": "1",
        "identity_number": citizen_id(number),
        "grade": "七年级",
        "class_name": f"{COHORT}级1班",
        "enrolled_month": f"{COHORT}-09",
        "phone": "13900001111",
        "guardians": [{"name": "李明", "relation": "51", "phone": "13900002222"}],
    } | changes


async def open_case(school: School, number: int = 1, subject: str = "admissions", **changes: Any) -> ObjectId:
    given = {"applicant": candidate(number, **changes), "reference": f"报名{number}"}
    viewer = await school.viewer(subject)
    ((key, _),) = await supply(
        school.store, viewer, stage=SchoolStage.JUNIOR, cohort=COHORT, applicants=[given], batch="第1批"
    )
    return key


async def stored(school: School, case_id: ObjectId) -> AdmissionCase:
    """The case, decrypted."""
    row = await school.store.database.collection(AdmissionCase).find_one({"_id": case_id})
    assert row is not None
    await school.store.cipher.decrypt_paths([row], encrypted_paths(AdmissionCase))
    return AdmissionCase.model_validate(row)


async def file_papers(school: School, case_id: ObjectId, *types: str) -> list[ObjectId]:
    case = await stored(school, case_id)
    viewer = await school.viewer("archive")
    keys = []
    for kind in types or ("户口簿", "身份证"):
        content = pdf(2_000)
        scan = await file_scan(
            school.store,
            viewer,
            case.student_id,
            f"{COHORT}级{kind}.pdf",
            body(content, 500_000),
            length=len(content),
        )
        keys.append(scan.key)
    return keys


async def add_papers(school: School, case_id: ObjectId, *types: str) -> None:
    scans = await file_papers(school, case_id, *types)
    await act(school, "information", "add_evidence", case_id, scan_ids=scans)


async def act(school: School, subject: str, action: str, case_id: ObjectId, **values: Any) -> Any:
    payloads = {"add_evidence": AdmissionAddEvidence}
    payload = payload_of(payloads.get(action, CasePayload), {"case_id": case_id, **values})
    return (await perform(school.store, await school.viewer(subject), f"admission.{action}", payload)).result


async def review(
    school: School, subject: str, case_id: ObjectId, *, passed: bool = True, **values: Any
) -> None:
    viewer = await school.viewer(subject)
    seat = await seat_for(school.store, viewer, case_id)
    told = {
        "case_id": case_id,
        "seat": seat,
        "passed": passed,
        "comment": None if passed else "材料不符",
        **values,
    }
    await perform(school.store, viewer, "admission.review", payload_of(AdmissionReview, told))


async def pass_review(school: School, case_id: ObjectId) -> None:
    await act(school, "information", "submit", case_id)
    await review(school, "academic-affairs", case_id)
    await review(school, "director", case_id)


async def await_confirmation(school: School, number: int = 1, **changes: Any) -> ObjectId:
    """A case that the family is asked to confirm; `child` and `parent` sign in as the student and their guardian."""
    key = await open_case(school, number, **changes)
    await add_papers(school, key)
    await pass_review(school, key)
    await act(school, "information", "enter", key)
    case = await stored(school, key)
    await link_account(school.store, case.student_id, "child")
    await link_guardian_account(school.store, case.student_id, 0, "parent")
    await act(school, "information", "call_confirmation", key)
    return key


async def each(school: School, subject: str, action: AdmissionAction, **given: Any) -> Any:
    return await move_each(school.store, await school.viewer(subject), action, **given)
