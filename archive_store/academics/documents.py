"""Terms (学期), courses (课程), course arrangements (课程安排), entries of grades and the grades (成绩) as stored.

A grade is as sensitive as the transcript (policy §三(二)): its value is F3, and whoever does not read that is not told
that there is one.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class GradingScheme(StrEnum):
    """记分方式: how a course is graded, and so what a score may be."""

    PERCENT = "PERCENT"  # 百分制: 0–100, one decimal at most
    FIVE_LEVEL = "FIVE_LEVEL"  # 五级制: A 优秀, B 良好, C 中等, D 及格, F 不及格
    PASS_FAIL = "PASS_FAIL"  # noqa: S105 - 两级制: P 合格, F 不合格


class GradeKind(StrEnum):
    """考试性质."""

    REGULAR = "REGULAR"  # 正考
    MAKEUP = "MAKEUP"  # 补考
    RETAKE = "RETAKE"  # 重修


class GradeStatus(StrEnum):
    """成绩状态. Only an entered and a corrected grade have a score."""

    ENTERED = "ENTERED"  # 已录入
    CORRECTED = "CORRECTED"  # 已更正
    ABSENT = "ABSENT"  # 缺考
    DEFERRED = "DEFERRED"  # 缓考


class Term(Record):
    """学期: `number` 1 or 2 of the school year that begins in `school_year`; both days inclusive."""

    subject_type: ClassVar[str] = "Term"

    school_year: Annotated[int, F0]
    number: Annotated[int, F0]
    first_day: Annotated[date, F0]
    last_day: Annotated[date, F0]

    class Settings:
        name = "terms"
        indexes = [IndexModel([("school_year", 1), ("number", 1)], unique=True)]  # noqa: RUF012


class Course(Record):
    """课程. `credits` are whole or half ones (学分)."""

    subject_type: ClassVar[str] = "Course"

    code: Annotated[str, F0]
    name: Annotated[str, F0]
    credits: Annotated[float, F0]
    scheme: Annotated[GradingScheme, F0]

    class Settings:
        name = "courses"
        indexes = [IndexModel("code", unique=True)]  # noqa: RUF012


class CourseArrangement(Record):
    """课程安排: a course that a class has in a term, and the person who teaches it."""

    subject_type: ClassVar[str] = "CourseArrangement"

    course_id: Annotated[PydanticObjectId, F0]
    term_id: Annotated[PydanticObjectId, F0]
    class_name: Annotated[str, F0]
    teacher_id: Annotated[PydanticObjectId, F0]

    class Settings:
        name = "course_arrangements"
        indexes = [  # noqa: RUF012
            IndexModel([("term_id", 1), ("class_name", 1), ("course_id", 1)], unique=True),
            IndexModel("course_id"),
            IndexModel("class_name"),
        ]


class GradeEntry(Record):
    """成绩录入 as applied: of which arrangement, and how many grades. The grades' histories tell the rest."""

    subject_type: ClassVar[str] = "GradeEntry"

    arrangement_id: Annotated[PydanticObjectId, F0]
    kind: Annotated[GradeKind, F1]
    grades: Annotated[int, F1]
    entered_at: Annotated[datetime, F1]

    class Settings:
        name = "grade_entries"
        indexes = [IndexModel([("arrangement_id", 1), ("_id", -1)])]  # noqa: RUF012


class GradeRecord(Record):
    """成绩: one of a student, an arrangement and a kind. `score` is text as the course's scheme spells it.

    Course, term and class are those of the arrangement, repeated to find by.
    """

    subject_type: ClassVar[str] = "GradeRecord"

    student_id: Annotated[PydanticObjectId, F0]
    arrangement_id: Annotated[PydanticObjectId, F0]
    course_id: Annotated[PydanticObjectId, F0]
    term_id: Annotated[PydanticObjectId, F0]
    class_name: Annotated[str, F0]
    kind: Annotated[GradeKind, F1]
    status: Annotated[GradeStatus, F3]
    score: Annotated[str | None, F3] = None
    entry_id: Annotated[PydanticObjectId, F1]
    entered_by_name: Annotated[str, F1]

    class Settings:
        name = "grade_records"
        indexes = [  # noqa: RUF012
            IndexModel([("student_id", 1), ("arrangement_id", 1), ("kind", 1)], unique=True),
            IndexModel([("student_id", 1), ("course_id", 1)]),
            IndexModel([("arrangement_id", 1), ("kind", 1)]),
        ]


class AttendanceEntry(Record):
    """出勤录入 as applied: of which term, and of how many students."""

    subject_type: ClassVar[str] = "AttendanceEntry"

    term_id: Annotated[PydanticObjectId, F0]
    students: Annotated[int, F1]
    entered_at: Annotated[datetime, F1]

    class Settings:
        name = "attendance_entries"
        indexes: ClassVar[list[IndexModel]] = []


class AttendanceSummary(Record):
    """出勤 of a student in a term, in days: `due` is `present` and `leave` and `absent`; `late` are among `present`."""

    subject_type: ClassVar[str] = "AttendanceSummary"

    student_id: Annotated[PydanticObjectId, F0]
    term_id: Annotated[PydanticObjectId, F0]
    due: Annotated[int, F2]
    present: Annotated[int, F2]
    late: Annotated[int, F2]
    leave: Annotated[int, F2]
    absent: Annotated[int, F2]
    entry_id: Annotated[PydanticObjectId, F1]
    entered_by_name: Annotated[str, F1]

    class Settings:
        name = "attendance_summaries"
        indexes = [IndexModel([("student_id", 1), ("term_id", 1)], unique=True)]  # noqa: RUF012
