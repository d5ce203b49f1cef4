"""The audit of many records at once, for those who read their facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import refuse_field
from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version
from archive_store.graduation.documents import (
    GraduationOutcome,
    GraduationRequirement,
    GraduationRules,
    default_rules,
)
from archive_store.graduation.rules import AuditedRecord, AuditFinding, audited, best_outcome
from archive_store.organisation.stages import stages_of_students
from archive_store.scans.documents import Scan
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.scope import student_scope
from archive_store.students.status import periods_of

STUDENTS_LIMIT = 1_000
# Who reads what the audit is taken of, and asks for the decision, or signs it.
ASKERS = frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})
READERS = ASKERS | {Post.VICE_PRINCIPAL, Post.PRINCIPAL, Post.ACADEMIC_AFFAIRS}
AUDITED_BY = frozenset({"status", "status_periods.status", "enrolled_month", "class_name"})
LOADED = ("revision", "status", "status_periods", "enrolled_month", "class_name", "merged_into")


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
    """Of these students, or of who is in study in a class; by key. NOT_FOUND for one out of sight."""
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
    found = await audits_of(store, rows, day)
    return [found[row["_id"]] for row in rows]


def _check_count(count: int, least: int = 1) -> None:
    if not least <= count <= STUDENTS_LIMIT:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="student_ids", least=least, most=STUDENTS_LIMIT)


async def load_rows(store: Store, query: Row, session: AsyncClientSession | None = None) -> list[Row]:
    found = store.database.collection(Student).find(query, dict.fromkeys(LOADED, 1), session=session)
    return await found.sort("_id", 1).limit(STUDENTS_LIMIT + 1).to_list()


async def audits_of(
    store: Store, rows: Sequence[Row], day: date, session: AsyncClientSession | None = None
) -> Mapping[ObjectId, StudentAudit]:
    """The audits of loaded records."""
    rules = await rules_in_force(store)
    stages = await stages_of_students(store, session, [row["_id"] for row in rows])
    documents = await _documents(store, rules, [row["_id"] for row in rows], session)
    found: dict[ObjectId, StudentAudit] = {}
    for row in rows:
        stage = stages.get(row["_id"])
        record = AuditedRecord(
            StudentStatus(row["status"]),
            periods_of(row),
            row["enrolled_month"],
            stage,
            documents.get(row["_id"], frozenset()),
        )
        findings = audited(record, rules.of(stage), day)
        found[row["_id"]] = StudentAudit(
            row["_id"], findings, best_outcome(findings), record.status, row.get("merged_into") is not None
        )
    return found


async def _documents(
    store: Store, rules: GraduationRules, keys: Sequence[ObjectId], session: AsyncClientSession | None
) -> dict[ObjectId, frozenset[str]]:
    if not any(rule.requirement is GraduationRequirement.DOCUMENTS for rule in rules.rules):
        return {}
    filed = store.database.collection(Scan).find(
        {"student_id": {"$in": list(keys)}, "wrapped_data_key": {"$ne": None}},
        {"student_id": 1, "document_type": 1},
        session=session,
    )
    types: dict[ObjectId, set[str]] = defaultdict(set)
    async for scan in filed:
        types[scan["student_id"]].add(scan["document_type"])
    return {key: frozenset(held) for key, held in types.items()}
