"""`import_roster`: a small roster checked and entered in one call, on top of the batches.

The report never tells of a stored value: of a student on record it says only that they are.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text, size_text
from archive_store.foundation.workers import Workers
from archive_store.imports.batch_steps import read_batch
from archive_store.imports.batches import ask_for_run
from archive_store.imports.beginning import FILE_NAME_LIMIT, BatchTerms, begin
from archive_store.imports.documents import WORKING_STATUSES, ImportKind, RowOutcome, UndoObstacle
from archive_store.imports.majors import with_majors
from archive_store.imports.matching import JudgedRow, judge, student_ids_of
from archive_store.imports.rights import may_begin
from archive_store.imports.roster_files import read_roster
from archive_store.imports.rules import BadRow, RowCheck, check_rows_alone, without_shared_numbers
from archive_store.imports.running import advance
from archive_store.students.documents import Student
from archive_store.students.registration import STUDENT_NUMBERS

__all__ = ["RosterOutcome", "UndoObstacle", "import_roster"]

# In one call. A larger one is begun, and runs beside.
ROWS_AT_ONCE = 5_000
# A roster takes several times its size while it is read whole: one at a time, and few that wait.
_parsing = Workers("roster", 1, waiting=3)
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class RosterOutcome:
    """Every row accounted for: rows = added + already_on_record + len(bad)."""

    rows: int
    added: int
    already_on_record: int
    bad: tuple[BadRow, ...]
    change_request_id: ObjectId | None = None  # where the policy has imports approved: nothing is added yet
    batch_id: ObjectId | None = None


async def import_roster(
    store: Store, viewer: Viewer, content: bytes, *, file_name: str, dry_run: bool
) -> RosterOutcome:
    """Check the roster and, unless it is a dry run, enter its new students and wait until they are.

    Raises FORBIDDEN, TRY_AGAIN while others are read, TOO_LARGE, and what `read_roster` raises for a file that is no
    roster.
    """
    may_begin(viewer, ImportKind.REGISTER)
    check_text(file_name, field="file", limit=FILE_NAME_LIMIT)
    if len(content) > store.settings.roster_size_limit:
        limit = size_text(store.settings.roster_size_limit)
        raise RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=limit)
    row_limit = min(ROWS_AT_ONCE, store.settings.roster_row_limit)
    checks = await _parsing.run(_check, content, row_limit)
    checks = await with_majors(store, ImportKind.REGISTER, checks)
    judged = await judged_by(store, viewer, checks, file_name=file_name, dry_run=dry_run)
    outcome = _outcome(judged)
    if dry_run or not outcome.added:
        return outcome
    batch = await begin(
        store, viewer, io.BytesIO(content), file_name=file_name, terms=BatchTerms(), mapping={}
    )
    request_id = await ask_for_run(store, viewer, batch.key)
    if request_id is not None:
        return RosterOutcome(
            outcome.rows, outcome.added, outcome.already_on_record, outcome.bad, request_id, batch.key
        )
    while not await advance(store, batch.key):
        await asyncio.sleep(_PAUSE_SECONDS)
        if (await read_batch(store, batch.key)).status not in WORKING_STATUSES:
            break
    done = await read_batch(store, batch.key)
    return RosterOutcome(done.rows, done.added, done.already_on_record, outcome.bad, None, batch.key)


def _check(content: bytes, row_limit: int) -> list[RowCheck]:
    return without_shared_numbers(check_rows_alone(read_roster(content, row_limit=row_limit)))


async def judged_by(
    store: Store, viewer: Viewer, checks: list[RowCheck], *, file_name: str, dry_run: bool
) -> list[JudgedRow]:
    """What the rows would become, as far as the viewer may be told; that numbers were looked for is recorded.

    Whether a number is on record tells of the number. An import that guesses wrong makes a record; a dry run would be
    a silent way to guess, so it goes by the school's own number where the numbers may not be read.
    """
    may_ask = not dry_run or STUDENT_NUMBERS.keys() <= viewer.decide(Student).readable
    numbers = tuple(STUDENT_NUMBERS) if may_ask else ()
    judged = await judge(store, None, ImportKind.REGISTER, checks, numbers)
    persons = {row.person_id for row in judged if row.person_id is not None}
    is_new = any(row.outcome is RowOutcome.ADDED for row in judged)
    # Of an import that adds students, its own entry tells.
    if (dry_run and numbers) or (persons and not is_new):
        looked_for = ReadRows(frozenset(numbers), await student_ids_of(store, persons))
        await record_reading(store, viewer, Student, [looked_for], purpose=f"roster {file_name}")
    return judged


def _outcome(judged: list[JudgedRow]) -> RosterOutcome:
    bad = tuple(
        BadRow(row.check.sheet_row, row.check.errors, row.check.warnings)
        for row in judged
        if row.outcome is RowOutcome.REFUSED
    )
    added = sum(row.outcome is RowOutcome.ADDED for row in judged)
    on_record = sum(row.outcome is RowOutcome.ALREADY_ON_RECORD for row in judged)
    return RosterOutcome(len(judged), added, on_record, bad)
