"""`roster.import`: entry of a whole roster by the information group (policy §三(一) 学籍录入).

Good rows go in as one transaction; students on record are left alone; bad rows are reported. The report never
tells of a stored value: of a student on record it says only that they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import perform
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text, size_text
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.foundation.workers import Workers
from archive_store.imports.documents import RosterImport
from archive_store.imports.roster_columns import HEADER_BY_FIELD
from archive_store.imports.roster_files import read_roster
from archive_store.imports.rules import BadRow, GoodRow, RosterCheck, check_rows, row_error
from archive_store.people.documents import IdentifierKind, Person
from archive_store.students.documents import StatusPeriod, Student, StudentStatus
from archive_store.students.operations import STUDENT_NUMBERS, register_students

FILE_NAME_LIMIT = 200
# A roster takes several times its size while it is read: one at a time, and few that wait.
_parsing = Workers("roster", 1, waiting=3)
IMPORTERS = frozenset({Post.INFORMATION_GROUP, Post.DIRECTOR})


class RosterImportPayload(Payload):
    """Payload of `roster.import`: the rows that are to become records."""

    import_id: PydanticObjectId
    file_name: str
    file_sha256: str
    rows: int
    already_on_record: int
    refused: int
    students: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class RosterOutcome:
    """Every row accounted for: rows = added + already_on_record + len(bad)."""

    rows: int
    added: int
    already_on_record: int
    bad: tuple[BadRow, ...]
    change_request_id: ObjectId | None = None  # where the policy has imports approved: nothing is added yet


async def import_roster(
    store: Store, viewer: Viewer, content: bytes, *, file_name: str, dry_run: bool
) -> RosterOutcome:
    """Check the roster and, unless it is a dry run, enter its new students.

    Raises FORBIDDEN, TRY_AGAIN while others are read, and what `read_roster` raises for a file that is no roster.
    """
    viewer.require_any(IMPORTERS, rule="operation roster.import")
    check_text(file_name, field="file", limit=FILE_NAME_LIMIT)
    if len(content) > store.settings.roster_size_limit:
        limit = size_text(store.settings.roster_size_limit)
        raise RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=limit)
    check = await _parsing.run(_check, content, store.settings.roster_row_limit)
    # Whether a number is on record tells of the number. An import that guesses wrong makes a record; a dry run would
    # be a silent way to guess, so it goes by the school's own number where the numbers may not be read.
    may_ask = not dry_run or STUDENT_NUMBERS.keys() <= viewer.decide(Student).readable
    numbers = dict(STUDENT_NUMBERS) if may_ask else {}
    persons = await _persons_by_lookup(store, check.good, numbers)
    new, on_record, taken = await _against_records(store, check.good, numbers, persons)
    if (dry_run and numbers) or (persons and not new):
        # Of an import that adds students, its own entry tells.
        looked_for = ReadRows(frozenset(numbers), await _student_ids(store, persons.values()))
        await record_reading(store, viewer, Student, [looked_for], purpose=f"roster {file_name}")
    bad = tuple(sorted((*check.bad, *taken), key=lambda row: row.sheet_row))
    if dry_run or not new:
        return RosterOutcome(check.rows, len(new), on_record, bad)
    payload = RosterImportPayload(
        import_id=ObjectId(),
        file_name=file_name,
        file_sha256=hashlib.sha256(content).hexdigest(),
        rows=check.rows,
        already_on_record=on_record,
        refused=len(bad),
        students=tuple(row.values for row in new),
    )
    outcome = await perform(store, viewer, "roster.import", payload, reason=f"roster {file_name}")
    return RosterOutcome(check.rows, len(new), on_record, bad, outcome.change_request_id)


def _check(content: bytes, row_limit: int) -> RosterCheck:
    return check_rows(read_roster(content, row_limit=row_limit))


async def _against_records(
    store: Store,
    rows: Sequence[GoodRow],
    numbers: Mapping[str, IdentifierKind],
    persons: Mapping[str, ObjectId],
) -> tuple[list[GoodRow], int, list[BadRow]]:
    """Rows that are new, how many are of students on record, and rows with a number that is another's."""
    by_auxiliary = await _persons_by_auxiliary_number(store, rows)
    new: list[GoodRow] = []
    taken: list[BadRow] = []
    on_record = 0
    for row in rows:
        owners = {
            field: persons.get(store.cipher.blind_index(kind, row.values[field]))
            for field, kind in numbers.items()
            if field in row.values
        }
        owners["auxiliary_number"] = by_auxiliary.get(row.values.get("auxiliary_number"))
        found = {field: owner for field, owner in owners.items() if owner is not None}
        # The first number that a row has is the one that says who it is.
        principal = next((field for field in owners if field in row.values), None)
        if not found:
            new.append(row)
        elif principal in found and len(set(found.values())) == 1:
            on_record += 1
        else:
            clash = next(field for field in found if field != principal or len(set(found.values())) > 1)
            error = row_error(HEADER_BY_FIELD[clash], ErrorCode.DUPLICATE, others="学籍 student records")
            taken.append(BadRow(row.sheet_row, (error,)))
    return new, on_record, taken


