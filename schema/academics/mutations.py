"""Opening terms, courses and arrangements, and the entry and correction of grades."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.academics.documents import GradeKind as StoredKind
from archive_store.academics.documents import GradeStatus as StoredStatus
from archive_store.academics.grades import correction_of, enter_grades
from archive_store.academics.judging import GradesEnter
from archive_store.academics.operations import CourseArrangementOpen, CourseOpen, TermOpen
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of, perform
from schema.academics.attendance import (
    AttendanceCorrectPayload,
    AttendanceEnterPayload,
    resolve_attendance_correct,
    resolve_attendance_enter,
)
from schema.academics.enums import GradeKind, GradeStatus, GradingScheme
from schema.academics.nodes import academic_node
from schema.academics.types import Course, CourseArrangement, Term
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors, user_error
from schema.nodes import global_id, key_of
from schema.scalars import Day

_AWAITS = "The request that now awaits approval."


@strawberry.input(description="Input of `termOpen`.")
class TermOpenInput:
    school_year: int = strawberry.field(description="学年, the year in which it begins.")
    number: int = strawberry.field(description="1 or 2.")
    first_day: Day
    last_day: Day = strawberry.field(description="Inclusive.")
    reason: str | None = None


@strawberry.input(description="Input of `courseOpen`.")
class CourseOpenInput:
    code: str = strawberry.field(description="课程代码, unique.")
    name: str
    credits: float = strawberry.field(description="学分, whole or half ones.")
    scheme: GradingScheme = strawberry.field(description="记分方式.")
    reason: str | None = None


@strawberry.input(description="Input of `courseArrangementOpen`.")
class CourseArrangementOpenInput:
    course_id: strawberry.ID
    term_id: strawberry.ID
    class_name: str = strawberry.field(description="As `Student.className` spells it.")
    teacher_id: strawberry.ID = strawberry.field(description="任课教师, a person who holds the post.")
    reason: str | None = None


@strawberry.input(description="One student's grade.")
class GradeInput:
    student_id: strawberry.ID
    status: GradeStatus = StoredStatus.ENTERED
    score: str | None = strawberry.field(
        default=None, description="As the course's scheme spells it; none of a missed or deferred exam."
    )


@strawberry.input(description="Input of `gradesEnter`.")
class GradesEnterInput:
    arrangement_id: strawberry.ID
    kind: GradeKind = StoredKind.REGULAR
    rows: list[GradeInput] = strawberry.field(description="Up to 1,000, each student once.")
    dry_run: bool = strawberry.field(default=False, description="Only tell what would be.")
    reason: str | None = None


@strawberry.input(description="Input of `gradeCorrect`: the whole new value.")
class GradeCorrectInput:
    id: strawberry.ID
    status: GradeStatus = StoredStatus.CORRECTED
    score: str | None = None
    reason: str


@strawberry.type(description="Result of `termOpen`.")
class TermPayload:
    term: Term | None = None
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `courseOpen`.")
class CoursePayload:
    course: Course | None = None
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `courseArrangementOpen`.")
class CourseArrangementPayload:
    course_arrangement: CourseArrangement | None = None
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `gradesEnter`: all rows are entered, or none.")
class GradesEnterPayload:
    entered: int = strawberry.field(default=0, description="How many grades are entered.")
    missing: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Students of the class who have no regular grade and no row."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Every row at fault, as `rows.3.score`."
    )


@strawberry.type(description="Result of `gradeCorrect`.")
class GradeCorrectPayload:
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _ask(info: Request, name: str, payload: Payload, reason: str | None) -> ChangeRequest | None:
    outcome = await perform(info.context.store, info.context.viewer, name, payload, reason=reason)
    return await request_of(info, outcome.change_request_id)


@typed_errors(TermPayload)
async def resolve_term_open(info: Request, input: TermOpenInput) -> TermPayload:  # noqa: A002
    key = ObjectId()
    told = {name: value for name, value in vars(input).items() if name != "reason"}
    request = await _ask(info, "term.open", payload_of(TermOpen, {"term_id": key, **told}), input.reason)
    return TermPayload(term=await academic_node("Term")(info, key), change_request=request)


@typed_errors(CoursePayload)
async def resolve_course_open(info: Request, input: CourseOpenInput) -> CoursePayload:  # noqa: A002
    key = ObjectId()
    told = {name: value for name, value in vars(input).items() if name != "reason"}
    payload = payload_of(CourseOpen, {"course_id": key, **told})
    request = await _ask(info, "course.open", payload, input.reason)
    return CoursePayload(course=await academic_node("Course")(info, key), change_request=request)


@typed_errors(CourseArrangementPayload)
async def resolve_course_arrangement_open(
    info: Request,
    input: CourseArrangementOpenInput,  # noqa: A002
) -> CourseArrangementPayload:
    key = ObjectId()
    told = {
        "arrangement_id": key,
        "course_id": key_of(input.course_id, "Course", field="courseId"),
        "term_id": key_of(input.term_id, "Term", field="termId"),
        "class_name": input.class_name,
        "teacher_id": key_of(input.teacher_id, "Person", field="teacherId"),
    }
    payload = payload_of(CourseArrangementOpen, told)
    request = await _ask(info, "course_arrangement.open", payload, input.reason)
    held = await academic_node("CourseArrangement")(info, key)
    return CourseArrangementPayload(course_arrangement=held, change_request=request)


@typed_errors(GradesEnterPayload)
async def resolve_grades_enter(info: Request, input: GradesEnterInput) -> GradesEnterPayload:  # noqa: A002
    rows = tuple(
        {
            "student_id": key_of(row.student_id, "Student", field=f"rows.{place}.studentId"),
            "status": row.status,
            "score": row.score,
        }
        for place, row in enumerate(input.rows)
    )
    told = {
        "entry_id": ObjectId(),
        "arrangement_id": key_of(input.arrangement_id, "CourseArrangement", field="arrangementId"),
        "kind": input.kind,
        "rows": rows,
    }
    payload, context = payload_of(GradesEnter, told), info.context
    report = await enter_grades(
        context.store, context.viewer, payload, dry_run=input.dry_run, reason=input.reason
    )
    return GradesEnterPayload(
        entered=report.entered,
        missing=[strawberry.ID(global_id("Student", key)) for key in report.missing],
        errors=[user_error(fault) for _, fault in report.faults],
    )


@typed_errors(GradeCorrectPayload)
async def resolve_grade_correct(info: Request, input: GradeCorrectInput) -> GradeCorrectPayload:  # noqa: A002
    key, context = key_of(input.id, "GradeRecord", field="id"), info.context
    value = {"status": input.status, "score": input.score}
    payload = await correction_of(context.store, context.viewer, key, value)
    request = await _ask(info, "grade.correct", payload, input.reason)
    return GradeCorrectPayload(change_request=request, applied=request is None)


@strawberry.type
class AcademicsMutations:
    attendance_enter: AttendanceEnterPayload = strawberry.field(
        resolver=resolve_attendance_enter,
        description="Enter the attendance of a term, all or none (出勤录入).",
    )
    attendance_correct: AttendanceCorrectPayload = strawberry.field(
        resolver=resolve_attendance_correct, description="Ask for the correction of attendance (出勤更正)."
    )
    term_open: TermPayload = strawberry.field(resolver=resolve_term_open, description="Open a term (学期).")
    course_open: CoursePayload = strawberry.field(
        resolver=resolve_course_open, description="Open a course (课程)."
    )
    course_arrangement_open: CourseArrangementPayload = strawberry.field(
        resolver=resolve_course_arrangement_open,
        description="Arrange a course for a class in a term (课程安排).",
    )
    grades_enter: GradesEnterPayload = strawberry.field(
        resolver=resolve_grades_enter,
        description="Enter the grades of a class at once, all or none (成绩录入).",
    )
    grade_correct: GradeCorrectPayload = strawberry.field(
        resolver=resolve_grade_correct, description="Ask for the correction of a grade (成绩更正)."
    )
