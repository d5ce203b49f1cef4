"""What the audit is taken of, of many records at once: one query for each kind of fact, of what the rules ask for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.results import arranged_courses, attended, courses_by_code, grades_counted
from archive_store.academics.scales import scale_of
from archive_store.conduct.in_force import sanctions_in_force
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.graduation.documents import OF_GRADES, GraduationRequirement, GraduationRules
from archive_store.graduation.rules import AuditedRecord
from archive_store.organisation.stages import stages_of_students
from archive_store.scans.documents import Scan
from archive_store.students.documents import StudentStatus
from archive_store.students.merged import owners_of_merged
from archive_store.students.status import periods_of

LOADED = ("revision", "status", "status_periods", "enrolled_month", "class_name", "merged_into")


async def audited_records(
    store: Store,
    rules: GraduationRules,
    rows: Sequence[Row],
    day: date,
    session: AsyncClientSession | None = None,
) -> dict[ObjectId, AuditedRecord]:
    """The records whose `LOADED` fields these are, with what the rules ask for, by key; whatever a viewer may read."""
    keys, asked = [row["_id"] for row in rows], {rule.requirement for rule in rules.rules}
    stages = await stages_of_students(store, session, keys)
    documents = await _documents(store, keys, session) if GraduationRequirement.DOCUMENTS in asked else {}
    grades = await grades_counted(store, session, keys) if asked & OF_GRADES else {}
    named = frozenset[str]().union(*(rule.course_codes for rule in rules.rules))
    courses = await courses_by_code(store, session, named) if named else {}
    # Everything else is of today, too; a day before would leave out what is being taught.
    taught_by = max(day, school_day(store.clock.now()))
    is_arranged = any(rule.is_every_arranged for rule in rules.rules)
    classes = {row["class_name"] for row in rows if row["class_name"] is not None}
    arranged = await arranged_courses(store, session, classes, taught_by) if is_arranged else {}
    averages = {rule.gpa_scale for rule in rules.rules if rule.requirement is GraduationRequirement.GPA}
    scales = {version: await scale_of(store, version) for version in averages}
    sanctioned = GraduationRequirement.NO_SANCTION_IN_FORCE in asked
    sanctions = await sanctions_in_force(store, session, keys) if sanctioned else {}
    days = await attended(store, session, keys) if GraduationRequirement.ATTENDANCE in asked else {}
    return {
        key: AuditedRecord(
            StudentStatus(row["status"]),
            periods_of(row),
            row["enrolled_month"],
            stages.get(key),
            documents.get(key, frozenset()),
            grades=grades.get(key, ()),
            courses=courses,
            arranged=arranged.get(row["class_name"], {}),
            scales=scales,
            sanctions=frozenset(held.kind for held in sanctions.get(key, ())),
            attended=days.get(key),
        )
        for key, row in zip(keys, rows, strict=True)
    }


async def _documents(
    store: Store, keys: Sequence[ObjectId], session: AsyncClientSession | None
) -> dict[ObjectId, frozenset[str]]:
    owners = await owners_of_merged(store, session, keys)
    filed = store.database.collection(Scan).find(
        {"student_id": {"$in": sorted(owners)}, "wrapped_data_key": {"$ne": None}},
        {"student_id": 1, "document_type": 1},
        session=session,
    )
    types: dict[ObjectId, set[str]] = defaultdict(set)
    async for scan in filed:
        for key in owners[scan["student_id"]]:
            types[key].add(scan["document_type"])
    return {key: frozenset(held) for key, held in types.items()}