async def _persons_by_lookup(
    store: Store, rows: Sequence[GoodRow], numbers: Mapping[str, IdentifierKind]
) -> dict[str, ObjectId]:
    lookups = [
        store.cipher.blind_index(kind, row.values[field])
        for row in rows
        for field, kind in numbers.items()
        if field in row.values
    ]
    found = store.database.collection(Person).find(
        {"identifier_lookups": {"$in": lookups}}, {"identifier_lookups": 1}
    )
    return {lookup: person["_id"] async for person in found for lookup in person["identifier_lookups"]}


async def _student_ids(store: Store, person_ids: Iterable[ObjectId]) -> list[ObjectId]:
    query = {"person_id": {"$in": sorted(set(person_ids))}}
    return [row["_id"] async for row in store.database.collection(Student).find(query, {"_id": 1})]


async def _persons_by_auxiliary_number(store: Store, rows: Sequence[GoodRow]) -> dict[str | None, ObjectId]:
    numbers = [row.values["auxiliary_number"] for row in rows if "auxiliary_number" in row.values]
    found = store.database.collection(Student).find(
        {"auxiliary_number": {"$in": numbers}}, {"auxiliary_number": 1, "person_id": 1}
    )
    return {student["auxiliary_number"]: student["person_id"] async for student in found}


async def _check_import(store: Store, viewer: Viewer, payload: RosterImportPayload) -> None:
    if not payload.students:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="file")


async def _apply_import(unit: UnitOfWork, payload: RosterImportPayload) -> ObjectId:
    assert unit.actor.person_id is not None  # noqa: S101 - only people import
    students = [_student(unit, values) for values in payload.students]
    record = RosterImport(
        id=payload.import_id,
        file_name=payload.file_name,
        file_sha256=payload.file_sha256,
        rows=payload.rows,
        added=len(students),
        already_on_record=payload.already_on_record,
        refused=payload.refused,
        imported_by=unit.actor.person_id,
    )
    await unit.insert(record)
    subject = Subject(RosterImport.subject_type, record.key)
    told = ("file_name", "file_sha256", "rows", "added", "already_on_record", "refused")
    unit.audit(subject, "roster:import", [FieldChange(field, None, getattr(record, field)) for field in told])
    await register_students(unit, students)
    unit.notify(Post.DIRECTOR, "roster:imported", subject)
    return record.key


def _student(unit: UnitOfWork, values: Mapping[str, Any]) -> Student:
    since = date.fromisoformat(f"{values['enrolled_month']}-01")
    period = StatusPeriod(status=StudentStatus.ENROLLED, effective_from=since, recorded_at=unit.at)
    return Student(person_id=PydanticObjectId(), status_periods=[period], **values)


ROSTER_IMPORT = Operation(
    name="roster.import",
    record_type=RosterImport,
    payload=RosterImportPayload,
    requesters=IMPORTERS,
    subject=lambda payload: Subject(RosterImport.subject_type, payload.import_id),
    requested_values=lambda payload: {"file_name": payload.file_name, "rows": payload.rows},
    fields=lambda payload: frozenset({"file_name", "rows"}),
    check=_check_import,
    apply=_apply_import,
)
