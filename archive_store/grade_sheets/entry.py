"""Entering grades from a file (成绩单文件导入), all rows or none, by `grades.enter`.

A sheet tells nothing that whoever enters grades may not read: a name is compared and never told, and a student out of
sight is as unknown as a number of nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.academics.documents import GradeKind, GradeStatus, GradingScheme
from archive_store.academics.grades import GRADES_ENTER, enter_grades
from archive_store.academics.judging import NOT_IN_STUDY, GradeRow, GradesEnter, judge_rows
from archive_store.access.policy import refuse_field
from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.texts import size_text
from archive_store.foundation.workers import Workers
from archive_store.grade_sheets.columns import SheetColumn, level_of, same_name
from archive_store.grade_sheets.rows import SheetGrade, read_grades
from archive_store.students.documents import Student
from archive_store.students.scope import student_scope

# A thousand rows of four cells; a workbook with its styles is far smaller.
SIZE_LIMIT = 4 * 1024 * 1024
# What tells a student on a sheet, and so has to be read of every one.
TOLD_BY = frozenset({"auxiliary_number", "name", "class_name"})
_SCORE_LENGTH = 10
_reading = Workers("grade-sheets", 1, waiting=3)
_COLUMN_OF_FIELD = {
    "student_id": SheetColumn.NUMBER,
    "score": SheetColumn.SCORE,
    "status": SheetColumn.STATUS,
}


@dataclass(frozen=True, slots=True)
class GradeSheetReport:
    """Every row accounted for: rows = valid + len(bad). `entered` is all of them, or 0.

    `missing` are students of the class who have no regular grade and no row.
    """

    rows: int
    entered: int
    bad: tuple[SheetGrade, ...]
    missing: tuple[ObjectId, ...]

    @property
    def valid(self) -> int:
        return self.rows - len(self.bad)


async def enter_grade_sheet(
    store: Store,
    viewer: Viewer,
    content: bytes,
    arrangement_id: ObjectId,
    *,
    kind: GradeKind = GradeKind.REGULAR,
    dry_run: bool = False,
    reason: str | None = None,
) -> GradeSheetReport:
    """Enter the grades of a sheet unless a row is at fault, or only tell what would be with `dry_run`.

    FORBIDDEN without a post that enters grades, NOT_FOUND and WRONG_STATE as the arrangement has it, TRY_AGAIN while
    others are read, TOO_LARGE, and what `read_grades` raises for a file that is no grade sheet.
    """
    require_may_fill(viewer)
    if len(content) > SIZE_LIMIT:
        raise RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=size_text(SIZE_LIMIT))
    arranged = await judge_rows(store, arrangement_id, kind, ())
    rows = await _reading.run(read_grades, content)
    students = await _students_by_number(store, viewer, [row.number for row in rows if row.number])
    known = _match(rows, students, arranged.arrangement.class_name, kind)
    given, places = _grades(rows, known, arranged.course.scheme)
    judgement = await judge_rows(store, arrangement_id, kind, given)
    for place, fault in judgement.faults:
        column = _COLUMN_OF_FIELD.get((fault.field or "").rpartition(".")[2], SheetColumn.NUMBER)
        rows[places[place]].add(column, fault)
    bad = tuple(row for row in rows if row.errors)
    missing = tuple(key for key in judgement.missing if key not in known.values())
    if bad or dry_run:
        return GradeSheetReport(len(rows), 0, bad, missing)
    payload = GradesEnter(
        entry_id=PydanticObjectId(),
        arrangement_id=PydanticObjectId(arrangement_id),
        kind=kind,
        rows=tuple(given),
    )
    # Judged anew where it is written: what another entered meanwhile is an error of the call.
    done = await enter_grades(store, viewer, payload, reason=reason)
    if done.faults:
        raise done.faults[0][1]
    return GradeSheetReport(len(rows), done.entered, (), done.missing)


def require_may_fill(viewer: Viewer) -> None:
    """FORBIDDEN unless the viewer enters grades and reads of every student what tells them on a sheet."""
    GRADES_ENTER.require_asker(viewer)
    if not student_scope(viewer).everywhere >= TOLD_BY:
        raise refuse_field("file")


async def _students_by_number(store: Store, viewer: Viewer, numbers: Sequence[str]) -> dict[str, list[Row]]:
    """The students in sight who have these numbers of the school (学籍辅号)."""
    asked: Row = {"auxiliary_number": {"$in": sorted(set(numbers))}, "status": {"$nin": NOT_IN_STUDY}}
    query = {"$and": [asked, student_scope(viewer).visible]}
    rows = store.database.collection(Student).find(query, dict.fromkeys(TOLD_BY, 1))
    found: dict[str, list[Row]] = defaultdict(list)
    async for row in rows:
        found[row["auxiliary_number"]].append(row)
    return found


def _match(
    rows: Sequence[SheetGrade], students: dict[str, list[Row]], class_name: str, kind: GradeKind
) -> dict[int, ObjectId]:
    """Whose each row is, by place; rows that are of nobody, of two, or of somebody else are told so."""
    known: dict[int, ObjectId] = {}
    for place, row in enumerate(rows):
        if not row.number:
            continue
        held = students.get(row.number, [])
        if not held:
            row.refuse(SheetColumn.NUMBER, ErrorCode.NOT_FOUND)
            continue
        if len(held) > 1:
            row.refuse(SheetColumn.NUMBER, ErrorCode.DUPLICATE, others=Student.subject_type)
            continue
        known[place] = held[0]["_id"]
        if row.name and not same_name(row.name, held[0]["name"]):
            row.refuse(SheetColumn.NAME, ErrorCode.NAME_MISMATCH)
        elif held[0]["class_name"] != class_name and kind is not GradeKind.RETAKE:
            row.refuse(SheetColumn.NUMBER, ErrorCode.NOT_IN_CLASS)
    return known


def _grades(
    rows: Sequence[SheetGrade], known: dict[int, ObjectId], scheme: GradingScheme
) -> tuple[list[GradeRow], list[int]]:
    """The grades of the rows that are right so far, and their places."""
    given: list[GradeRow] = []
    places: list[int] = []
    for place, row in enumerate(rows):
        if row.errors or place not in known:
            continue
        score = level_of(scheme, row.score) or None
        if score is not None and len(score) > _SCORE_LENGTH:
            row.refuse(SheetColumn.SCORE, ErrorCode.TOO_LONG, limit=_SCORE_LENGTH)
            continue
        given.append(
            GradeRow(student_id=PydanticObjectId(known[place]), status=GradeStatus(row.status), score=score)
        )
        places.append(place)
    return given, places
