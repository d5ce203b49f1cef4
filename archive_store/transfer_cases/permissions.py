"""What a viewer may do with a transfer case, said before they try. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.operation import Operation
from archive_store.approvals.permissions import Permission, may_ask
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.transfer_cases.documents import CaseDirection, CaseState, TransferCase
from archive_store.transfer_cases.ending import CASE_CLOSE, CASE_WITHDRAW
from archive_store.transfer_cases.leaving import STUDENT_TRANSFER_OUT
from archive_store.transfer_cases.operations import (
    CASE_ANSWER,
    CASE_RECORD_STEP,
)
from archive_store.transfer_cases.rules import (
    RULE,
    WRITERS,
    awaited_step,
    is_signed,
    leaves_with,
    require_in_process,
)
from archive_store.transfer_cases.steps import is_family_of, require_others


class CaseAction(StrEnum):
    RECORD_STEP = "RECORD_STEP"
    WITHDRAW = "WITHDRAW"
    CLOSE = "CLOSE"


def may_on_case(policy: ApprovalPolicy, viewer: Viewer, case: TransferCase, action: CaseAction) -> Permission:
    """Whether the viewer may; what the record would answer to its change of status is told by its preview."""

    def require() -> None:
        match action:
            case CaseAction.RECORD_STEP:
                require_others(viewer, case.student_id)
                if awaited_step(case).change_request_id is not None:
                    raise _wrong("REQUESTED")
            case CaseAction.WITHDRAW:
                if not viewer.holds_any(WRITERS) and not is_family_of(viewer, case.student_id):
                    raise RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=RULE)
                require_in_process(case)
            case CaseAction.CLOSE:
                require_others(viewer, case.student_id)
                if case.state is not CaseState.COMPLETED:
                    raise _wrong(case.state)
                if case.direction is CaseDirection.OUT and case.file_transfer_id is None:
                    raise _wrong("FILE_NOT_SENT")

    return _may(policy, viewer, _operation(case, action), require)


def _wrong(state: str) -> RegistrarError:
    return RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=state)


def _operation(case: TransferCase, action: CaseAction) -> Operation[Any]:
    if action is CaseAction.WITHDRAW:
        return CASE_WITHDRAW
    if action is CaseAction.CLOSE:
        return CASE_CLOSE
    if case.state is not CaseState.IN_PROCESS:
        return CASE_RECORD_STEP
    step = awaited_step(case)
    if leaves_with(case, step):
        return STUDENT_TRANSFER_OUT
    return CASE_ANSWER if is_signed(case, step) else CASE_RECORD_STEP


def _may(
    policy: ApprovalPolicy, viewer: Viewer, operation: Operation[Any], require: Callable[[], None]
) -> Permission:
    held = may_ask(policy, viewer, operation)
    if held.refusal is not None:
        return held
    try:
        require()
    except RegistrarError as refusal:
        return Permission(refusal, held.tiers)
    return held
