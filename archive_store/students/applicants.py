"""Applicants (入学申请人): whoever has an admission case and no record yet, as what hangs on a record sees them.

Papers are filed for the record to come, under its id. Sight of an applicant is by post: no class and no family tie
holds before the entry.
"""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.students.documents import StudentStatus
from archive_store.students.queries import facts_by_id

# Named here, not imported: the room of admission stands above this one.
ADMISSION_CASES = "admission_cases"
_BEFORE_ENTRY = ("COLLECTING", "IN_REVIEW", "REVIEW_FAILED", "READY_FOR_ENTRY")


async def facts_of_owners(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> dict[ObjectId, Row]:
    """`RELATIONSHIP_FACTS` of the visible students among the ids, and of the visible applicants."""
    facts = await facts_by_id(store, viewer, ids)
    missing = [key for key in ids if key not in facts]
    if missing and viewer.reads_by_post:
        facts |= {key: _facts(key) for key in await _applications(store, missing)}
    return facts


async def applicant_entrance(store: Store, viewer: Viewer, student_id: ObjectId) -> str | None:
    """The month of entrance (YYYY-MM) of a visible applicant, "" where it is not known yet; None without one."""
    if not viewer.reads_by_post:
        return None
    found = await _applications(store, [student_id])
    return None if not found else (found[student_id].get("enrolled_month") or "")


async def _applications(store: Store, ids: Sequence[ObjectId]) -> dict[ObjectId, Row]:
    cases = store.database.mongo[ADMISSION_CASES].find(
        {"student_id": {"$in": list(ids)}, "status": {"$in": _BEFORE_ENTRY}},
        {"student_id": 1, "applicant.enrolled_month": 1},
    )
    return {case["student_id"]: case["applicant"] async for case in cases}


def _facts(student_id: ObjectId) -> Row:
    return {"_id": student_id, "class_name": None, "status": StudentStatus.PENDING_ADMISSION.value}
