"""`certificate.revoke` (撤销) and `certificate.reissue` (补发/换发), policy §四(一): both signed as an issue is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.certificates.documents import Certificate, CertificateState
from archive_store.certificates.issuing import decisions, require_asker
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
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.students.documents import Student

_FIELDS = frozenset({"state"})


class CertificateRevoke(Payload):
    """Payload of `certificate.revoke`, of whose certificate it is; why is the reason of the request."""

    certificate_id: PydanticObjectId
    student_id: PydanticObjectId


class CertificateReissue(Payload):
    """Payload of `certificate.reissue`: the new one, dated `issued_on`, says what the student's record says now."""

    certificate_id: PydanticObjectId
    student_id: PydanticObjectId
    new_certificate_id: PydanticObjectId
    issued_on: date


async def student_of(store: Store, certificate_id: ObjectId) -> ObjectId:
    """Whose certificate it is, for the payload; NOT_FOUND without one."""
    row = await store.database.collection(Certificate).find_one({"_id": certificate_id}, {"student_id": 1})
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="certificate_id")
    return ObjectId(row["student_id"])


async def _held(
    store: Store, payload: CertificateRevoke | CertificateReissue, session: AsyncClientSession | None = None
) -> Certificate:
    """A certificate of the student that is valid; NOT_FOUND, WRONG_STATE otherwise."""
    asked = {"_id": payload.certificate_id, "student_id": payload.student_id}
    row = await store.database.collection(Certificate).find_one(asked, session=session)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="certificate_id")
    held: Certificate = Certificate.model_validate(row)
    if held.state is not CertificateState.VALID:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="certificate_id", rule=RULE, state=held.state)
    return held


async def _printed_student(store: Store, held: Certificate, session: AsyncClientSession | None = None) -> Row:
    fields = dict.fromkeys((*PRINTED, "status"), 1)
    row = await store.database.collection(Student).find_one({"_id": held.student_id}, fields, session=session)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="certificate_id")
    require_earned(held.kind, row["status"], field="certificate_id")
    return row


async def _check_revoke(store: Store, viewer: Viewer, payload: CertificateRevoke) -> None:
    require_asker(viewer)
    await _held(store, payload)


async def _check_reissue(store: Store, viewer: Viewer, payload: CertificateReissue) -> None:
    require_asker(viewer)
    signing(store)
    await school_name(store)
    held = await _held(store, payload)
    if not held.paper.issued_on <= payload.issued_on <= school_day(store.clock.now()):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="issued_on", rule=RULE)
    await _printed_student(store, held)
    if not await left_of(store, held.kind, payload.issued_on.year):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="issued_on", rule=RULE, state="NUMBERS_USED_UP")


async def _end(unit: UnitOfWork, held: Certificate, state: CertificateState, **more: Any) -> None:
    kind = "certificate:revoke" if state is CertificateState.REVOKED else "certificate:supersede"
    await unit.change_told(held, {"state": state, "ended_on": school_day(unit.at), **more}, kind)


async def _revoke(unit: UnitOfWork, payload: CertificateRevoke) -> ObjectId:
    held = await _held(unit.store, payload, unit.session)
    await _end(unit, held, CertificateState.REVOKED)
    return held.key


async def _reissue(unit: UnitOfWork, payload: CertificateReissue) -> ObjectId:
    await unit.serialise(LOCK)
    held = await _held(unit.store, payload, unit.session)
    student = await _printed_student(unit.store, held, unit.session)
    # First, since one student has one valid certificate of a kind.
    new_id = payload.new_certificate_id
    await _end(unit, held, CertificateState.SUPERSEDED, replaced_by=new_id)
    paper = held.paper
    printed = Printed(held.kind, paper.stage, paper.programme, paper.studied_until, payload.issued_on)
    await make_certificates(unit, printed, [student], id=new_id, replaces=held.key)
    return new_id


async def _current(
    store: Store, session: AsyncClientSession | None, payload: CertificateRevoke | CertificateReissue
) -> Mapping[str, Any]:
    row = await store.database.collection(Certificate).find_one(
        {"_id": payload.certificate_id}, {"state": 1}, session=session
    )
    return {"state": row["state"] if row else None}


CERTIFICATE_REVOKE = Operation(
    name="certificate.revoke",
    record_type=Certificate,
    payload=CertificateRevoke,
    requesters=ASKERS,
    subject=lambda payload: Subject(Certificate.subject_type, payload.certificate_id),
    requested_values=lambda payload: {"state": CertificateState.REVOKED.value},
    fields=lambda payload: _FIELDS,
    current=_current,
    decisions=decisions,
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check_revoke,
    apply=_revoke,
)
CERTIFICATE_REISSUE = Operation(
    name="certificate.reissue",
    record_type=Certificate,
    payload=CertificateReissue,
    requesters=ASKERS,
    subject=lambda payload: Subject(Certificate.subject_type, payload.certificate_id),
    requested_values=lambda payload: {"state": CertificateState.SUPERSEDED.value},
    fields=lambda payload: _FIELDS,
    current=_current,
    decisions=decisions,
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check_reissue,
    apply=_reissue,
)
