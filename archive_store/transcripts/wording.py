"""What a transcript says, in Chinese and English: on the paper and on the page of the public check. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archive_store.certificates.wording import STAGES, Line
from archive_store.students.documents import STATUS_LABELS, StudentStatus
from archive_store.transcripts.documents import TranscriptState

STATES = {
    TranscriptState.VALID: ("有效", "Valid"),
    TranscriptState.REVOKED: ("已撤销", "Revoked"),
}
CORRECTED = (
    "签发后有成绩更正,请索取新的成绩单",
    "A grade was corrected since; ask for a newer transcript",
)
OMITS_MERGED = Line(
    "备注", "Note", "并入的学籍另有成绩,未列入", "Grades of a record merged into this one are left out"
)
UNKNOWN = ("查无此成绩单", "No such transcript")
WRONG_KEY = ("查阅码不符", "The reading key does not match")
COLUMNS = (
    ("课程代码", "Code"),
    ("课程", "Course"),
    ("学分", "Credits"),
    ("考试性质", "Kind"),
    ("成绩", "Score"),
)
_KINDS = {"REGULAR": ("正考", "Regular"), "MAKEUP": ("补考", "Makeup"), "RETAKE": ("重修", "Retake")}
_UNSCORED = {"ABSENT": ("缺考", "Absent"), "DEFERRED": ("缓考", "Deferred")}
_LEVELS = {
    "FIVE_LEVEL": {"A": "优秀", "B": "良好", "C": "中等", "D": "及格", "F": "不及格"},
    "PASS_FAIL": {"P": "合格", "F": "不合格"},
}
_STATUSES_EN = {
    StudentStatus.PENDING_ADMISSION: "Admission pending",
    StudentStatus.ADMISSION_DEFERRED: "Admission deferred",
    StudentStatus.ENROLLED: "Enrolled",
    StudentStatus.SUSPENDED: "Suspended",
    StudentStatus.STATUS_RETAINED: "Status retained",
    StudentStatus.STUDY_HALTED: "Studies halted",
    StudentStatus.DROPPED_OUT: "Dropped out",
    StudentStatus.TRANSFERRED_OUT: "Transferred out",
    StudentStatus.GRADUATED: "Graduated",
    StudentStatus.COMPLETED: "Completed without graduation",
    StudentStatus.INCOMPLETE: "Left with incomplete studies",
    StudentStatus.WITHDRAWN: "Withdrawn",
    StudentStatus.EXPELLED: "Expelled",
    StudentStatus.CANCELLED: "Admission cancelled",
    StudentStatus.DECEASED: "Deceased",
    StudentStatus.VOIDED: "Voided",
}


class Term(NamedTuple):
    """The courses of a term, each as the cells of COLUMNS."""

    title: str
    courses: tuple[tuple[str, ...], ...]


def person_lines(told: Mapping[str, Any]) -> list[Line]:
    """`told` as it was signed."""
    stage = STAGES.get(told.get("stage", ""), ("", ""))
    status = StudentStatus(told["studentStatus"])
    values = (
        ("姓名", "Name", told["name"], told["name"]),
        ("学号", "Student number", told.get("studentNumber", ""), told.get("studentNumber", "")),
        ("学校", "School", told["schoolName"], told["schoolName"]),
        ("学段", "Stage", *stage),
        ("班级", "Class", told["className"], told["className"]),
        ("入学年月", "Entrance", told["studiedFrom"], told["studiedFrom"]),
        ("学籍状态", "Status", STATUS_LABELS[status], _STATUSES_EN[status]),
        ("签发日期", "Date of issue", told["issuedOn"], told["issuedOn"]),
    )
    lines = [Line(*value) for value in values if value[2]]
    return [*lines, OMITS_MERGED] if told.get("omitsMerged") else lines


def terms_of(told: Mapping[str, Any]) -> list[Term]:
    terms: dict[tuple[int, int], list[tuple[str, ...]]] = {}
    for course in told["courses"]:
        terms.setdefault((course["schoolYear"], course["term"]), []).append(_cells(course))
    return [
        Term(
            f"{year}–{year + 1}学年第{number}学期 School year {year}–{year + 1}, term {number}",
            tuple(courses),
        )
        for (year, number), courses in terms.items()
    ]


def average_line(told: Mapping[str, Any]) -> str | None:
    held = told.get("average")
    if held is None:
        return None
    scale = f"绩点标准第{held['scale']}版 scale version {held['scale']}"
    return f"平均学分绩点 Grade point average {held['value']} (学分 credits {held['credits']}; {scale})"


def checked_lines(
    number: str, name: str, school: str, issued_on: str, grades: int, digest: str
) -> list[Line]:
    """What the public check tells by the code alone; `name` is masked already."""
    return [
        Line("成绩单编号", "Transcript number", number, number),
        Line("姓名", "Name", name, name),
        Line("学校", "School", school, school),
        Line("签发日期", "Date of issue", issued_on, issued_on),
        Line("成绩条数", "Number of grades", str(grades), str(grades)),
        Line("电子件 SHA-256", "of the signed document", digest, digest),
    ]


def _cells(course: Mapping[str, Any]) -> tuple[str, ...]:
    kind = " ".join(_KINDS.get(course["kind"], (course["kind"],)))
    return (course["code"], course["name"], course["credits"], kind, _score(course))


def _score(course: Mapping[str, Any]) -> str:
    score = course.get("score")
    if score is None:
        return " ".join(_UNSCORED.get(course["status"], (course["status"],)))
    label = _LEVELS.get(course["scheme"], {}).get(score)
    return score if label is None else f"{score} {label}"
