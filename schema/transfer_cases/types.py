"""A transfer case (转学办理) as the office and the family see it, and the input of what is done with one."""

from __future__ import annotations

from datetime import datetime

import strawberry

from archive_store.approvals.documents import ApprovalPolicy
from archive_store.foundation.versioned import newest_version
from archive_store.transfer_cases import documents as stored
from archive_store.transfer_cases.permissions import may_on_case
from archive_store.transfer_cases.queries import CaseView
from schema.access import GovernedType, governed, governed_list
from schema.context import Request
from schema.directives import directives_of
from schema.nodes import global_id, key_of
from schema.permissions import Permission, permission
from schema.scalars import Day
from schema.transfer_cases.enums import (
    CaseAction,
    CaseDirection,
    CaseRoute,
    CaseState,
    Party,
    StepAct,
    StepOutcome,
    TransferReason,
)

_TYPE = stored.TransferCase


@strawberry.type(description="办理环节: what one party does, and by when.")
class TransferCaseStep:
    party: Party | None = governed(_TYPE, "steps.party", "办理方")
    act: StepAct | None = governed(_TYPE, "steps.act", "what it does")
    begun_on: Day | None = governed(_TYPE, "steps.begun_on", "the day on which the step before was done")
    due_on: Day | None = governed(_TYPE, "steps.due_on", "办理期限: the last day; null where none is set")
    done_on: Day | None = governed(_TYPE, "steps.done_on", "办结日期")
    outcome: StepOutcome | None = governed(_TYPE, "steps.outcome", "办理结果")
    ground: str | None = governed(_TYPE, "steps.ground", "不同意的理由")
    noted_by_name: str | None = governed(_TYPE, "steps.noted_by_name", "登记人")
    noted_at: datetime | None = governed(_TYPE, "steps.noted_at", "登记时间")

    @strawberry.field(
        description="审批单: the change request by which our own school answers.",
        directives=directives_of(_TYPE, "steps.change_request_id"),
        metadata={"path": "steps.change_request_id"},
    )
    def change_request_id(self) -> strawberry.ID | None:
        key = self.get("change_request_id")  # type: ignore[attr-defined]
        return None if key is None else strawberry.ID(global_id("ChangeRequest", key))


@strawberry.type(description="转学办理: one transfer of one student, from party to party.")
class TransferCase:
    id: strawberry.ID
    student_id: strawberry.ID | None = strawberry.field(
        description="Null of who comes and has no record yet."
    )
    direction: CaseDirection | None = governed(_TYPE, "direction", "转学方向")
    route: CaseRoute | None = governed(_TYPE, "route", "办理流程")
    applicant_name: str | None = governed(_TYPE, "applicant_name", "姓名 of who comes without a record")
    birth_date: Day | None = governed(_TYPE, "birth_date", "出生日期 of who comes without a record")
    other_school: str | None = governed(_TYPE, "other_school", "对方学校")
    other_school_code: str | None = governed(_TYPE, "other_school_code", "对方学校标识码")
    applied_on: Day | None = governed(_TYPE, "applied_on", "申请日期")
    reason_kind: TransferReason | None = governed(_TYPE, "reason_kind", "转学原因")
    reason_text: str | None = governed(_TYPE, "reason_text", "转学原因说明")
    article: str | None = governed(_TYPE, "article", "the article that the route stands in")
    state: CaseState | None = governed(_TYPE, "state", "办理状态")
    awaited: Party | None = governed(_TYPE, "awaited", "待办方")
    due_on: Day | None = governed(_TYPE, "due_on", "the last day of the step that is awaited")
    ended_on: Day | None = governed(_TYPE, "ended_on", "办结日期")
    file_due_on: Day | None = governed(
        _TYPE, "file_due_on", "the day by which the archive (档案) is to be sent"
    )
    closed_on: Day | None = governed(_TYPE, "closed_on", "归档日期")
    file_transfer_id: strawberry.ID | None = governed(
        _TYPE, "file_transfer_id", "档案转移 by which the archive was sent"
    )
    steps: list[TransferCaseStep] | None = governed_list(TransferCaseStep, "办理环节, in their order")

    @strawberry.field(description="Whether the viewer may, and else why not.")
    async def viewer_can(self, info: Request, action: CaseAction) -> Permission | None:
        key = key_of(self.id, "TransferCase", field="id")
        case = await info.context.loaders.transfer_cases.whole.load(key)
        if case is None:
            return None
        policy = await newest_version(info.context.store, ApprovalPolicy)
        return permission(may_on_case(policy, info.context.viewer, case, action))


TRANSFER_CASE = GovernedType(TransferCase)
_PLAIN = ("applicant_name", "birth_date", "other_school", "other_school_code", "applied_on", "reason_text")
_DAYS = ("article", "due_on", "ended_on", "file_due_on", "closed_on")
_ENUMS = {
    "direction": CaseDirection,
    "route": CaseRoute,
    "reason_kind": TransferReason,
    "state": CaseState,
    "awaited": Party,
}


def shown_case(view: CaseView) -> TransferCase:
    student = view.value("student_id")
    enums = {
        name: None if view.value(name) is None else enum(view.value(name)) for name, enum in _ENUMS.items()
    }
    file = view.value("file_transfer_id")
    return TransferCase(
        id=strawberry.ID(global_id("TransferCase", view.id)),
        student_id=None if student is None else strawberry.ID(global_id("Student", student)),
        file_transfer_id=None if file is None else strawberry.ID(global_id("FileTransfer", file)),
        steps=view.value("steps"),
        **enums,  # type: ignore[arg-type]
        **{name: view.value(name) for name in (*_PLAIN, *_DAYS)},
    )
