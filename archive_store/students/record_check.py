"""Whether each student's record is what its history gives: the entries replayed from nothing, all leaves compared.

Bookkeeping (`Student.bookkeeping`) is compared with nothing, since no entry tells it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import EncryptionError

from archive_store.audit.entries import entries_of, open_entries
from archive_store.audit.findings import Finding, Flaw
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, head_id
from archive_store.students.documents import Student
from archive_store.students.replay import BrokenHistoryError, known_by, replayed

_AT_ONCE = 200


async def records_unlike_history(store: Store, flawed: Collection[str] = ()) -> list[Finding]:
    """One finding for each record that its history does not give; `flawed` are the subjects whose history is none."""
    # One snapshot, so that what is written meanwhile is not taken for a flaw.
    async with store.database.client.start_session(snapshot=True) as session:
        return [finding async for finding in _compared(store, flawed, session)]


async def _compared(
    store: Store, flawed: Collection[str], session: AsyncClientSession
) -> AsyncIterator[Finding]:
    pending: list[Row] = []
    students = store.database.whatever_is_stored(store.database.collection(Student).name)
    async for row in students.find({}, session=session).sort("_id", 1):
        if _name(row["_id"]) not in flawed:
            pending.append(row)
        if len(pending) == _AT_ONCE:
            for finding in await _findings(store, pending, session):
                yield finding
            pending = []
    for finding in await _findings(store, pending, session):
        yield finding


async def _findings(store: Store, rows: Sequence[Row], session: AsyncClientSession) -> list[Finding]:
    entries = await entries_of(store, Student, [row["_id"] for row in rows], session)
    opened = await _opened(store, entries)
    found = []
    for row in rows:
        held = entries.get(row["_id"], [])
        if (opened or await _opened(store, {row["_id"]: held})) and not await _is_given(store, row, held):
            found.append(Finding(_name(row["_id"]), len(held), Flaw.UNLIKE_RECORD))
    return found


async def _opened(store: Store, entries: Mapping[ObjectId, Sequence[Row]]) -> bool:
    """False where the key of their values is gone: there is nothing to compare then, and the chains still hold."""
    try:
        await open_entries(store, [entry for held in entries.values() for entry in held])
    except EncryptionError:
        return False
    return True


async def _is_given(store: Store, row: Row, entries: Sequence[Row]) -> bool:
    """False also of what cannot be read."""
    try:
        given = replayed(known_by(entries, None))
        await store.cipher.decrypt_paths([row], encrypted_paths(Student))
    except (BrokenHistoryError, EncryptionError):
        return False
    # A field that the record was stored without says nothing, as in its history.
    held = {name: value for name, value in row.items() if name not in Student.bookkeeping}
    return dict.fromkeys(given) | held == given


def _name(key: ObjectId) -> str:
    return head_id(Subject(Student.subject_type, key))
