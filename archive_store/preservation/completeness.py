"""Whether archive files are complete (档案完整率, policy §五(一)): the required types against those that are filed.

What is disposed of was there, and is not missed. Of a sealed type only those hear that may know of such papers: to
anyone else it is neither required nor missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bson import ObjectId

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.paging import Page, check_page_size
from archive_store.foundation.store import Store
from archive_store.preservation.rules import keeps_archive, knows_every_scan
from archive_store.scans.documents import Scan
from archive_store.scans.queries import knows_of_type
from archive_store.scans.retention import RetentionContent, table_in_force
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope


@dataclass(frozen=True, slots=True)
class Completeness:
    """Of one archive file, as far as the viewer may know: the required types, and those of them that are missing."""

    required: tuple[str, ...]
    missing: tuple[str, ...]


async def completeness_of(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[Completeness | None]:
    """In the order of the ids; None where the viewer may not know of the student's scans."""
    if not viewer.has_scope(Scope.SCAN_READ):
        return [None] * len(student_ids)
    scope, facts = student_scope(viewer), await facts_by_id(store, viewer, student_ids)
    known = [key for key, row in facts.items() if FieldClass.F1 in scope.decide(row, Scan).decision.classes]
    table = (await table_in_force(store)).content
    held: Mapping[ObjectId, set[str]] = defaultdict(set)
    rows = store.database.collection(Scan).find(
        {"student_id": {"$in": known}}, {"student_id": 1, "document_type": 1}
    )
    async for row in rows:
        held[row["student_id"]].add(row["document_type"])
    found: dict[ObjectId, Completeness] = {}
    for key in known:
        required = {
            name
            for name in table.required_of(StudentStatus(facts[key]["status"]))
            if knows_of_type(scope, facts[key], name)
        }
        found[key] = Completeness(tuple(sorted(required)), tuple(sorted(required - held[key])))
    return [found.get(key) for key in student_ids]


@dataclass(frozen=True, slots=True)
class IncompleteFile:
    """A student whose archive file lacks documents, and which."""

    student_id: ObjectId
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompletenessRate:
    """档案完整率: of the students of whom documents are required, how many archive files have them all."""

    students: int
    complete: int

    @property
    def rate(self) -> float | None:
        return self.complete / self.students if self.students else None


async def incomplete_files(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[IncompleteFile]:
    """Archive files that lack a document, in the order of their students' keys; FORBIDDEN to who keeps none."""
    _require_keeper(viewer)
    check_page_size(first, store.settings.page_size_limit)
    steps = await _missing_by_student(store, viewer, {} if after is None else {"_id": {"$gt": after}})
    steps += [{"$match": {"missing": {"$ne": []}}}, {"$limit": first + 1}]
    rows = await (await store.database.collection(Student).aggregate(steps)).to_list()
    found = [IncompleteFile(row["_id"], tuple(sorted(row["missing"]))) for row in rows]
    return Page(found[:first], len(found) > first)


async def completeness_rate(store: Store, viewer: Viewer) -> CompletenessRate:
    """Of all students in sight. FORBIDDEN to who does not keep the archive. Each archive file is looked at."""
    _require_keeper(viewer)
    is_complete = {"$cond": [{"$eq": ["$missing", []]}, 1, 0]}
    steps = await _missing_by_student(store, viewer, {})
    steps += [{"$group": {"_id": None, "students": {"$sum": 1}, "complete": {"$sum": is_complete}}}]
    rows = await (await store.database.collection(Student).aggregate(steps)).to_list()
    return CompletenessRate(rows[0]["students"], rows[0]["complete"]) if rows else CompletenessRate(0, 0)


def _require_keeper(viewer: Viewer) -> None:
    if not keeps_archive(viewer):
        raise RegistrarError(ErrorCode.FORBIDDEN, rule="policy §五(一)")


async def _missing_by_student(store: Store, viewer: Viewer, query: Row) -> list[Row]:
    """Steps from students to `{_id, missing}` of those of whom something is required."""
    required = _known_requirements(viewer, (await table_in_force(store)).content)
    asked: Row = {"status": {"$in": list(required)}}
    cases = [{"case": {"$eq": ["$status", status]}, "then": names} for status, names in required.items()]
    if not cases:
        return [{"$match": {"_id": {"$exists": False}}}]
    filed: Row = {
        "from": Scan.Settings.name,
        "localField": "_id",
        "foreignField": "student_id",
        "pipeline": [{"$project": {"document_type": 1}}],
        "as": "scans",
    }
    return [
        {"$match": {"$and": [student_scope(viewer).visible, query, asked]}},
        {"$sort": {"_id": 1}},
        {"$project": {"status": 1}},
        {"$lookup": filed},
        {
            "$project": {
                "missing": {
                    "$setDifference": [
                        {"$switch": {"branches": cases, "default": []}},
                        "$scans.document_type",
                    ]
                }
            }
        },
    ]


def _known_requirements(viewer: Viewer, table: RetentionContent) -> dict[str, list[str]]:
    """By status what is required, of the types that the viewer knows of in every archive file."""
    rules, sees_sealed = viewer.policy.rules, knows_every_scan(viewer)
    found = {}
    for status in StudentStatus:
        names = [
            name
            for name in table.required_of(status)
            if sees_sealed or rules.document_class(name) is not FieldClass.F4
        ]
        if names:
            found[status.value] = sorted(names)
    return found
