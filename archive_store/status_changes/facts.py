"""What the rules are held against: facts of the record, its stage, sanctions, and the papers that are given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.rules import chain_of
from archive_store.conduct.in_force import sanctions_in_force
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version
from archive_store.organisation.assignments import classes_by_name
from archive_store.organisation.documents import Cohort
from archive_store.organisation.rules import grade_on, is_open
from archive_store.organisation.stages import stages_of_students
from archive_store.scans.documents import Scan
from archive_store.status_changes.default_rules import default_rules
from archive_store.status_changes.documents import StatusRules
from archive_store.status_changes.kinds import KINDS
from archive_store.status_changes.rules import RecordFacts
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StudentStatus
from archive_store.students.status import STATUS_FIELDS, StatusChange, periods_of

FACT_FIELDS = STATUS_FIELDS | {"class_name", "grade", "enrolled_month", "merged_into"}


async def rules_in_force(store: Store) -> StatusRules:
    """The rules of status changes in effect; version 0, the default, where the school has not set any."""
    return await newest_version(store, StatusRules, default=default_rules)


async def facts_of(
    store: Store,
    kind: ChangeKind,
    payload: StatusChange,
    row: Row,
    session: AsyncClientSession | None = None,
) -> RecordFacts:
    """The facts of a record whose `FACT_FIELDS` are loaded. NOT_FOUND for a material that is not the student's."""
    policy = await newest_version(store, ApprovalPolicy)
    facts = KINDS[kind]
    stages = await stages_of_students(store, session, [payload.student_id])
    sanctioned = await sanctions_in_force(store, session, [payload.student_id])
    return RecordFacts(
        status=StudentStatus(row["status"]),
        periods=periods_of(row),
        enrolled_month=row["enrolled_month"],
        stage=stages.get(payload.student_id),
        is_under_sanction=payload.student_id in sanctioned,
        materials=await document_types_of(store, payload.student_id, payload.materials, session),
        chain=chain_of(policy, facts.operation, STATUS_FIELDS),
    )


async def _cohort(store: Store, key: ObjectId, session: AsyncClientSession | None) -> Cohort | None:
    row = await store.database.collection(Cohort).find_one({"_id": key}, session=session)
    return None if row is None else Cohort.model_validate(row)


async def place_on(
    store: Store, class_name: str | None, day: date, session: AsyncClientSession | None = None
) -> dict[str, str]:
    """Class and grade of one who goes on in a class; REQUIRED, UNKNOWN_CODE for one that is not open on the day."""
    if class_name is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="to_class")
    held = (await classes_by_name(store, {class_name}, session)).get(class_name)
    if held is None or not is_open(held, day):
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="to_class")
    cohort = await _cohort(store, held.cohort_id, session)
    if cohort is None:
        raise LookupError(f"class {held.key} is of no cohort")
    return {"class_name": class_name, "grade": grade_on(cohort, day)}


async def document_types_of(
    store: Store,
    student_id: ObjectId,
    materials: Sequence[ObjectId],
    session: AsyncClientSession | None = None,
) -> frozenset[str]:
    """The document types of the papers; NOT_FOUND for one that is not filed for the student any more."""
    if not materials:
        return frozenset()
    query = {"_id": {"$in": list(materials)}, "student_id": student_id, "wrapped_data_key": {"$ne": None}}
    found = store.database.collection(Scan).find(query, {"document_type": 1}, session=session)
    types = {row["_id"]: row["document_type"] async for row in found}
    if types.keys() != set(materials):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="materials")
    return frozenset(types.values())
