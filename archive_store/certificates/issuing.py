"""`certificate.issue` (毕业证发放): up to 1,000 students, as one request and one transaction.

Policy §三(一) and §四(一) 学历认证: signed by the department head and the vice principal. The whole list gets its
certificates or nobody does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision, refuse_field
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.certificates.documents import (
    Certificate,
    CertificateIssue,
    CertificateKind,
    CertificateState,
)
from archive_store.certificates.making import (
    PRINTED,
    Printed,
    make_certificates,
    require_earned,
    school_name,
)
from archive_store.certificates.ranges import ASKERS, LOCK, left_of
from archive_store.certificates.rules import RULE
from archive_store.certificates.status_lists import signing
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.foundation.texts import starts_formula
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.documents import Student

STUDENTS_LIMIT = 1_000
Month = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Programme = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_FIELDS = frozenset({"student_id", "kind", "state"})


class CertificateIssuing(Payload):
    """Payload of `certificate.issue`. `studied_until` (YYYY-MM) ends the period of study on the papers."""

    issue_id: PydanticObjectId
    kind: CertificateKind
    student_ids: Annotated[tuple[PydanticObjectId, ...], Field(min_length=1, max_length=STUDENTS_LIMIT)]
    stage: SchoolStage
    programme: Programme | None = None
    studied_until: Month
    issued_on: date

    @property
    def printed(self) -> Printed:
        return Printed(self.kind, self.stage, self.programme, self.studied_until, self.issued_on)


def require_asker(viewer: Viewer) -> None:
    """FORBIDDEN unless the viewer reads of everybody what an issue is judged by."""
    readable = viewer.decide(Student).readable if viewer.reads_by_post else frozenset()
    if "status" not in readable:
        raise refuse_field("student_ids")
    if "state" not in viewer.decide(Certificate).readable:
        raise refuse_field("student_ids")


async def _check(store: Store, viewer: Viewer, payload: CertificateIssuing) -> None:
    require_asker(viewer)
    signing(store)
    await school_name(store)
    if payload.programme is not None and starts_formula(payload.programme):
        raise RegistrarError(ErrorCode.FORMULA, field="programme")
    if payload.issued_on > school_day(store.clock.now()):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="issued_on", rule=RULE)
    await _eligible(store, payload)
    if await left_of(store, payload.kind, payload.issued_on.year) < len(payload.student_ids):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="issued_on", rule=RULE, state="NUMBERS_USED_UP")


async def _eligible(
    store: Store, payload: CertificateIssuing, session: AsyncClientSession | None = None
) -> list[Row]:
    """The students in the order asked for, as far as papers show them; the first who gets none is an error."""
    keys = list(payload.student_ids)
    fields = dict.fromkeys((*PRINTED, "status"), 1)
    found = store.database.collection(Student).find({"_id": {"$in": keys}}, fields, session=session)
    students = {row["_id"]: row for row in await found.to_list()}
    valid = store.database.collection(Certificate).find(
        {"student_id": {"$in": keys}, "kind": payload.kind.value, "state": CertificateState.VALID.value},
        {"student_id": 1},
        session=session,
    )
    holders = {row["student_id"] for row in await valid.to_list()}
    seen: set[ObjectId] = set()
    for place, key in enumerate(keys):
        field = f"student_ids.{place}"
        if key not in students:
            raise RegistrarError(ErrorCode.NOT_FOUND, field=field)
        if key in holders or key in seen:
            raise RegistrarError(ErrorCode.DUPLICATE, field=field, rule=RULE, others="Certificate")
        require_earned(payload.kind, students[key]["status"], field=field)
        if students[key]["enrolled_month"] > payload.studied_until:
            raise RegistrarError(ErrorCode.INVALID_DATE, field="studied_until", rule=RULE)
        seen.add(key)
    return [students[key] for key in keys]


async def _apply(unit: UnitOfWork, payload: CertificateIssuing) -> ObjectId:
    await unit.serialise(LOCK)
    students = await _eligible(unit.store, payload, unit.session)
    await make_certificates(unit, payload.printed, students, issue_id=payload.issue_id)
    issue = CertificateIssue(
        id=payload.issue_id,
        kind=payload.kind,
        issued_on=payload.issued_on,
        certificates=len(students),
        applied_at=unit.at,
    )
    await unit.insert(issue)
    row = issue.to_bson()
    told = [FieldChange(name, None, row[name]) for name in ("kind", "issued_on", "certificates")]
    unit.audit(Subject(issue.subject_type, issue.key), "certificate_issue:apply", told)
    return issue.key


def _requested(payload: CertificateIssuing) -> Mapping[str, Any]:
    return {
        "student_id": bson_value(payload.student_ids),
        "kind": payload.kind.value,
        "state": CertificateState.VALID.value,
    }


async def decisions(
    store: Store, viewer: Viewer, targets: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    """By posts alone: what ties a viewer to some of the students opens nothing of the others."""
    return dict.fromkeys(targets, viewer.decide(Certificate)) if viewer.reads_by_post else {}


CERTIFICATE_ISSUE = Operation(
    name="certificate.issue",
    record_type=Certificate,
    payload=CertificateIssuing,
    requesters=ASKERS,
    subject=lambda payload: Subject(CertificateIssue.subject_type, payload.issue_id),
    requested_values=_requested,
    fields=lambda payload: _FIELDS,
    decisions=decisions,
    concerns=lambda payload: frozenset(payload.student_ids),
    check=_check,
    apply=_apply,
)
