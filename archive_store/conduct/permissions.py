"""What a viewer may do with a sanction or an appeal, said before they try. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.operation import Operation
from archive_store.approvals.permissions import Permission, may_ask
from archive_store.conduct.appeal_decisions import (
    APPEAL_DECIDE,
    APPEAL_RECORD_ANSWER,
    APPEAL_RECORD_PROVINCIAL,
)
from archive_store.conduct.appeals import APPEAL_APPOINT, APPEAL_EXTEND, APPEAL_FILE
from archive_store.conduct.documents import Appeal, Sanction
from archive_store.conduct.queries import AppealView, SanctionView
from archive_store.conduct.rules import (
    ASKERS,
    RULE,
    AppealAction,
    filed_as,
    is_of_family,
    require_appealable,
    require_chair,
    require_removable,
    require_servable,
    require_step,
)
from archive_store.conduct.sanctions import SANCTION_REMOVE, SANCTION_SERVE
from archive_store.foundation.errors import ErrorCode, RegistrarError

_OPERATIONS: Mapping[AppealAction, Operation[Any]] = {
    AppealAction.APPOINT: APPEAL_APPOINT,
    AppealAction.EXTEND: APPEAL_EXTEND,
    AppealAction.DECIDE: APPEAL_DECIDE,
    AppealAction.RECORD_PROVINCIAL: APPEAL_RECORD_PROVINCIAL,
    AppealAction.RECORD_ANSWER: APPEAL_RECORD_ANSWER,
}


class SanctionAction(StrEnum):
    SERVE = "SERVE"
    REMOVE = "REMOVE"
    APPEAL = "APPEAL"


def may_on_sanction(
    policy: ApprovalPolicy, viewer: Viewer, view: SanctionView, action: SanctionAction, today: date
) -> Permission:
    """Whether the viewer may; an appeal that there is already is told by trying."""
    sanction = Sanction.model_validate(_whole(view.row, "reason"))
    family = is_of_family(viewer, view.student_id)
    match action:
        case SanctionAction.SERVE:
            return _may(policy, viewer, SANCTION_SERVE, lambda: require_servable(sanction))
        case SanctionAction.REMOVE:
            may = family or viewer.holds_any(ASKERS)
            return _may(policy, viewer, SANCTION_REMOVE, lambda: require_removable(sanction, today), may=may)
        case SanctionAction.APPEAL:
            may = filed_as(viewer, view.student_id) is not None
            # What came on paper in time is written down later.
            last = sanction.appeal_until
            day = today if family or last is None else min(today, last)
            return _may(policy, viewer, APPEAL_FILE, lambda: require_appealable(sanction, day), may=may)


def may_on_appeal(
    policy: ApprovalPolicy, viewer: Viewer, view: AppealView, action: AppealAction
) -> Permission:
    """Whether the viewer may; whom a committee may have is told by trying."""
    appeal = Appeal.model_validate(_whole(view.row, "grounds"))
    is_provincial = action is AppealAction.RECORD_PROVINCIAL
    may = not is_provincial or filed_as(viewer, view.student_id) is not None

    def require() -> None:
        require_step(appeal, action)
        if action in (AppealAction.EXTEND, AppealAction.DECIDE):
            require_chair(appeal, viewer.person_id)

    return _may(policy, viewer, _OPERATIONS[action], require, may=may)


def _may(
    policy: ApprovalPolicy,
    viewer: Viewer,
    operation: Operation[Any],
    require: Callable[[], None],
    *,
    may: bool = True,
) -> Permission:
    held = may_ask(policy, viewer, operation)
    if held.refusal is not None:
        return held
    if not may:
        refusal = RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=RULE)
        return Permission(refusal, held.tiers, operation.requesters)
    try:
        require()
    except RegistrarError as refusal:
        return Permission(refusal, held.tiers)
    return held


def _whole(row: dict[str, object], text: str) -> dict[str, object]:
    """The row as a record, its required text left empty: no rule here reads it."""
    return {name: value for name, value in row.items() if name != "has"} | {text: ""}
