"""A task (待办): something that awaits the viewer. New kinds add a member to `TaskKind` and to `TaskSubject`."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Union

import strawberry

from archive_store.approvals.documents import ChangeRequest as StoredRequest
from schema.approvals.types import ChangeRequest
from schema.nodes import global_id


@strawberry.enum(description="What is to be done.")
class TaskKind(Enum):
    CHANGE_REQUEST_DECISION = strawberry.enum_value(
        "CHANGE_REQUEST_DECISION", description="Decide the awaited step of a change request (审批)."
    )


TaskSubject = Annotated[
    Union[ChangeRequest],  # noqa: UP007 - one member so far
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
