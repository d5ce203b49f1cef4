"""What depends on a student: papers, requests, grants, holds, cases and teams. A table, and one query for each line."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.documents import AttendanceSummary, GradeRecord
from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.admission.documents import AdmissionCase
from archive_store.approvals.documents import ChangeRequest
from archive_store.conduct.documents import Award, Sanction
from archive_store.crisis.documents import CrisisTeam
from archive_store.duplicates.documents import DuplicateDismissal, MergeCase
from archive_store.foundation.store import Store
from archive_store.imports.documents import UndoObstacle
from archive_store.logistics.documents import BedStay, MealEnrolment
from archive_store.preservation.documents import LegalHold
from archive_store.scans.documents import ArchiveFile, Scan
from archive_store.scans.upload_documents import UPLOADS

# Named here, not imported: the two rooms stand beside each other. The roll of a campaign follows by itself.
_VERIFICATION_ITEMS = "verification_items"
# Nor these, which stand above.
_OBJECTIONS, _TRANSCRIPTS, _TRANSFER_CASES = "record_objections", "transcripts", "transfer_cases"
# Collection and path of a student's id; of a person's other ties the head of the audit chain tells.
_PATHS: Sequence[tuple[UndoObstacle, str, str]] = (
    (UndoObstacle.ARCHIVE_FILE, Scan.Settings.name, "student_id"),
    (UndoObstacle.ARCHIVE_FILE, ArchiveFile.Settings.name, "student_id"),
    (UndoObstacle.UPLOAD, UPLOADS, "student_id"),
    (UndoObstacle.CHANGE_REQUEST, ChangeRequest.Settings.name, "concerns"),
    (UndoObstacle.RETRIEVAL_GRANT, RetrievalGrant.Settings.name, "student_id"),
    (UndoObstacle.LEGAL_HOLD, LegalHold.Settings.name, "student_id"),
    (UndoObstacle.MERGE, MergeCase.Settings.name, "survivor_id"),
    (UndoObstacle.MERGE, MergeCase.Settings.name, "merged_id"),
    (UndoObstacle.MERGE, DuplicateDismissal.Settings.name, "first_id"),
    (UndoObstacle.MERGE, DuplicateDismissal.Settings.name, "second_id"),
    (UndoObstacle.VERIFICATION, _VERIFICATION_ITEMS, "student_id"),
    (UndoObstacle.CONDUCT, Award.Settings.name, "student_id"),
    (UndoObstacle.CONDUCT, Sanction.Settings.name, "student_id"),
    (UndoObstacle.GRADES, GradeRecord.Settings.name, "student_id"),
    (UndoObstacle.GRADES, AttendanceSummary.Settings.name, "student_id"),
    (UndoObstacle.GRADES, _TRANSCRIPTS, "student_id"),
    (UndoObstacle.LOGISTICS, BedStay.Settings.name, "student_id"),
    (UndoObstacle.LOGISTICS, MealEnrolment.Settings.name, "student_id"),
    (UndoObstacle.TRANSFER_CASE, _TRANSFER_CASES, "student_id"),
    (UndoObstacle.OBJECTION, _OBJECTIONS, "student_id"),
    (UndoObstacle.CRISIS_TEAM, CrisisTeam.Settings.name, "members.retrievals.student_id"),
)
_OF_RECORDS = (UndoObstacle.ADMISSION_CASE, AdmissionCase.Settings.name, "student_id")


async def dependents_of(
    store: Store,
    session: AsyncClientSession | None,
    students: Sequence[ObjectId],
    applicants: Collection[ObjectId],
) -> dict[ObjectId, UndoObstacle]:
    """The first thing that depends on each student, or on each applicant by the id that is reserved for the record."""
    found: dict[ObjectId, UndoObstacle] = {}
    for lines, asked in (((*_PATHS, _OF_RECORDS), set(students)), (_PATHS, set(applicants))):
        for obstacle, name, path in lines if asked else ():
            held = await store.database.mongo[name].distinct(
                path, {path: {"$in": list(asked)}}, session=session
            )
            for key in asked.intersection(held):
                found.setdefault(key, obstacle)
    return found
