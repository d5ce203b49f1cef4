"""What tests of moments share: a clock, corrections, and rows at moments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from bson import ObjectId

from archive_store.approvals.documents import RequestStatus
from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.foundation.clock import Clock
from archive_store.students.changes import StudentUpdate
from archive_store.students.moments import MomentsKey, students_at
from archive_store.students.replay import Moment
from tests.school import School

PHONE = frozenset({"phone"})


class SetClock(Clock):
    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


async def corrected(school: School, day: date | None, position: int = 0, **changes: Any) -> ObjectId:
    """Asked for and approved by the director."""
    student = await school.student(position)
    payload = payload_of(StudentUpdate, {"student_id": student.key, "changes": changes})
    viewer = await school.viewer("information")
    asking = Asking("家长来电", effective_from=day)
    outcome = await perform(school.store, viewer, "student.update", payload, asking=asking)
    assert outcome.change_request_id is not None
    assert await school.approve("director", outcome.change_request_id) is RequestStatus.APPLIED
    return outcome.change_request_id


async def rows_at(
    school: School, *moments: Moment, paths: frozenset[str] = PHONE, subject: str = "director", place: int = 0
) -> tuple[Any, ...]:
    student, viewer = await school.student(place), await school.viewer(subject)
    (found,) = await students_at(school.store, viewer, [MomentsKey(student.key, moments, paths)])
    assert found is not None
    return found.rows


async def phones(school: School, *moments: Moment) -> list[str | None]:
    return [row and row["phone"] for row in await rows_at(school, *moments)]
