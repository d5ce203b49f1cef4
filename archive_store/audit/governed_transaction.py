"""One transaction for a change, its audit entries and its notifications: all of them, or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from bson import ObjectId
from pymongo import InsertOne, ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit.chain import FIRST_PREVIOUS_HASH, entry_hash, head_seal
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

Result = TypeVar("Result")


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


async def _append_entries(unit: UnitOfWork) -> None:
    if not unit.events:
        return
    store, database = unit.store, unit.store.database.mongo
    by_subject: dict[Subject, list[AuditEvent]] = defaultdict(list)
    for event in unit.events:
        by_subject[event.subject].append(event)
    heads = await _heads(unit, by_subject)
    contents = [_sealed_content(event) for events in by_subject.values() for event in events]
    sealed = iter(await store.cipher.encrypt_many(contents))
    key, hash_name = store.keyring.audit, store.settings.audit_hash
    entries: list[Row] = []
    new_heads: list[ReplaceOne[Row] | InsertOne[Row]] = []
    for subject, events in by_subject.items():
        identifier = head_id(subject)
        head = heads[subject] or {"sequence": 0, "hash": FIRST_PREVIOUS_HASH}
        sequence, last_hash = head["sequence"], bytes(head["hash"])
        for event in events:
            sequence += 1
            entry: Row = {
                "_id": ObjectId(),
                "subject_type": subject.type,
                "subject_id": subject.id,
                "sequence": sequence,
                "at": unit.at,
                "actor_id": unit.actor.person_id,
                "actor_name": unit.actor.name,
                "actor_posts": list(unit.actor.posts),
                "operation": unit.operation,
                "kind": event.kind,
                "sealed": next(sealed),
                "previous_hash": last_hash,
            }
            last_hash = entry["hash"] = entry_hash(key, entry, hash_name)
            entry["log_index"] = None  # the sequencer gives it
            entries.append(entry)
        seal = head_seal(key, identifier, sequence, last_hash, hash_name)
        new_head = {"_id": identifier, "sequence": sequence, "hash": last_hash, "seal": seal}
        is_first = heads[subject] is None
        new_heads.append(InsertOne(new_head) if is_first else ReplaceOne({"_id": identifier}, new_head))
    await database[ENTRIES].insert_many(entries, session=unit.session)
    await database[HEADS].bulk_write(new_heads, session=unit.session, ordered=False)


async def _heads(unit: UnitOfWork, subjects: Iterable[Subject]) -> Mapping[Subject, Row | None]:
    """The head of each chain, None of one that begins; those are looked for that did not come with their record."""
    by_id = {head_id(subject): subject for subject in subjects if subject not in unit.heads}
    heads = unit.heads | dict.fromkeys(by_id.values())
    if by_id:
        found = unit.store.database.mongo[HEADS].find({"_id": {"$in": list(by_id)}}, session=unit.session)
        heads |= {by_id[head["_id"]]: head for head in await found.to_list()}
    return heads


def _sealed_content(event: AuditEvent) -> Row:
    changes = [{"field": c.field, "before": c.before, "after": c.after} for c in event.changes]
    content: Row = {
        "changes": changes,
        "touched": sorted(event.touched),
        "reason": event.reason,
        "note": event.note,
        "change_request": event.change_request,
        "effective_from": event.effective_from.isoformat() if event.effective_from else None,
    }
    return content if event.reading is None else content | {"reading": event.reading}


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
