"""What the rules are held against: facts of the record, its stage, sanctions, and the papers that are given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.approvals.documents import ApprovalPolicy, ChangeRequest, Tier
from archive_store.approvals.rules import chain_of
from archive_store.certificates.documents import Certificate, CertificateState
from archive_store.conduct.documents import SanctionKind
from archive_store.conduct.in_force import sanctions_in_force
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.foundation.versioned import newest_version
from archive_store.organisation.assignments import classes_by_name
from archive_store.organisation.documents import Cohort
from archive_store.organisation.majors import open_majors
from archive_store.organisation.rules import grade_on, is_open, takes
from archive_store.organisation.stages import stages_of_students
from archive_store.scans.documents import Scan
from archive_store.status_changes.default_rules import default_rules
from archive_store.status_changes.documents import StatusRules
from archive_store.status_changes.kinds import KINDS
from archive_store.status_changes.rules import RecordFacts
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.status import STATUS_FIELDS, StatusChange, periods_of

FACT_FIELDS = STATUS_FIELDS | {"class_name", "major_code", "grade", "enrolled_month", "merged_into"}


async def rules_in_force(store: Store) -> StatusRules:
    """The rules of status changes in effect; version 0, the default, where the school has not set any."""
    return await newest_version(store, StatusRules, default=default_rules)


async def facts_of(
    store: Store,
    kind: ChangeKind,
    payload: StatusChange,
    row: Row,
    session: AsyncClientSession | None = None,
    chain: Sequence[Tier] | None = None,
) -> RecordFacts:
    """The facts of a record whose `FACT_FIELDS` are loaded. NOT_FOUND for a material that is not the student's."""
    policy = await newest_version(store, ApprovalPolicy)
    facts = KINDS[kind]
    stages = await stages_of_students(store, session, [payload.student_id])
    sanctions = (await sanctions_in_force(store, session, [payload.student_id])).get(payload.student_id, [])
    return RecordFacts(
        status=StudentStatus(row["status"]),
        periods=periods_of(row),
        enrolled_month=row["enrolled_month"],
        stage=stages.get(payload.student_id),
        is_under_sanction=bool(sanctions),
        has_expulsion=any(held.kind is SanctionKind.EXPULSION for held in sanctions),
        materials=await document_types_of(store, payload.student_id, payload.materials, session),
        chain=chain_of(policy, facts.operation, STATUS_FIELDS) if chain is None else chain,
    )


async def _cohort(store: Store, key: ObjectId, session: AsyncClientSession | None) -> Cohort | None:
    row = await store.database.collection(Cohort).find_one({"_id": key}, session=session)
    return None if row is None else Cohort.model_validate(row)


async def chain_of_request(unit: UnitOfWork) -> Sequence[Tier] | None:
    """Whose signatures the change that is applied had; None where it needed no request."""
    if unit.change_request is None:
        return None
    row = await unit.store.database.collection(ChangeRequest).find_one(
        {"_id": unit.change_request}, {"chain": 1}, session=unit.session
    )
    return None if row is None else [Tier(tier) for tier in row["chain"]]


async def has_valid_certificate(
    store: Store, student_id: ObjectId, session: AsyncClientSession | None = None
) -> bool:
    valid = {"student_id": student_id, "state": CertificateState.VALID.value}
    found = await store.database.collection(Certificate).find_one(valid, {"_id": 1}, session=session)
    return found is not None


async def place_on(
    store: Store,
    class_name: str | None,
    day: date,
    stage: SchoolStage | None,
    major_code: str | None,
    session: AsyncClientSession | None = None,
) -> dict[str, str | None]:
    """Where one of the stage goes on: class, grade, and no seat yet.

    REQUIRED; UNKNOWN_CODE for a class that is not open on the day, or is of another stage or major; OUT_OF_RANGE for a
    full one.
    """
    if class_name is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="to_class")
    held = (await classes_by_name(store, {class_name}, session)).get(class_name)
    if held is None or not is_open(held, day):
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="to_class")
    cohort = await _cohort(store, held.cohort_id, session)
    if cohort is None:
        raise LookupError(f"class {held.key} is of no cohort")
    if (stage is not None and cohort.stage is not stage) or not takes(held, major_code):
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="to_class")
    members = {"class_name": class_name, "status": StudentStatus.ENROLLED.value}
    if await store.database.collection(Student).count_documents(members, session=session) >= held.capacity:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="to_class", least=0, most=held.capacity)
    return {"class_name": class_name, "grade": grade_on(cohort, day), "class_seat_number": None}


async def major_on(
    store: Store,
    code: str | None,
    day: date,
    stage: SchoolStage | None,
    session: AsyncClientSession | None = None,
) -> str:
    """The code of a major of the stage that can be taken up on the day.

    REQUIRED; UNKNOWN_CODE for one that is not open on the day, or is of another stage.
    """
    if code is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="to_major")
    found = (await open_majors(store, {code}, day, session)).get(code, ())
    if not any(major.code == code and stage in (None, major.stage) for major in found):
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="to_major")
    return code


async def stays_possible(
    store: Store, class_name: str, major_code: str, session: AsyncClientSession | None = None
) -> bool:
    """Whether who takes up the major may stay in the class."""
    held = (await classes_by_name(store, {class_name}, session)).get(class_name)
    return held is None or takes(held, major_code)


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
