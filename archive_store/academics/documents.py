"""Terms (学期), courses (课程), course arrangements (课程安排), entries of grades and the grades (成绩) as stored.

A grade is as sensitive as the transcript (policy §三(二)): its value is F3, and whoever does not read that is not told
that there is one.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
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


class CourseTerms(BaseModel):
    """What a course was called and counted in terms that began before a day."""

    name: Annotated[str, F0]
    credits: Annotated[float, F0]
    before: Annotated[date, F0]


class Course(Record):
    """课程. `credits` are whole or half ones (学分).

    Name and credits are changed for coming terms only, so that no transcript of the past changes; `earlier` has what
    held before, by day.
    """

    subject_type: ClassVar[str] = "Course"

    code: Annotated[str, F0]
    name: Annotated[str, F0]
    credits: Annotated[float, F0]
    scheme: Annotated[GradingScheme, F0]
    earlier: list[CourseTerms] = Field(default_factory=list)

    class Settings:
        name = "courses"
        indexes = [IndexModel("code", unique=True)]  # noqa: RUF012

    def in_term_of(self, first_day: date) -> Course:
        """The course as it was called and counted in the term that began on this day."""
        for held in self.earlier:
            if first_day < held.before:
                told: Course = self.model_copy(update={"name": held.name, "credits": held.credits})
                return told
        return self


class CourseArrangement(Record):
    """课程安排: a course that a class has in a term, and the person who teaches it.

    `teacher_id` teaches it from `teacher_from` on (None: from the beginning), `earlier_teacher_id` until then.
    """

    subject_type: ClassVar[str] = "CourseArrangement"

    course_id: Annotated[PydanticObjectId, F0]
    term_id: Annotated[PydanticObjectId, F0]
    class_name: Annotated[str, F0]
    teacher_id: Annotated[PydanticObjectId, F0]
    teacher_from: Annotated[date | None, F0] = None
    earlier_teacher_id: Annotated[PydanticObjectId | None, F0] = None
    cancelled_on: Annotated[date | None, F0] = None

    class Settings:
        name = "course_arrangements"
        indexes = [  # noqa: RUF012
            # One that was cancelled keeps no other from being opened.
            IndexModel(
                [("term_id", 1), ("class_name", 1), ("course_id", 1), ("cancelled_on", 1)],
                unique=True,
            ),
            IndexModel("course_id"),
            IndexModel("class_name"),
        ]


_Points = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}(\.[0-9]{1,2})?$")]


class PercentBand(BaseModel):
    """From so many of 100 on, so many points; decimals as text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least: Annotated[str, StringConstraints(pattern=r"^(100|[0-9]{1,2})(\.[0-9])?$")]
    points: _Points


class GradePointRules(BaseModel):
    """绩点标准: points of percentages, from the highest band on, and of levels.

    A makeup (补考) gives `makeup_most` points at most, since it shows that the course is passed and no more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bands: Annotated[tuple[PercentBand, ...], Field(min_length=1, max_length=101)]
    levels: dict[Annotated[str, StringConstraints(pattern="^[ABCDF]$")], _Points]
    makeup_most: _Points


class GradePointScale(Record):
    """A version of the scale that averages are told by (绩点标准): the newest one in effect, or one that is named."""

    subject_type: ClassVar[str] = "GradePointScale"

    version: Annotated[int, F0]
    effective_from: Annotated[date, F0]
    rules: Annotated[GradePointRules, F0]

    class Settings:
        name = "grade_point_scales"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012


_BANDS = "90:4.0 85:3.7 82:3.3 78:3.0 75:2.7 72:2.3 68:2.0 64:1.5 60:1.0"
DEFAULT_GRADE_POINT_RULES = GradePointRules(
    bands=tuple(
        PercentBand(least=least, points=points)
        for least, points in (band.split(":") for band in _BANDS.split())
    ),
    levels=dict(zip("ABCDF", "43210", strict=True)),
    makeup_most="1.0",
)


def default_scale() -> GradePointScale:
    """Version 0, of a school that has set none."""
    return GradePointScale(version=0, effective_from=date(1970, 1, 1), rules=DEFAULT_GRADE_POINT_RULES)


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
            IndexModel([("term_id", 1), ("course_id", 1), ("kind", 1)]),
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
