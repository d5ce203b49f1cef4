"""`transfer_case.withdraw` and `.close`: a transfer that is given up, and one whose archive was sent or begun here."""

from __future__ import annotations

from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import WITHDRAWABLE_STATUSES, ChangeRequest, RequestStatus
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import Outcome, payload_of, perform
from archive_store.approvals.requests import withdraw_in
from archive_store.conduct.rules import is_family
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.students.documents import Student, StudentStatus
from archive_store.transfer_cases.documents import CaseDirection, CaseState, TransferCase
from archive_store.transfer_cases.operations import ARRIVAL, case_operation, student_row
from archive_store.transfer_cases.rules import RULE, WRITERS, awaited_place, has_left, require_in_process
from archive_store.transfer_cases.steps import (
    case_in_sight,
    is_family_of,
    loaded_case,
    require_others,
    tell_applicant,
    tell_of_record,
    write_case,
)

# On the record of who has come.
_ARRIVED = frozenset({StudentStatus.ENROLLED, StudentStatus.PENDING_ADMISSION})


class CaseWithdraw(Payload):
    """Payload of `transfer_case.withdraw`; the office says why in the reason, the family need not (`is_family`)."""

    case_id: PydanticObjectId
    is_family: bool = False


class CaseClose(Payload):
    """Payload of `transfer_case.close`; `student_id` is the record of who came, if the case does not name it."""

    case_id: PydanticObjectId
    student_id: PydanticObjectId | None = None


async def withdraw_case(store: Store, viewer: Viewer, case_id: ObjectId, reason: str | None) -> Outcome:
    """Give a case up, as the family or as the office. Raises as the operation does."""
    case = await case_in_sight(store, viewer, case_id)
    told = {"case_id": case_id, "is_family": is_family_of(viewer, case.student_id)}
    return await perform(store, viewer, CASE_WITHDRAW.name, payload_of(CaseWithdraw, told), reason=reason)


async def _check_withdraw(store: Store, viewer: Viewer, payload: CaseWithdraw) -> None:
    case = await case_in_sight(store, viewer, payload.case_id)
    if not viewer.holds_any(WRITERS) and not is_family_of(viewer, case.student_id):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=RULE)
    require_in_process(case)
    if payload.is_family is not is_family_of(viewer, case.student_id):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=RULE)
    if not is_family_of(viewer, case.student_id):
        await _require_own_request(store, viewer.person_id, case)


async def _require_own_request(
    store: Store, person_id: ObjectId | None, case: TransferCase, session: AsyncClientSession | None = None
) -> None:
    """WRONG_STATE of a step that somebody else has asked for, or that is signed already: it is theirs to withdraw."""
    asked = case.steps[awaited_place(case)].change_request_id
    if asked is None:
        return
    row = await store.database.collection(ChangeRequest).find_one(
        {"_id": asked}, {"requested_by": 1, "status": 1}, session=session
    )
    if row is not None and (
        row["requested_by"] != person_id or row["status"] == RequestStatus.APPROVED.value
    ):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="REQUESTED")


async def _withdraw(unit: UnitOfWork, payload: CaseWithdraw) -> ObjectId:
    case = await loaded_case(unit, payload.case_id)
    if not payload.is_family:
        if not unit.reason:
            raise RegistrarError(ErrorCode.REQUIRED, field="reason", rule=RULE)
        await _require_own_request(unit.store, unit.actor.person_id, case, unit.session)
    asked = case.steps[awaited_place(case)].change_request_id
    values = {
        "state": CaseState.WITHDRAWN,
        "ended_on": school_day(unit.at),
        "awaited": None,
        "due_on": None,
    }
    subject = await write_case(unit, case, "withdraw", values)
    if asked is not None:
        request = await unit.load(ChangeRequest, asked)
        if request is not None and request.status in WITHDRAWABLE_STATUSES:
            await withdraw_in(unit, request)
    await tell_applicant(unit, case, "transfer_case:withdrawn")
    unit.notify(Post.INFORMATION_GROUP, "transfer_case:withdrawn", subject)
    if has_left(case):
        tell_of_record(unit, subject)
    return case.key


async def _check_close(store: Store, viewer: Viewer, payload: CaseClose) -> None:
    case = await case_in_sight(store, viewer, payload.case_id)
    require_others(viewer, case.student_id)
    student_id = _whom_closed(case, payload)
    require_others(viewer, student_id)
    if case.direction is CaseDirection.IN:
        assert student_id is not None  # noqa: S101 - told by `_whom_closed`
        _require_arrived(case, await student_row(store, viewer, student_id))


def _whom_closed(case: TransferCase, payload: CaseClose) -> ObjectId | None:
    """The student of the case; WRONG_STATE before it is completed, or before the archive was sent."""
    if case.state is not CaseState.COMPLETED:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=case.state)
    if case.direction is CaseDirection.OUT and case.file_transfer_id is None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="FILE_NOT_SENT")
    if case.student_id is not None:
        if payload.student_id not in (None, case.student_id):
            raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
        return case.student_id
    if payload.student_id is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="student_id", rule=RULE)
    return payload.student_id


def _require_arrived(case: TransferCase, row: Row) -> None:
    if StudentStatus(row["status"]) not in _ARRIVED:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=RULE, state=row["status"])
    if case.applicant_name is not None and row["name"] != case.applicant_name:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="student_id",
            rule=RULE,
            detail_zh="与转学申请人姓名不符",
            detail_en="the record has another name than the case",
        )
    if case.birth_date is not None and row["birth_date"] != case.birth_date.isoformat():
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="student_id",
            rule=RULE,
            detail_zh="与转学申请人出生日期不符",
            detail_en="the record has another birth date than the case",
        )


async def _close(unit: UnitOfWork, payload: CaseClose) -> ObjectId:
    case = await loaded_case(unit, payload.case_id)
    student_id = _whom_closed(case, payload)
    if case.direction is CaseDirection.IN:
        row = await unit.store.database.collection(Student).find_one(
            {"_id": student_id}, ARRIVAL, session=unit.session
        )
        if row is None or row.get("merged_into") is not None:
            raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
        _require_arrived(case, row)
    values: dict[str, Any] = {"state": CaseState.CLOSED, "closed_on": school_day(unit.at)}
    if case.student_id is None:
        values["student_id"] = student_id
    await write_case(unit, case, "close", values)
    return case.key


CASE_WITHDRAW = case_operation(
    "withdraw",
    CaseWithdraw,
    WRITERS,
    frozenset({"state"}),
    lambda asked: {"state": CaseState.WITHDRAWN.value},
    _check_withdraw,
    _withdraw,
    also_open_to=is_family,
)
CASE_CLOSE = case_operation(
    "close",
    CaseClose,
    WRITERS,
    frozenset({"state"}),
    lambda asked: {"state": CaseState.CLOSED.value},
    _check_close,
    _close,
)
