"""The record types and operations of the room, as `archive_store/archive.py` takes them into its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.academics.attendance import ATTENDANCE_CORRECT, ATTENDANCE_ENTER
from archive_store.academics.changes import COURSE_ARRANGEMENT_CHANGE, COURSE_ARRANGEMENT_CLOSE, COURSE_CHANGE
from archive_store.academics.documents import (
    AttendanceEntry,
    AttendanceSummary,
    Course,
    CourseArrangement,
    GradeEntry,
    GradePointScale,
    GradeRecord,
    Term,
)
from archive_store.academics.grades import GRADE_CORRECT, GRADES_ENTER
from archive_store.academics.operations import COURSE_ARRANGEMENT_OPEN, COURSE_OPEN, TERM_OPEN
from archive_store.approvals.operation import Operation
from archive_store.foundation.records import Record

ACADEMIC_RECORD_TYPES: tuple[type[Record], ...] = (
    AttendanceEntry,
    AttendanceSummary,
    Course,
    CourseArrangement,
    GradeEntry,
    GradePointScale,
    GradeRecord,
    Term,
)
ACADEMIC_OPERATIONS: Mapping[str, Operation[Any]] = {
    "attendance.correct": ATTENDANCE_CORRECT,
    "attendance.enter": ATTENDANCE_ENTER,
    "course.change": COURSE_CHANGE,
    "course.open": COURSE_OPEN,
    "course_arrangement.change": COURSE_ARRANGEMENT_CHANGE,
    "course_arrangement.close": COURSE_ARRANGEMENT_CLOSE,
    "course_arrangement.open": COURSE_ARRANGEMENT_OPEN,
    "grade.correct": GRADE_CORRECT,
    "grades.enter": GRADES_ENTER,
    "term.open": TERM_OPEN,
}
