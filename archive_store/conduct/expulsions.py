"""What an expulsion (开除学籍) does to the status of the student, and what becomes of that when it is taken back.

Decided is that an expulsion holds from the day of its decision on: an appeal does not put it off. What an appeal
revokes or changes to a lighter kind was none, so that the status is again what it was, from that day on and without
gap. Whether a student may be expelled is for `status_changes/`.
"""

from __future__ import annotations

from datetime import date, timedelta

from bson import ObjectId

from archive_store.conduct.documents import Sanction
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StatusPeriod, Student, StudentStatus
from archive_store.students.operations import load_student
from archive_store.students.status import standing_lock, write_status
from archive_store.students.status_periods import Cause, in_force, with_correction, with_status


async def end_status(unit: UnitOfWork, student_id: ObjectId, day: date, document_number: str) -> None:
    """EXPELLED from the day on; INVALID_DATE before the running period began."""
    student = await load_student(unit, student_id)
    cause = Cause(ChangeKind.EXPEL, unit.change_request, document_number=document_number)
    expelled = StudentStatus.EXPELLED
    periods = with_status(student.status_periods, expelled, day, unit.at, cause)
    await write_status(unit, student, periods, "student:status:expel", day, status=expelled)


async def restore_status(unit: UnitOfWork, sanction: Sanction) -> bool:
    """恢复学籍: as if the expulsion had not been. False where the status does not rest on it, and nothing is done."""
    student = await load_student(unit, sanction.student_id)
    await standing_lock(unit, student.key)
    if not _rests_on(student, sanction):
        return False
    day = sanction.decided_on
    status = _status_before(student.status_periods, day)
    cause = Cause(ChangeKind.REINSTATE, unit.change_request, document_number=sanction.document_number)
    periods = with_correction(student.status_periods, status, day, unit.at, cause)
    await write_status(unit, student, periods, "student:status:reinstate", day, status=status)
    return True


def _rests_on(student: Student, sanction: Sanction) -> bool:
    if student.status is not StudentStatus.EXPELLED or student.merged_into is not None:
        return False
    running = in_force(student.status_periods)[-1]
    told = (running.cause, running.effective_from, running.document_number)
    return told == (ChangeKind.EXPEL, sanction.decided_on, sanction.document_number)


def _status_before(periods: list[StatusPeriod], day: date) -> StudentStatus:
    """What the expulsion put an end to, which may have begun on the day itself; else what ended the day before."""
    expelled, last = in_force(periods)[-1], day - timedelta(days=1)
    for held in periods:
        reaches = held.effective_from <= day and (held.effective_to is None or day <= held.effective_to)
        if held.superseded_at == expelled.recorded_at and reaches:
            return held.status
    return next(
        (held.status for held in in_force(periods) if held.effective_to == last), StudentStatus.ENROLLED
    )
