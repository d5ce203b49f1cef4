"""A few candidates (入学申请人) of the demo school, in different steps of admission."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bson import ObjectId

from api.dev.roster import demo_workbook
from archive_store.access.viewer import Viewer
from archive_store.admission.collection import supply
from archive_store.admission.documents import AdmissionCase, SchoolStage
from archive_store.admission.evidence import AdmissionAddEvidence
from archive_store.admission.review import AdmissionReview, seat_for
from archive_store.admission.steps import CasePayload, visible_case
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.store import Store
from archive_store.imports.roster_files import read_roster
from archive_store.imports.rules import check_rows
from archive_store.scans.uploads import file_scan

_COUNT = 4


async def load_demo_candidates(
    store: Store, viewers: dict[str, Viewer], paper: bytes, *, cohort: int
) -> None:
    """Of four candidates two are collected, one is in review, and one has been signed by one seat."""
    if await store.database.collection(AdmissionCase).find_one({}, {"_id": 1}) is not None:
        return
    rows = check_rows(read_roster(demo_workbook(_COUNT, cohort=cohort, seed=2), row_limit=_COUNT)).good
    applicants = [
        {"reference": f"报名{number:04}", "applicant": row.values} for number, row in enumerate(rows, start=1)
    ]
    supplied = await supply(
        store,
        viewers["admissions"],
        stage=SchoolStage.JUNIOR,
        cohort=cohort,
        batch="第1批",
        origin=f"{cohort}级报名表",
        applicants=applicants,
    )
    for key, _ in supplied[2:]:
        await _submit(store, viewers, key, paper, cohort)
    signed, _ = supplied[-1]
    seat = await seat_for(store, viewers["academic-affairs"], signed)
    values = {"case_id": signed, "passed": True, "seat": seat}
    payload = payload_of(AdmissionReview, values)
    await perform(store, viewers["academic-affairs"], "admission.review", payload)


async def _submit(
    store: Store, viewers: dict[str, Viewer], case_id: ObjectId, paper: bytes, cohort: int
) -> None:
    information = viewers["information"]
    student_id = (await visible_case(store, information, case_id)).student_id
    scans = [
        (await file_scan(store, viewers["archive"], student_id, f"{cohort}级{kind}.pdf", _body(paper))).key
        for kind in ("户口簿", "身份证")
    ]
    added = payload_of(AdmissionAddEvidence, {"case_id": case_id, "scan_ids": scans})
    await perform(store, information, "admission.add_evidence", added)
    await perform(store, information, "admission.submit", payload_of(CasePayload, {"case_id": case_id}))


async def _body(content: bytes) -> AsyncIterator[bytes]:
    yield content
