"""The audit of many records at once, for those who read their facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.attendance import DAYS, decide_on_attendance
from archive_store.academics.documents import GradeRecord
from archive_store.academics.queries import VALUE, decide_on_grade
from archive_store.access.policy import refuse_field
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.conduct.documents import Sanction
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version
from archive_store.graduation.documents import (
    OF_GRADES,
    GraduationOutcome,
    GraduationRequirement,
    GraduationRules,
    default_rules,
)
from archive_store.graduation.facts import LOADED, audited_records
from archive_store.graduation.rules import AuditFinding, audited, best_outcome
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.scope import StudentScope, student_scope

STUDENTS_LIMIT = 1_000
# Who reads what the audit is taken of, and asks for the decision, or signs it.
ASKERS = frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})
READERS = ASKERS | {Post.VICE_PRINCIPAL, Post.PRINCIPAL, Post.ACADEMIC_AFFAIRS}
AUDITED_BY = frozenset({"status", "status_periods.status", "enrolled_month", "class_name"})
# What those whose work it is read grades for, who need not state it.
AUDITING = "学历审核 auditing for graduation"


@dataclass(frozen=True, slots=True)
class StudentAudit:
    """One student's audit; `proposed` is the best outcome whose rules are all met, None where there is none."""

    student_id: ObjectId
    findings: Sequence[AuditFinding]
    proposed: GraduationOutcome | None
    status: StudentStatus
    is_merged: bool


async def rules_in_force(store: Store) -> GraduationRules:
    """The rules of the audit in effect; version 0, the default, where the school has not set any."""
    return await newest_version(store, GraduationRules, default=default_rules)


def require_reader(viewer: Viewer) -> None:
    """FORBIDDEN without a post that audits, or without the fields that it is taken of."""
    viewer.require_any(READERS, rule="policy §三(一)")
    for path in sorted(AUDITED_BY - viewer.decide(Student).readable):
        raise refuse_field(path)


async def audits(
    store: Store,
    viewer: Viewer,
    *,
    student_ids: Sequence[ObjectId] | None = None,
    class_name: str | None = None,
    day: date,
) -> list[StudentAudit]:
    """Of these students, or of who is in study in a class; by key. NOT_FOUND for one out of sight.

    Of each finding what the viewer reads; `proposed` is None where it would tell what they do not.
    """
    rows = await rows_to_audit(store, viewer, student_ids=student_ids, class_name=class_name)
    return await _shown(store, viewer, rows, await audits_of(store, rows, day))


async def rows_to_audit(
    store: Store,
    viewer: Viewer,
    *,
    student_ids: Sequence[ObjectId] | None = None,
    class_name: str | None = None,
) -> list[Row]:
    """The records as loaded for an audit that the viewer may ask for."""
    require_reader(viewer)
    visible = student_scope(viewer).visible
    if student_ids is not None:
        _check_count(len(student_ids))
        query: Row = {"_id": {"$in": list(student_ids)}}
    elif class_name is not None:
        query = {"class_name": class_name, "status": StudentStatus.ENROLLED.value}
    else:
        raise RegistrarError(ErrorCode.REQUIRED, field="student_ids")
    rows = await load_rows(store, {"$and": [query, visible]})
    _check_count(len(rows), least=0)
    if student_ids is not None and {row["_id"] for row in rows} != set(student_ids):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_ids")
    return rows


def _check_count(count: int, least: int = 1) -> None:
    if not least <= count <= STUDENTS_LIMIT:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="student_ids", least=least, most=STUDENTS_LIMIT)


async def load_rows(store: Store, query: Row, session: AsyncClientSession | None = None) -> list[Row]:
    found = store.database.collection(Student).find(query, dict.fromkeys(LOADED, 1), session=session)
    return await found.sort("_id", 1).limit(STUDENTS_LIMIT + 1).to_list()


async def audits_of(
    store: Store, rows: Sequence[Row], day: date, session: AsyncClientSession | None = None
) -> Mapping[ObjectId, StudentAudit]:
    """The audits of loaded records in full, for the decision; what of it is shown is for `audits`."""
    rules = await rules_in_force(store)
    records = await audited_records(store, rules, rows, day, session)
    found: dict[ObjectId, StudentAudit] = {}
    for row in rows:
        record = records[row["_id"]]
        findings = audited(record, rules.of(record.stage), day)
        found[row["_id"]] = StudentAudit(
            row["_id"], findings, best_outcome(findings), record.status, row.get("merged_into") is not None
        )
    return found


async def _shown(
    store: Store, viewer: Viewer, rows: Sequence[Row], found: Mapping[ObjectId, StudentAudit]
) -> list[StudentAudit]:
    """As far as the viewer reads what they are taken of; shown numbers of grades are recorded as read."""
    scope, read, shown = student_scope(viewer), [], []
    for row in rows:
        audit = found[row["_id"]]
        sight = _sight(scope, row)
        findings = [sight.shown(held) for held in audit.findings]
        if sight.grades and any(held.requirement in OF_GRADES for held in findings):
            read.append(row["_id"])
        shown.append(replace(audit, findings=findings, proposed=best_outcome(findings)))
    if read:
        await record_reading(store, viewer, GradeRecord, [ReadRows(VALUE, read)], purpose=AUDITING)
    return shown


@dataclass(frozen=True, slots=True)
class _Sight:
    """What the viewer reads of one student, grants apart: they open a record, and no audit."""

    grades: bool
    attendance: bool
    sanctions: bool

    def shown(self, finding: AuditFinding) -> AuditFinding:
        """Of grades and attendance, whether a rule is met is known by the outcome; of a sanction nothing is."""
        match finding.requirement:
            case GraduationRequirement.NO_SANCTION_IN_FORCE if not self.sanctions:
                return replace(finding, is_met=None, evidence=None)
            case GraduationRequirement.ATTENDANCE if not self.attendance:
                return replace(finding, evidence=None)
            case requirement if requirement in OF_GRADES and not self.grades:
                return replace(finding, evidence=None)
            case _:
                return finding


def _sight(scope: StudentScope, row: Row) -> _Sight:
    sanctions = scope.decide(row, Sanction).without_grants.readable
    return _Sight(
        grades=decide_on_grade(scope, row).without_grants.readable >= VALUE,
        attendance=decide_on_attendance(scope, row).readable >= DAYS,
        sanctions=frozenset({"kind", "status"}) <= sanctions,
    )
