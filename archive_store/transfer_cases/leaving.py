"""The change of status TRANSFER_OUT and the sending of the archive, as steps of a case.

Our own step of a case is done by the change of status itself: in its transaction when it applies, and refused when
its request is rejected. So those operations are wrapped here, and the table of operations has the wrapped ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ChangeRequest, Evidence, RequestStatus
from archive_store.approvals.operation import Operation
from archive_store.approvals.operations import Asking, Outcome, payload_of, perform
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.organisation.stages import stages_of_students
from archive_store.status_changes.operations import STATUS_CHANGES
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.status import StatusChange
from archive_store.transfer_cases.documents import CaseDirection, CaseState, StepOutcome, TransferCase
from archive_store.transfer_cases.operations import CaseAnswer
from archive_store.transfer_cases.rules import (
    RULE,
    awaited_place,
    awaited_step,
    is_signed,
    leaves_with,
    require_awaited,
)
from archive_store.transfer_cases.steps import (
    case_in_sight,
    loaded_case,
    require_others,
    rules_in_force,
    running_case,
    write_answer,
    write_case,
)
from archive_store.transfers.operations import (
    FILE_TRANSFER_RETURN,
    FILE_TRANSFER_SEND,
    TransferReturn,
    TransferSend,
)

_OUT = STATUS_CHANGES[ChangeKind.TRANSFER_OUT]


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """What a party answered, on which day and why. `materials` and `document_number` are of our own leave to go.

    `step` is the place of the step that is answered; None: whichever is awaited.
    """

    outcome: StepOutcome
    done_on: date
    ground: str | None = None
    materials: Sequence[ObjectId] = ()
    evidence: Sequence[Evidence] = ()
    document_number: str | None = None
    reason: str | None = None
    step: int | None = None


async def record_step(store: Store, viewer: Viewer, case_id: ObjectId, answer: StepAnswer) -> Outcome:
    """Write down the answer to the step that is awaited, or ask for the signatures that our own school's needs.

    Our leave to go is the change of status TRANSFER_OUT from `done_on`, which may be to come. Raises as these do.
    """
    case = await case_in_sight(store, viewer, case_id)
    step = awaited_step(case)
    place = awaited_place(case) if answer.step is None else answer.step
    require_awaited(case, place)
    if leaves_with(case, step) and answer.outcome is StepOutcome.AGREED:
        return await _ask_to_leave(store, viewer, case, answer)
    told: dict[str, Any] = {"case_id": case_id, "outcome": answer.outcome, "done_on": answer.done_on}
    told |= {"student_id": case.student_id, "step": place}
    if answer.ground is not None:
        told["ground"] = answer.ground
    payload = payload_of(CaseAnswer, told, long_texts=frozenset({"ground"}))
    name = "answer" if is_signed(case, step) else "record_step"
    return await perform(store, viewer, f"transfer_case.{name}", payload, reason=answer.reason)


async def _ask_to_leave(store: Store, viewer: Viewer, case: TransferCase, answer: StepAnswer) -> Outcome:
    require_others(viewer, case.student_id)
    told: dict[str, Any] = {
        "student_id": case.student_id,
        "effective_from": answer.done_on,
        "counterpart": case.other_school,
        "materials": list(answer.materials),
    }
    if answer.document_number is not None:
        told["document_number"] = answer.document_number

    async def name(unit: UnitOfWork, request_id: ObjectId | None) -> None:
        if request_id is None:
            return  # it applied, and the step is done
        held = await loaded_case(unit, case.key)
        place = awaited_place(held)
        _require_unasked(held)
        steps = list(held.steps)
        steps[place] = steps[place].model_copy(update={"change_request_id": request_id})
        await write_case(unit, held, "ask_to_leave", {"steps": steps})

    _require_unasked(case)
    waits = answer.done_on > school_day(store.clock.now())
    asking = Asking(
        reason=answer.reason,
        evidence=answer.evidence,
        effective_from=answer.done_on if waits else None,
        beside=name,
    )
    return await perform(store, viewer, _OUT.name, payload_of(StatusChange, told), asking=asking)


def _require_unasked(case: TransferCase) -> None:
    if awaited_step(case).change_request_id is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="REQUESTED")


async def _require_turn(store: Store, student_id: ObjectId, case: TransferCase | None) -> None:
    """WRONG_STATE while another party is awaited; RULE_FORBIDS without a case where the rules ask for one."""
    if case is not None:
        step = awaited_step(case)
        if not leaves_with(case, step):
            raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=RULE, state=step.party)
        return
    rules = await rules_in_force(store)
    stage = (await stages_of_students(store, None, [student_id])).get(student_id)
    for route in rules.rules:
        if route.needs_case and (not route.stages or stage in route.stages):
            raise RegistrarError(
                ErrorCode.RULE_FORBIDS, field="student_id", rule=route.article, article=route.article
            )


async def _check_out(store: Store, viewer: Viewer, payload: StatusChange) -> None:
    await _OUT.check(store, viewer, payload)
    await _require_turn(store, payload.student_id, await running_case(store, payload.student_id))


async def _apply_out(unit: UnitOfWork, payload: StatusChange) -> Any:
    case = await running_case(unit.store, payload.student_id, unit.session)
    await _require_turn(unit.store, payload.student_id, case)
    result = await _OUT.apply(unit, payload)
    if case is not None:
        begun_on = awaited_step(case).begun_on
        today = school_day(unit.at)
        done_on = today if begun_on is None else max(begun_on, today)
        await write_answer(unit, case, StepOutcome.AGREED, done_on, change_request_id=unit.change_request)
    return result


async def _out_not_applied(unit: UnitOfWork, request: ChangeRequest, status: RequestStatus) -> None:
    """What becomes of the step whose request is rejected, returned or withdrawn."""
    case = await running_case(unit.store, request.target_id, unit.session)
    if case is None or awaited_step(case).change_request_id != request.key:
        return
    subject = Subject(TransferCase.subject_type, case.key)
    if status is RequestStatus.REJECTED:
        await write_answer(
            unit, case, StepOutcome.REFUSED, school_day(unit.at), change_request_id=request.key
        )
    elif status is RequestStatus.RETURNED:
        unit.audit(subject, "transfer_case:return_request", tells_reason=False)
        unit.notify(Post.INFORMATION_GROUP, "transfer_case:request_returned", subject)
    else:
        place = awaited_place(case)
        steps = list(case.steps)
        steps[place] = steps[place].model_copy(update={"change_request_id": None})
        await write_case(unit, case, "withdraw_request", {"steps": steps})


STUDENT_TRANSFER_OUT: Operation[StatusChange] = replace(
    _OUT, check=_check_out, apply=_apply_out, not_applied=_out_not_applied
)


async def _newest_left(unit: UnitOfWork, student_id: ObjectId) -> TransferCase | None:
    """The newest case by which the student left and whose archive has not been sent."""
    query = {
        "student_id": student_id,
        "direction": CaseDirection.OUT.value,
        "state": {"$in": [CaseState.IN_PROCESS.value, CaseState.COMPLETED.value]},
        "file_transfer_id": None,
    }
    row = await unit.store.database.collection(TransferCase).find_one(
        query, sort=[("_id", -1)], session=unit.session
    )
    return None if row is None else await unit.decrypted(TransferCase, row)


async def _send(unit: UnitOfWork, payload: TransferSend) -> Any:
    result = await FILE_TRANSFER_SEND.apply(unit, payload)
    if (case := await _newest_left(unit, payload.student_id)) is not None:
        await write_case(unit, case, "send_file", {"file_transfer_id": payload.transfer_id})
    return result


async def _return(unit: UnitOfWork, payload: TransferReturn) -> Any:
    result = await FILE_TRANSFER_RETURN.apply(unit, payload)
    row = await unit.store.database.collection(TransferCase).find_one(
        {"file_transfer_id": payload.transfer_id, "state": {"$ne": CaseState.CLOSED.value}},
        session=unit.session,
    )
    if row is not None:
        case = await unit.decrypted(TransferCase, row)
        await write_case(unit, case, "return_file", {"file_transfer_id": None})
    return result


FILE_SEND: Operation[TransferSend] = replace(FILE_TRANSFER_SEND, apply=_send)
FILE_RETURN: Operation[TransferReturn] = replace(FILE_TRANSFER_RETURN, apply=_return)
