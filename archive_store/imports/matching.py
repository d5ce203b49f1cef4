"""Rows held against what is on record: which are new, which are known, and which have a number that is another's.

Nothing of a stored value is told: of a student on record only that they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.admission.numbers import cases_by_lookup
from archive_store.foundation.code_tables import code_table
from archive_store.foundation.errors import ErrorCode
from archive_store.foundation.store import Store
from archive_store.imports.documents import ImportKind, RowOutcome
from archive_store.imports.roster_columns import HEADER_BY_FIELD
from archive_store.imports.rules import RowCheck, row_error, with_error
from archive_store.imports.staging import number_digest
from archive_store.people.identifiers import persons_by_lookup
from archive_store.students.changes import CODED_FIELDS
from archive_store.students.documents import Student
from archive_store.students.registration import STUDENT_NUMBERS

AUXILIARY = "auxiliary_number"


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """A row, and what it would become: ADDED, ALREADY_ON_RECORD with its person, or REFUSED with its errors.

    `found` are the numbers that are on record.
    """

    check: RowCheck
    outcome: RowOutcome
    person_id: ObjectId | None = None
    found: frozenset[str] = frozenset()


async def judge(
    store: Store,
    session: AsyncClientSession | None,
    kind: ImportKind,
    checks: Sequence[RowCheck],
    numbers: Collection[str] = tuple(STUDENT_NUMBERS),
) -> list[JudgedRow]:
    """Each row in its order; `numbers` are those that may be looked for beside the school's own."""
    good = [check for check in checks if not check.errors]
    digests = {
        (check.sheet_row, field): number_digest(store, field, check.numbers[field])
        for check in good
        for field in numbers
        if field in check.numbers
    }
    owners: dict[str, ObjectId] = {}
    if kind is ImportKind.ADMISSION:
        owners |= await cases_by_lookup(store, list(digests.values()), session)
    owners |= await persons_by_lookup(store, digests.values(), session)
    by_auxiliary = await _persons_by_auxiliary_number(store, session, good)
    judged = [_judged(check, digests, owners, by_auxiliary, numbers) for check in checks]
    given = {field: code_table(field).codes for field in sorted(CODED_FIELDS)}
    return [_fit_for_a_new_record(row, given) for row in judged]


def _fit_for_a_new_record(row: JudgedRow, given: Mapping[str, Collection[str]]) -> JudgedRow:
    """Refused where a new record would get what only an old one may have: an abolished code."""
    if row.outcome is not RowOutcome.ADDED:
        return row
    values = row.check.values
    at_fault = [
        field
        for field, codes in given.items()
        if values.get(field) is not None and values[field] not in codes
    ]
    if not at_fault:
        return row
    check = row.check
    for field in at_fault:
        check = with_error(check, row_error(HEADER_BY_FIELD[field], ErrorCode.UNKNOWN_CODE))
    return JudgedRow(check, RowOutcome.REFUSED)


def _judged(
    check: RowCheck,
    digests: Mapping[tuple[int, str], str],
    owners: Mapping[str, ObjectId],
    by_auxiliary: Mapping[str, ObjectId],
    numbers: Collection[str],
) -> JudgedRow:
    if check.errors:
        return JudgedRow(check, RowOutcome.REFUSED)
    found: dict[str, ObjectId] = {}
    # The first number that a row has is the one that says who it is.
    principal: str | None = None
    for field in (*STUDENT_NUMBERS, AUXILIARY):
        if field not in check.numbers or (field != AUXILIARY and field not in numbers):
            continue
        principal = principal or field
        held = by_auxiliary if field == AUXILIARY else owners
        key = check.numbers[field] if field == AUXILIARY else digests[(check.sheet_row, field)]
        if (owner := held.get(key)) is not None:
            found[field] = owner
    if not found:
        return JudgedRow(check, RowOutcome.ADDED)
    if principal in found and len(set(found.values())) == 1:
        return JudgedRow(check, RowOutcome.ALREADY_ON_RECORD, found[principal], frozenset(found))
    clash = next(field for field in found if field != principal or len(set(found.values())) > 1)
    error = row_error(HEADER_BY_FIELD[clash], ErrorCode.DUPLICATE, others="学籍 student records")
    return JudgedRow(with_error(check, error), RowOutcome.REFUSED)


async def _persons_by_auxiliary_number(
    store: Store, session: AsyncClientSession | None, checks: Iterable[RowCheck]
) -> dict[str, ObjectId]:
    numbers = [check.numbers[AUXILIARY] for check in checks if AUXILIARY in check.numbers]
    found = store.database.collection(Student).find(
        {"auxiliary_number": {"$in": numbers}}, {"auxiliary_number": 1, "person_id": 1}, session=session
    )
    return {student["auxiliary_number"]: student["person_id"] async for student in found}


async def student_ids_of(store: Store, person_ids: Iterable[ObjectId]) -> list[ObjectId]:
    query = {"person_id": {"$in": sorted(set(person_ids))}}
    return [row["_id"] async for row in store.database.collection(Student).find(query, {"_id": 1})]
