"""Semester verification, pure: who verifies as what, what can be verified, and which step goes from where.

教基〔2025〕1号 art. 25: a school verifies the status of every student at least once a semester. What it leaves open,
such as which fields and whose word counts, is data of the campaign or said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.posts import Post
from archive_store.semester_verification.documents import (
    CampaignStatus,
    Capacity,
    ItemState,
    VerificationItem,
)
from archive_store.students.changes import StudentChanges
from archive_store.students.documents import Student, StudentStatus

RULE = "教基〔2025〕1号 art. 25"
# As data of a campaign: whoever is in study (在籍), also who is away from school for a time.
IN_STUDY = (
    StudentStatus.ENROLLED,
    StudentStatus.SUSPENDED,
    StudentStatus.STATUS_RETAINED,
    StudentStatus.STUDY_HALTED,
    StudentStatus.DROPPED_OUT,
)
DEFAULT_FIELDS = (
    "name",
    "gender",
    "birth_date",
    "grade",
    "class_name",
    "status",
    "identity_number",
    "national_student_number",
)
VERIFIABLE_FIELDS = (
    frozenset(Student.model_fields) - Student.bookkeeping - {"id", "revision_id", "status_periods"}
)
# What `student.update` changes from a text. The others, such as the status, have operations of their own.
CORRECTABLE_FIELDS = frozenset(StudentChanges.model_fields) - {"guardians"}
OPENERS = frozenset({Post.INFORMATION_GROUP, Post.DIRECTOR})
HANDLERS = OPENERS  # of reported mismatches
CLOSERS = frozenset({Post.DIRECTOR})
VERIFIERS = frozenset(
    {Post.INFORMATION_GROUP, Post.TEACHER}
)  # a teacher for the classes of which they are 班主任
ITEMS_LIMIT = 100  # of one call
DAYS_LIMIT = 366


class CampaignAction(StrEnum):
    BEGIN = "BEGIN"  # the clock's
    EXTEND = "EXTEND"
    CLOSE = "CLOSE"
    CANCEL = "CANCEL"


_SCHEDULED, _OPEN, _CLOSED, _CANCELLED = CampaignStatus
_MOVES = {
    CampaignAction.BEGIN: {_SCHEDULED: _OPEN},
    # A campaign that ended with something left goes on.
    CampaignAction.EXTEND: {_SCHEDULED: _SCHEDULED, _OPEN: _OPEN, _CLOSED: _OPEN},
    CampaignAction.CLOSE: {_OPEN: _CLOSED},
    CampaignAction.CANCEL: {_SCHEDULED: _CANCELLED, _OPEN: _CANCELLED},
}


def after(status: CampaignStatus, action: CampaignAction) -> CampaignStatus:
    """The state that the action leads to; WRONG_STATE where it is none of this state's."""
    moves = _MOVES[action]
    if status not in moves:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=status)
    return moves[status]


def require_open(status: CampaignStatus, field: str) -> None:
    """WRONG_STATE outside of the campaign's time."""
    if status is not CampaignStatus.OPEN:
        raise RegistrarError(ErrorCode.WRONG_STATE, field=field, rule=RULE, state=status)


def require_no_mismatch(state: ItemState, field: str) -> None:
    """WRONG_STATE while a mismatch is open: it is handled before anything else is said of the record."""
    if state is ItemState.MISMATCH:
        raise RegistrarError(ErrorCode.WRONG_STATE, field=field, rule=RULE, state=state)


def check_days(opens_on: date, closes_on: date, today: date) -> None:
    """OUT_OF_RANGE unless the days follow each other and the last is to come, within about a year."""
    if not opens_on <= closes_on or closes_on < today or (closes_on - opens_on).days > DAYS_LIMIT:
        least = max(opens_on, today)
        most = date.fromordinal(opens_on.toordinal() + DAYS_LIMIT)
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="closes_on", rule=RULE, least=least, most=most)


def check_fields(fields: Sequence[str]) -> None:
    """UNKNOWN_FIELD for what no record holds, or what is not verified."""
    for place, name in enumerate(fields):
        if name not in VERIFIABLE_FIELDS:
            raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field=f"fields.{place}", name=name)


def semester_of(school_year: int, term: int) -> str:
    return f"{school_year}-{term}"


def is_family(viewer: Viewer) -> bool:
    """Whether there is a record that is the viewer's own or their ward's."""
    return not viewer.is_service and bool(viewer.own_student_ids | viewer.ward_ids)


def oversees(viewer: Viewer) -> bool:
    """Whether every item is in sight: by a post that reads internal (F1) values of each record."""
    return (
        not viewer.is_service
        and viewer.reads_by_post
        and FieldClass.F1 in viewer.decide(VerificationItem).classes
    )


def sees_item(viewer: Viewer, student_id: ObjectId, class_name: str) -> bool:
    """By an overseer, the family and the homeroom teacher of the class that the student is in now."""
    if viewer.is_service:
        return False
    own = student_id in viewer.own_student_ids | viewer.ward_ids
    return own or class_name in viewer.homeroom_class_names or oversees(viewer)


def capacity_of(viewer: Viewer, student_id: ObjectId, class_name: str) -> Capacity | None:
    """As what the viewer would verify the record; None where it is not theirs to verify.

    Who is of the family speaks as such, whatever post they hold.
    """
    if viewer.is_service:
        return None
    if student_id in viewer.own_student_ids:
        return Capacity.SELF
    if student_id in viewer.ward_ids:
        return Capacity.GUARDIAN
    if class_name in viewer.homeroom_class_names:
        return Capacity.HOMEROOM_TEACHER
    if Post.INFORMATION_GROUP in viewer.posts:
        return Capacity.INFORMATION_GROUP
    return None


def require_not_own(viewer: Viewer, student_id: ObjectId) -> None:
    """SELF_APPROVAL where the mismatch is of one's own family: somebody else handles it."""
    if student_id in viewer.own_student_ids | viewer.ward_ids:
        raise RegistrarError(ErrorCode.SELF_APPROVAL, field="id", rule=RULE)


def readable_fields(fields: Sequence[str], readable: frozenset[str]) -> list[str]:
    """Those of the fields of which each leaf may be read."""
    leaves: dict[str, set[str]] = {}
    for path in field_classes(Student):
        leaves.setdefault(path.partition(".")[0], set()).add(path)
    return [name for name in fields if leaves[name] <= readable]
