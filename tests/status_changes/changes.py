"""Steps with status changes that several tests take."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from bson import ObjectId

from api.dev.demo import demo_paper
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.clock import school_day
from archive_store.scans.uploads import file_scan
from archive_store.status_changes.kinds import KINDS
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.status import StatusChange
from tests.scans.test_pipeline import body
from tests.school import School


def day(school: School, days: int = 0) -> date:
    return school_day(school.store.clock.now()) + timedelta(days=days)


async def asked(
    school: School,
    kind: ChangeKind,
    on: date,
    *,
    position: int = 0,
    subject: str = "information",
    **told: Any,
) -> ObjectId:
    """Ask for a change, a suspension of half a year; the key of its request."""
    if kind is ChangeKind.SUSPEND:
        told.setdefault("until", max(on, day(school)) + timedelta(days=180))
    student = await school.student(position)
    payload = payload_of(StatusChange, {"student_id": student.key, "effective_from": on, **told})
    viewer = await school.viewer(subject)
    outcome = await perform(school.store, viewer, KINDS[kind].operation, payload, reason="按申请办理")
    assert outcome.change_request_id is not None
    return outcome.change_request_id


async def signed(school: School, key: ObjectId) -> None:
    """Through both tiers that a change may need."""
    status = await school.approve("director", key)
    if status != "APPLIED":
        await school.approve("vice-principal", key)


async def done(school: School, kind: ChangeKind, on: date, **told: Any) -> ObjectId:
    key = await asked(school, kind, on, **told)
    await signed(school, key)
    return key


async def paper(school: School, document_type: str, *, position: int = 0) -> ObjectId:
    """A filed paper of the student; its key."""
    student, viewer = await school.student(position), await school.viewer("archive")
    content = demo_paper("PDF", pages=1)
    name = f"2023级{document_type}.pdf"
    scan = await file_scan(school.store, viewer, student.key, name, body(content), length=len(content))
    return scan.key
