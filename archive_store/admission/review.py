"""资格审核: `admission.review`. 由教务处联合学籍管理部门共同完成 (policy §三(一)): both seats sign, two persons."""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import CaseStatus, ReviewSignature, Seat
from archive_store.admission.rules import (
    RULE,
    AdmissionAction,
    after_signature,
    holds_seat,
    require_seat,
    seats_of,
)
from archive_store.admission.steps import (
    CasePayload,
    case_operation,
    case_to_move,
    digest_of,
    require_on,
    write,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, UnitOfWork

COMMENT_LIMIT = 1000
_Comment = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=COMMENT_LIMIT)]


class AdmissionReview(CasePayload):
    """Payload of `admission.review`. `seat` is told by `seat_for`; `digest` binds it to what the reviewer saw."""

    passed: bool
    comment: _Comment | None = None
    seat: Seat
    digest: str | None = None


async def seat_for(store: Store, viewer: Viewer, case_id: ObjectId) -> Seat:
    """The seat in which the viewer signs; what `require_seat` refuses."""
    case = await require_on(store, viewer, case_id, AdmissionAction.REVIEW)
    return require_seat(case, viewer.person_id, seats_of(viewer))


async def _check(store: Store, viewer: Viewer, payload: AdmissionReview) -> None:
    if payload.seat is not await seat_for(store, viewer, payload.case_id):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="seat", rule=RULE)
    if not payload.passed and payload.comment is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="comment", rule=RULE)


async def _apply(unit: UnitOfWork, payload: AdmissionReview) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.REVIEW)
    if not holds_seat(unit.actor, payload.seat):
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=RULE)
    seat = require_seat(case, unit.actor.person_id, [payload.seat])
    digest = digest_of(unit.store, case)
    if payload.digest is not None and not hmac.compare_digest(payload.digest, digest):
        raise RegistrarError(ErrorCode.CONFLICT, field="digest", rule=RULE, fields="applicant, evidence")
    if any(not hmac.compare_digest(held.digest, digest) for held in case.current_signatures):
        raise AssertionError(f"what the other seat signed of case {case.key} is not what is there")
    assert unit.actor.person_id is not None  # noqa: S101 - only people review
    signature = ReviewSignature(
        seat=seat,
        passed=payload.passed,
        round=case.round,
        signed_by=PydanticObjectId(unit.actor.person_id),
        signed_by_name=unit.actor.name,
        signed_at=unit.at,
        digest=digest,
        comment=payload.comment,
    )
    status = after_signature([*case.current_signatures, signature])
    values: dict[str, Any] = {"status": status, "signatures": [*case.signatures, signature]}
    if status is CaseStatus.REVIEW_FAILED:
        # The numbers are free for whoever comes with them next.
        values["lookups"] = []
    changes = [
        FieldChange("status", case.status.value, status.value),
        FieldChange("signatures", None, bson_value([signature])),
    ]
    told = {CaseStatus.REVIEW_FAILED: "review_failed", CaseStatus.READY_FOR_ENTRY: "ready_for_entry"}
    await write(unit, case, "review", values, changes=changes, told=told.get(status))
    return case.key


ADMISSION_REVIEW = case_operation("admission.review", AdmissionReview, AdmissionAction.REVIEW, _check, _apply)
