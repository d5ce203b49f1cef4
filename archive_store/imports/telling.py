"""What a FAIL batch that enters nothing tells of its rows: no more than a dry run would (policy §三(一)).

Whether a number is on record tells of the number. A row that enters leaves a record behind; one that does not enter
must not answer for nothing whether its number is known. So the rows are held against the numbers that whoever runs the
batch may read, and against the school's own. Where a number out of their sight is the only reason, the first such row
is named, since nobody could correct the file otherwise. What was looked up is recorded as read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.store import Store
from archive_store.imports.documents import ImportBatch, RowOutcome
from archive_store.imports.matching import JudgedRow, judge, student_ids_of
from archive_store.imports.rules import RowCheck
from archive_store.people.sign_in import viewer_of_person
from archive_store.students.documents import Student
from archive_store.students.registration import STUDENT_NUMBERS


async def viewer_of_run(store: Store, batch: ImportBatch) -> Viewer:
    """Whoever runs the batch, as they stand now, for the purpose of the import."""
    assert batch.run_by is not None  # noqa: S101 - it runs
    return (await viewer_of_person(store, batch.run_by)).for_purpose(f"roster import {batch.key}")


def told_numbers(viewer: Viewer) -> tuple[str, ...]:
    """The numbers of persons by which a row may be said to be on record."""
    may_ask = STUDENT_NUMBERS.keys() <= viewer.decide(Student).readable
    return tuple(STUDENT_NUMBERS) if may_ask else ()


async def told_rows(
    store: Store,
    session: AsyncClientSession | None,
    batch: ImportBatch,
    checks: Sequence[RowCheck],
    judged: Sequence[JudgedRow],
    numbers: Collection[str],
    named_row: int | None = None,
) -> list[JudgedRow]:
    """The rows as they may be told, in their order; `named_row` is told whatever it is known by."""
    if first_reason(judged) is None or STUDENT_NUMBERS.keys() <= set(numbers):
        return list(judged)
    told = await judge(store, session, batch.kind, checks, numbers)
    return [
        row if row.check.sheet_row == named_row else open_row
        for row, open_row in zip(judged, told, strict=True)
    ]


def first_reason(judged: Sequence[JudgedRow]) -> int | None:
    """The first row for which a FAIL batch does not enter."""
    return next((row.check.sheet_row for row in judged if row.outcome is not RowOutcome.ADDED), None)


async def record_told(
    store: Store, viewer: Viewer, judged: Sequence[JudgedRow], numbers: Collection[str]
) -> None:
    """That it was told which students are on record; where the numbers may be told, a guess is a reading, too."""
    persons = [row.person_id for row in judged if row.person_id is not None]
    if persons or numbers:
        looked_for = ReadRows(frozenset(STUDENT_NUMBERS), await student_ids_of(store, persons))
        await record_reading(store, viewer, Student, [looked_for])
