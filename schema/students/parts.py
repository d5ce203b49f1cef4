"""What is embedded in a student's record: guardians, and the periods of status."""

from __future__ import annotations

from datetime import datetime

import strawberry

from archive_store.students import documents as stored
from schema.access import governed
from schema.directives import directives_of
from schema.enums import StudentStatus
from schema.nodes import global_id
from schema.scalars import Day
from schema.status_changes.enums import StatusChangeKind


@strawberry.type(description="监护人.")
class Guardian:
    name: str | None = governed(stored.Student, "guardians.name", "姓名")
    relation: str | None = governed(stored.Student, "guardians.relation", "关系, code of GB/T 4761")
    phone: str | None = governed(stored.Student, "guardians.phone", "联系电话")
    workplace: str | None = governed(stored.Student, "guardians.workplace", "工作单位")


@strawberry.type(description="学籍状态区间: a status and the days it was in force.")
class StatusPeriod:
    status: StudentStatus | None = governed(stored.Student, "status_periods.status", "学籍状态")
    effective_from: Day | None = governed(stored.Student, "status_periods.effective_from", "first day")
    effective_to: Day | None = governed(stored.Student, "status_periods.effective_to", "last day, if over")
    recorded_at: datetime | None = governed(stored.Student, "status_periods.recorded_at", "known since")
    superseded_at: datetime | None = governed(
        stored.Student, "status_periods.superseded_at", "known until; null of what holds"
    )
    cause: StatusChangeKind | None = governed(
        stored.Student, "status_periods.cause", "异动类别 that it began by; null of a registration"
    )

    document_number: str | None = governed(
        stored.Student, "status_periods.document_number", "文号 of the decision that it rests on"
    )
    counterpart: str | None = governed(
        stored.Student, "status_periods.counterpart", "the other school of a transfer"
    )
    planned_to: Day | None = governed(
        stored.Student, "status_periods.planned_to", "the last day that was planned (期限)"
    )

    @strawberry.field(
        description="审批单: the change request that was approved for it.",
        directives=directives_of(stored.Student, "status_periods.change_request_id"),
        metadata={"path": "status_periods.change_request_id"},
    )
    def change_request_id(self) -> strawberry.ID | None:
        key = self.get("change_request_id")  # type: ignore[attr-defined]
        return None if key is None else strawberry.ID(global_id("ChangeRequest", key))
