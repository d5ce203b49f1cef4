"""`studentUpdateEmergency` and `studentSuspendEmergency`: executed at once, ratified or reversed afterwards."""

from __future__ import annotations

import strawberry

from archive_store.approvals.emergencies import execute
from archive_store.approvals.operations import payload_of
from archive_store.status_changes.operations import STATUS_CHANGES
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.changes import StudentUpdate
from archive_store.students.operations import STUDENT_UPDATE
from archive_store.students.status import StatusChange
from schema.approvals.emergency_mutations import EmergencyPayload, emergency_payload
from schema.context import Request
from schema.errors import typed_errors
from schema.nodes import key_of
from schema.scalars import Day
from schema.students.inputs import StudentChangesInput


@strawberry.input(description="Input of `studentUpdateEmergency`.")
class StudentUpdateEmergencyInput:
    student_id: strawberry.ID
    changes: StudentChangesInput = strawberry.field(
        description="Fields that the approval policy opens to emergencies: contact data and guardians."
    )
    reason: str = strawberry.field(description="What the emergency is.")


@strawberry.input(description="Input of `studentSuspendEmergency`.")
class StudentSuspendEmergencyInput:
    student_id: strawberry.ID
    effective_from: Day = strawberry.field(
        description="The day, in China, from which it holds; none to come."
    )
    until: Day | None = strawberry.field(
        default=None,
        description="休学期限, the last day that is planned; needed where a rule counts the length.",
    )
    reason: str = strawberry.field(description="What the emergency is.")


@typed_errors(EmergencyPayload)
async def resolve_student_update_emergency(
    info: Request,
    input: StudentUpdateEmergencyInput,  # noqa: A002
) -> EmergencyPayload:
    student_id = key_of(input.student_id, "Student", field="studentId")
    payload = payload_of(StudentUpdate, {"student_id": student_id, "changes": input.changes.values()})
    store, viewer = info.context.store, info.context.viewer
    key = await execute(store, viewer, STUDENT_UPDATE.name, payload, reason=input.reason)
    return await emergency_payload(info, key)


@typed_errors(EmergencyPayload)
async def resolve_student_suspend_emergency(
    info: Request,
    input: StudentSuspendEmergencyInput,  # noqa: A002
) -> EmergencyPayload:
    student_id = key_of(input.student_id, "Student", field="studentId")
    values = {"student_id": student_id, "effective_from": input.effective_from, "until": input.until}
    payload = payload_of(StatusChange, values)
    store, viewer = info.context.store, info.context.viewer
    key = await execute(store, viewer, STATUS_CHANGES[ChangeKind.SUSPEND].name, payload, reason=input.reason)
    return await emergency_payload(info, key)
