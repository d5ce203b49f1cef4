"""A task (待办): something that awaits the viewer. New kinds add a member to `TaskKind` and to `TaskSubject`."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Union

import strawberry

from archive_store.admission.documents import CaseStatus
from archive_store.admission.queries import CaseView
from archive_store.approvals.documents import ChangeRequest as StoredRequest
from archive_store.conduct.documents import AppealStatus
from archive_store.conduct.queries import AppealView
from schema.admission.types import AdmissionCase
from schema.approvals.types import ChangeRequest
from schema.conduct.types import Appeal
from schema.nodes import global_id


@strawberry.enum(description="What is to be done.")
class TaskKind(Enum):
    CHANGE_REQUEST_DECISION = strawberry.enum_value(
        "CHANGE_REQUEST_DECISION", description="Decide the awaited step of a change request (审批)."
    )
    ADMISSION_COLLECTION = strawberry.enum_value(
        "ADMISSION_COLLECTION", description="Collect anew after a failed review (重新采集)."
    )
    ADMISSION_REVIEW = strawberry.enum_value(
        "ADMISSION_REVIEW", description="Sign in a seat of the qualification review (资格审核)."
    )
    ADMISSION_ENTRY = strawberry.enum_value("ADMISSION_ENTRY", description="Enter the record (学籍录入).")
    ADMISSION_CALL = strawberry.enum_value(
        "ADMISSION_CALL", description="Ask the family to confirm the record (通知确认)."
    )
    ADMISSION_CORRECTION = strawberry.enum_value(
        "ADMISSION_CORRECTION", description="Answer objections in time (更正)."
    )
    ADMISSION_CONFIRMATION = strawberry.enum_value(
        "ADMISSION_CONFIRMATION", description="Confirm one's own record, or a ward's (信息确认)."
    )
    APPEAL_APPOINTMENT = strawberry.enum_value(
        "APPEAL_APPOINTMENT", description="Name the committee of an appeal (指定申诉处理委员会)."
    )
    APPEAL_REVIEW = strawberry.enum_value(
        "APPEAL_REVIEW", description="Review an appeal as one of its committee (申诉复查); its chair decides."
    )


TaskSubject = Annotated[
    Union[AdmissionCase, Appeal, ChangeRequest],  # noqa: UP007 - the form that Strawberry names
    strawberry.union("TaskSubject", description="What a task is about."),
]


@strawberry.type(description="待办: something that awaits the viewer.")
class Task:
    id: strawberry.ID = strawberry.field(description="The same as long as it is about the same.")
    kind: TaskKind
    at: datetime = strawberry.field(description="When the subject last moved, and so came to await somebody.")
    subject: TaskSubject = strawberry.field(description="What it is about, as the viewer may see it.")


def decision_task(request: StoredRequest) -> Task:
    """The task of deciding on a request."""
    key = request.key
    return Task(
        id=strawberry.ID(global_id("Task", key)),
        kind=TaskKind.CHANGE_REQUEST_DECISION,
        at=max([request.created_at or key.generation_time, *(step.decided_at for step in request.steps)]),
        subject=request,
    )


_KIND_BY_STATUS = {
    CaseStatus.REVIEW_FAILED: TaskKind.ADMISSION_COLLECTION,
    CaseStatus.IN_REVIEW: TaskKind.ADMISSION_REVIEW,
    CaseStatus.READY_FOR_ENTRY: TaskKind.ADMISSION_ENTRY,
    CaseStatus.ENTERED: TaskKind.ADMISSION_CALL,
    CaseStatus.OBJECTED: TaskKind.ADMISSION_CORRECTION,
    CaseStatus.AWAITING_CONFIRMATION: TaskKind.ADMISSION_CONFIRMATION,
    CaseStatus.CORRECTED: TaskKind.ADMISSION_CONFIRMATION,
}


def case_task(view: CaseView) -> Task:
    """The task of taking the next step of an admission case."""
    return Task(
        id=strawberry.ID(global_id("Task", view.id)),
        kind=_KIND_BY_STATUS[view.status],
        at=view.row["updated_at"],
        subject=view,  # type: ignore[arg-type]
    )


_KIND_BY_APPEAL = {
    AppealStatus.FILED: TaskKind.APPEAL_APPOINTMENT,
    AppealStatus.UNDER_REVIEW: TaskKind.APPEAL_REVIEW,
}


def appeal_task(view: AppealView) -> Task:
    """The task of the next step of an appeal."""
    return Task(
        id=strawberry.ID(global_id("Task", view.id)),
        kind=_KIND_BY_APPEAL[AppealStatus(view.row["status"])],
        at=view.row["updated_at"],
        subject=view,  # type: ignore[arg-type]
    )
