"""The grade point average (平均学分绩点) and the rank (名次), computed when they are read; nothing of them is stored.

An average needs every grade of the student, a rank those of everybody ranked: so it is told to whoever reads all of
these, and a student is told their own. Of fewer than the policy's smallest cell nobody is ranked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bson import ObjectId

from archive_store.academics.documents import GradeRecord
from archive_store.academics.queries import (
    VALUE,
    GradeView,
    decide_on_grade,
    purpose_of,
    views_of,
)
from archive_store.academics.rules import Counted, Gpa, GpaScale, gpa_of, rank_of
from archive_store.academics.scales import scale_of
from archive_store.access.policy import Withheld
from archive_store.access.rules import Relationship
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.store import Store
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.scope import RELATIONSHIP_FACTS, StudentScope, student_scope

_IN_STUDY = [status.value for status in (StudentStatus.ENROLLED, StudentStatus.SUSPENDED)]


class RankWithin(StrEnum):
    """Among whom a student is ranked: those in study whose records name the same class or grade now."""

    CLASS = "CLASS"  # 班级
    GRADE = "GRADE"  # 年级


@dataclass(frozen=True, slots=True)
class Rank:
    """名次 `place` of `ranked` students who have an average; equal averages share a place."""

    place: int
    ranked: int


def average(views: Sequence[GradeView], scale: GpaScale) -> Gpa | None:
    """The average of these grades of one student."""
    counted = [
        Counted(
            view.course.key,
            Decimal(str(view.course.credits)),
            view.course.scheme,
            view.record.kind,
            view.record.status,
            view.record.score,
        )
        for view in views
    ]
    return gpa_of(counted, scale)


async def rank_of_student(
    store: Store,
    viewer: Viewer,
    student_id: ObjectId,
    within: RankWithin,
    *,
    term_id: ObjectId | None = None,
    scale: int | None = None,
) -> Rank | Withheld | None:
    """The rank by average of a term, or of all; why it is kept back; None where there is none.

    A retrieval grant opens a record, and no ranking. The rank that is told is recorded as a reading of the student.
    """
    chosen, scope = await scale_of(store, scale), student_scope(viewer)
    students = store.database.collection(Student)
    query = {"$and": [{"_id": student_id}, scope.visible]}
    fields = dict.fromkeys((*RELATIONSHIP_FACTS, "grade"), 1)
    own = await students.find_one(query, fields)
    if own is None:
        return Withheld.NOT_PERMITTED
    of = {"class_name": own["class_name"]} if within is RankWithin.CLASS else {"grade": own["grade"]}
    members = await students.find({**of, "status": {"$in": _IN_STUDY}}, fields).to_list()
    if (why := _why_withheld(scope, own, members)) is not None:
        return why
    wanted: Row = {"student_id": {"$in": [row["_id"] for row in members]}}
    if term_id is not None:
        wanted["term_id"] = term_id
    rows = await store.database.collection(GradeRecord).find(wanted).to_list()
    by_student: dict[ObjectId, list[GradeView]] = defaultdict(list)
    for view in await views_of(store, rows):
        by_student[view.record.student_id].append(view)
    averages = {key: held.value for key, views in by_student.items() if (held := average(views, chosen))}
    if student_id not in averages or len(averages) < viewer.policy.rules.smallest_cell:
        return None
    read = ReadRows(VALUE, [student_id])
    await record_reading(store, viewer, GradeRecord, [read], purpose=purpose_of(viewer))
    return Rank(rank_of(averages[student_id], list(averages.values())), len(averages))


def _why_withheld(scope: StudentScope, own: Row, members: Sequence[Row]) -> Withheld | None:
    """None for the student, and for whoever reads the grades of all members by post or tie."""
    held = decide_on_grade(scope, own).without_grants
    if held.readable >= VALUE and Relationship.SELF in scope.relationships(own, GradeRecord):
        return None
    if not held.readable >= VALUE:
        return held.why_withheld(FieldClass.F3)
    visible = scope.viewer.reads_by_post or all(scope.relationships(row, GradeRecord) for row in members)
    reads_all = all(decide_on_grade(scope, row).without_grants.readable >= VALUE for row in members)
    return None if visible and reads_all else Withheld.NOT_PERMITTED
