"""Attendance of a student by term (出勤), its entry and its correction."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.academics import documents as stored
from archive_store.academics.attendance import AttendanceEnter, AttendanceView, correction_of
from archive_store.access.policy import Withheld
from archive_store.approvals.operations import payload_of, perform
from schema.academics.types import Term
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.directives import directives_of
from schema.errors import UserError, typed_errors
from schema.nodes import Connection, Node, key_of, key_of_source

_DAYS = ("due", "present", "late", "leave", "absent")


def _leaf(path: str, description: str) -> Any:
    def resolve(root: Any) -> Any:
        return getattr(root.summary, path)

    return strawberry.field(
        resolver=resolve, description=description, directives=directives_of(stored.AttendanceSummary, path)
    )


@strawberry.type(description="出勤 of a student in a term, in days.")
class AttendanceSummary(Node):
    due: int = _leaf("due", "应到: the days present, on leave and absent.")
    present: int = _leaf("present", "实到.")
    late: int = _leaf("late", "迟到, among the days present.")
    leave: int = _leaf("leave", "请假.")
    absent: int = _leaf("absent", "旷课.")
    entered_by_name: str = _leaf("entered_by_name", "录入人.")
    term: Term = strawberry.field(description="学期.")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, AttendanceView)


@strawberry.input(description="One student's term in days.")
class AttendanceInput:
    student_id: strawberry.ID
    due: int
    present: int
    late: int = 0
    leave: int = 0
    absent: int = 0


@strawberry.input(description="Input of `attendanceEnter`.")
class AttendanceEnterInput:
    term_id: strawberry.ID
    rows: list[AttendanceInput] = strawberry.field(description="Up to 1,000, each student once.")
    reason: str | None = None


@strawberry.input(description="Input of `attendanceCorrect`: the whole new summary.")
class AttendanceCorrectInput:
    id: strawberry.ID
    due: int
    present: int
    late: int = 0
    leave: int = 0
    absent: int = 0
    reason: str


@strawberry.type(description="Result of `attendanceEnter`: all rows are entered, or none.")
class AttendanceEnterPayload:
    entered: int = strawberry.field(default=0, description="Of how many students.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `attendanceCorrect`.")
class AttendanceCorrectPayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


def _days(given: AttendanceInput | AttendanceCorrectInput) -> dict[str, int]:
    return {name: getattr(given, name) for name in _DAYS}


async def resolve_attendance(root: strawberry.Parent[Any], info: Request) -> list[AttendanceSummary] | None:
    """Summaries by term; null, and said to be withheld, where the viewer reads none."""
    held = await info.context.loaders.academics.attendance.load(key_of_source(root))
    if isinstance(held, Withheld):
        info.context.withhold({"Student.attendance": held})
        return None
    return held  # type: ignore[return-value]


@typed_errors(AttendanceEnterPayload)
async def resolve_attendance_enter(info: Request, input: AttendanceEnterInput) -> AttendanceEnterPayload:  # noqa: A002
    rows = tuple(
        {"student_id": key_of(row.student_id, "Student", field=f"rows.{place}.studentId"), **_days(row)}
        for place, row in enumerate(input.rows)
    )
    term = key_of(input.term_id, "Term", field="termId")
    payload = payload_of(AttendanceEnter, {"entry_id": ObjectId(), "term_id": term, "rows": rows})
    context = info.context
    await perform(context.store, context.viewer, "attendance.enter", payload, reason=input.reason)
    return AttendanceEnterPayload(entered=len(rows))


@typed_errors(AttendanceCorrectPayload)
async def resolve_attendance_correct(
    info: Request,
    input: AttendanceCorrectInput,  # noqa: A002
) -> AttendanceCorrectPayload:
    key, context = key_of(input.id, "AttendanceSummary", field="id"), info.context
    payload = await correction_of(context.store, context.viewer, key, _days(input))
    outcome = await perform(context.store, context.viewer, "attendance.correct", payload, reason=input.reason)
    request = await request_of(info, outcome.change_request_id)
    return AttendanceCorrectPayload(change_request=request, applied=outcome.applied)
