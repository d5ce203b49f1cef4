"""One transaction for a change, its audit entries and its notifications: all of them, or none."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TypeVar

from pymongo import InsertOne, ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit.chain import head_seal
from archive_store.audit.chaining import Chained, ChainEnd, chained
from archive_store.audit.documents import ENTRIES, HEADS, INDEXES, NOTIFICATIONS
from archive_store.foundation.code_table_versions import refresh_code_tables
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import (
    REMOVALS,
    Actor,
    AuditEvent,
    RevisionConflictError,
    Subject,
    UnitOfWork,
    head_id,
)
from archive_store.foundation.workers import Workers

Result = TypeVar("Result")
# So few take less time than the way to a thread and back.
_FEW = 3
_making = Workers("audit-entries", 2)


async def governed_transaction(
    store: Store,
    actor: Actor,
    operation: str,
    work: Callable[[UnitOfWork], Awaitable[Result]],
    *,
    reason: str | None = None,
) -> Result:
    """Run `work` and commit what it wrote with its history. `work` may run more than once.

    TRY_AGAIN when a record that it changes was changed by somebody else meanwhile.
    """
    await refresh_code_tables(store)  # what `work` checks is checked by the tables of now

    async def attempt(session: AsyncClientSession) -> Result:
        unit = UnitOfWork(store, session, actor, store.clock.now(), operation, reason)
        result = await work(unit)
        if untold := unit.written - {event.subject for event in unit.events}:
            raise AssertionError(f"{operation} wrote {untold} without an audit event")
        _check_whole(unit)
        await _append_entries(unit)
        await _insert_notifications(unit)
        return result

    try:
        return await store.database.transaction(attempt)
    except RevisionConflictError as error:
        raise RegistrarError(ErrorCode.TRY_AGAIN) from error


def _check_whole(unit: UnitOfWork) -> None:
    """What a history must give is in its entries; a writer that leaves something out is a defect."""
    told: dict[Subject, set[str]] = defaultdict(set)
    for event in unit.events:
        told[event.subject].update(change.field for change in event.changes)
    for subject, fields in unit.to_tell.items():
        if untold := fields - told[subject]:
            raise AssertionError(f"{unit.operation} wrote {sorted(untold)} of {subject} without telling")
    # As the last of its entries, and of no other record: verification goes by it.
    last = {event.subject: event.kind in REMOVALS for event in unit.events}
    if unremoved := unit.removed ^ {subject for subject, removes in last.items() if removes}:
        raise AssertionError(f"{unit.operation} does not tell what became of {unremoved}")


def tell_ahead(unit: UnitOfWork) -> None:
    """Begin to make the entries of the events added by now, while the unit goes on writing.

    They must be of records that this unit inserts: their histories begin with these.
    """
    events = unit.events[unit.events_ahead :]
    unit.entries_ahead.append(asyncio.ensure_future(_making.run(chained, unit, events, {})))
    unit.events_ahead = len(unit.events)


async def _append_entries(unit: UnitOfWork) -> None:
    if not unit.events:
        return
    database, key = unit.store.database.mongo, unit.store.keyring.audit
    later = unit.events[unit.events_ahead :]
    made = [await ahead for ahead in unit.entries_ahead]
    heads = await _heads(unit, {event.subject for event in unit.events})
    ends = {s: end for part in made for s, end in part.ends.items()}
    if later:
        begun = {s: ChainEnd(head["sequence"], bytes(head["hash"])) for s, head in heads.items() if head}
        made.append(await _made(unit, later, begun | ends))
        ends |= made[-1].ends
    new_heads: list[ReplaceOne[Row] | InsertOne[Row]] = []
    for subject, end in ends.items():
        identifier = head_id(subject)
        seal = head_seal(key, identifier, end.sequence, end.hash, unit.store.settings.audit_hash)
        new_head = {"_id": identifier, "sequence": end.sequence, "hash": end.hash, "seal": seal}
        is_first = heads[subject] is None
        new_heads.append(InsertOne(new_head) if is_first else ReplaceOne({"_id": identifier}, new_head))
    entries = [entry for part in made for entry in part.entries]
    await database[ENTRIES].insert_many(entries, session=unit.session)
    await database[HEADS].bulk_write(new_heads, session=unit.session, ordered=False)


async def _made(unit: UnitOfWork, events: Sequence[AuditEvent], ends: Mapping[Subject, ChainEnd]) -> Chained:
    if len(events) <= _FEW:
        return chained(unit, events, ends)
    return await _making.run(chained, unit, events, ends)


async def _heads(unit: UnitOfWork, subjects: Collection[Subject]) -> Mapping[Subject, Row | None]:
    """The head of each chain, None of one that begins; those are looked for that did not come with their record."""
    by_id = {head_id(subject): subject for subject in subjects if subject not in unit.heads}
    heads = unit.heads | dict.fromkeys(by_id.values())
    if by_id:
        found = unit.store.database.mongo[HEADS].find({"_id": {"$in": list(by_id)}}, session=unit.session)
        heads |= {by_id[head["_id"]]: head for head in await found.to_list()}
    return heads


async def _insert_notifications(unit: UnitOfWork) -> None:
    if not unit.notices:
        return
    rows: list[Row] = [
        {
            "recipient_post": notice.recipient.value if isinstance(notice.recipient, Post) else None,
            "recipient_person": None if isinstance(notice.recipient, Post) else notice.recipient,
            "kind": notice.kind,
            "subject_type": notice.subject.type,
            "subject_id": notice.subject.id,
            "at": unit.at,
        }
        for notice in unit.notices
    ]
    await unit.store.database.mongo[NOTIFICATIONS].insert_many(rows, session=unit.session)


async def prepare_indexes(store: Store) -> None:
    """Apply the indexes of entries and notifications."""
    for collection, indexes in INDEXES.items():
        await store.database.mongo[collection].create_indexes(indexes)
