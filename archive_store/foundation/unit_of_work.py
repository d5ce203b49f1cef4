"""The unit of work: the only writer of records.

It encrypts what must be, guards each change by its revision, and collects audit events and notifications for
the same transaction. `archive_store.audit.governed_transaction` opens and completes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from bson import ObjectId
from pymongo import DeleteOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError

from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value

if TYPE_CHECKING:
    from archive_store.foundation.store import Store

_DUPLICATE_KEY = 11000
AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `person_id` is None for what no person does: the installation, and the clock's jobs."""

    person_id: ObjectId | None
    name: str
    posts: tuple[Post, ...] = ()


INSTALLATION = Actor(None, "installation")
CLOCK = Actor(None, "clock")


class Subject(NamedTuple):
    """The record that something is about."""

    type: str
    id: ObjectId


# Where the heads of audit chains lie, which `audit/` writes.
HEADS = "audit_heads"


# The kinds of entries that end a history: the record is gone, what it was is told whole.
REMOVALS = frozenset({"student:register:undo", "person:register:undo", "admission:supply:undo"})


def head_id(subject: Subject) -> str:
    return f"{subject.type}:{subject.id}"


class FieldChange(NamedTuple):
    """Stored values before and after; `field` is a dotted path of the subject's type."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What happened to a subject. `kind` reads `student:update`; `touched` are the fields asked to change.

    `effective_from` is the school day from which the changes hold, where it need not be the day of the entry.
    `reading` is what was read, where the subject is an access event.
    """

    subject: Subject
    kind: str
    changes: tuple[FieldChange, ...]
    note: str | None
    reason: str | None
    change_request: ObjectId | None
    touched: frozenset[str] = frozenset()
    effective_from: date | None = None
    reading: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to one person or to the holders of a post."""

    recipient: ObjectId | Post
    kind: str
    subject: Subject


def _as_read(record: Record) -> Row:
    return {"_id": record.key, "revision": record.revision}


class RevisionConflictError(Exception):
    """The record is gone or was changed since it was read."""


@dataclass
class UnitOfWork:
    """Writes of one transaction. Made anew for each attempt."""

    store: Store
    session: AsyncClientSession
    actor: Actor
    at: datetime
    operation: str
    reason: str | None = None
    change_request: ObjectId | None = None  # the approved request that this applies
    effective_from: date | None = None  # the day from which what was asked for holds, where one was named
    events: list[AuditEvent] = field(default_factory=list)
    # The first of the events may have their entries made ahead of the others.
    events_ahead: int = 0
    entries_ahead: list[Awaitable[Any]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    written: set[Subject] = field(default_factory=set)
    removed: set[Subject] = field(default_factory=set)
    # Fields written of records whose history gives them whole.
    to_tell: dict[Subject, set[str]] = field(default_factory=dict)
    # Heads of audit chains as of this transaction, where they are known: none of what it inserts.
    heads: dict[Subject, Row | None] = field(default_factory=dict)

    async def insert(self, *records: Record) -> None:
        """Insert records of one type; a broken unique index raises DUPLICATE."""
        if not records:
            return
        record_type = type(records[0])
        rows = [record.to_bson() for record in records]
        await self.store.cipher.encrypt_paths(rows, encrypted_paths(record_type))
        await self.insert_sealed(record_type, rows)

    async def insert_sealed(self, record_type: type[Record], rows: Sequence[Row]) -> None:
        """As `insert`, of rows as they are stored, whole and encrypted."""
        if not rows:
            return
        bookkeeping = record_type.bookkeeping
        inserted = [Subject(record_type.subject_type, row["_id"]) for row in rows]
        for subject, row in zip(inserted, rows, strict=True):
            row["created_at"] = row["updated_at"] = self.at
            if bookkeeping is not None:
                held = {name for name, value in row.items() if value is not None and value != []}
                self.to_tell.setdefault(subject, set()).update(held - bookkeeping)
        try:
            await self.store.database.collection(record_type).insert_many(rows, session=self.session)
        except BulkWriteError as error:
            if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
                raise
            raise RegistrarError(ErrorCode.DUPLICATE, others=record_type.subject_type) from None
        self.written.update(inserted)
        self.heads |= dict.fromkeys(inserted)

    async def load(self, record_type: type[AnyRecord], key: ObjectId) -> AnyRecord | None:
        """The whole record as of this transaction, decrypted.

        The head of its audit chain comes in the same answer, since whoever loads a record is about to change it.
        """
        subject = Subject(record_type.subject_type, key)
        head = {"from": HEADS, "pipeline": [{"$match": {"_id": head_id(subject)}}], "as": "audit_head"}
        steps: list[Row] = [{"$match": {"_id": key}}, {"$lookup": head}]
        collection = self.store.database.collection(record_type)
        cursor = await collection.aggregate(steps, session=self.session)
        for row in await cursor.to_list():
            heads = row.pop("audit_head")
            self.heads[subject] = heads[0] if heads else None
            return await self.decrypted(record_type, row)
        return None

    async def decrypted(self, record_type: type[AnyRecord], row: Row) -> AnyRecord:
        await self.store.cipher.decrypt_paths([row], encrypted_paths(record_type))
        record: AnyRecord = record_type.model_validate(row)
        return record

    async def change(self, record: Record, changes: Mapping[str, Any]) -> None:
        """Set top-level fields of a record read in this transaction, if its revision still stands."""
        record_type = type(record)
        values = self._values(record, changes)
        await self.store.cipher.encrypt_paths([values], encrypted_paths(record_type))
        try:
            result = await self.store.database.collection(record_type).update_one(
                _as_read(record), self._set(record, values), session=self.session
            )
        except DuplicateKeyError:
            raise RegistrarError(ErrorCode.DUPLICATE, others=record_type.subject_type) from None
        if result.matched_count != 1:
            raise RevisionConflictError(f"{record_type.subject_type} {record.key}")
        self.written.add(Subject(record_type.subject_type, record.key))

    async def change_told(self, record: Record, values: Mapping[str, Any], kind: str) -> Subject:
        """As `change`, with what each of these fields was and is in the record's history."""
        before = record.to_bson()
        await self.change(record, values)
        changes = [FieldChange(name, before[name], bson_value(value)) for name, value in values.items()]
        subject = Subject(record.subject_type, record.key)
        self.audit(subject, kind, changes, touched=frozenset(values))
        return subject

    async def change_many(self, changed: Sequence[tuple[Record, Mapping[str, Any]]]) -> None:
        """As `change`, of records of one type, in one write."""
        if not changed:
            return
        record_type = type(changed[0][0])
        rows = [self._values(record, changes) for record, changes in changed]
        await self.store.cipher.encrypt_paths(rows, encrypted_paths(record_type))
        updates = [
            UpdateOne(_as_read(record), self._set(record, values))
            for (record, _), values in zip(changed, rows, strict=True)
        ]
        try:
            result = await self.store.database.collection(record_type).bulk_write(
                updates, session=self.session
            )
        except BulkWriteError as error:
            if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
                raise
            raise RegistrarError(ErrorCode.DUPLICATE, others=record_type.subject_type) from None
        if result.matched_count != len(updates):
            raise RevisionConflictError(f"{record_type.subject_type}, one of {len(updates)}")
        self.written |= {Subject(record_type.subject_type, record.key) for record, _ in changed}

    def _values(self, record: Record, changes: Mapping[str, Any]) -> Row:
        """What is set, not yet encrypted; what its history must tell of it is noted."""
        values: Row = {name: bson_value(value) for name, value in changes.items()}
        if unknown := values.keys() - type(record).model_fields.keys():
            raise KeyError(f"{type(record).__name__} has no {sorted(unknown)}")
        self._must_tell(record, {n for n, v in values.items() if bson_value(getattr(record, n)) != v})
        return values

    def _set(self, record: Record, values: Row) -> Row:
        return {"$set": values | {"updated_at": self.at, "revision": record.revision + 1}}

    async def remove(self, *records: Record) -> None:
        """Remove records of one type that were read in this transaction, if their revisions still stand.

        An entry of a kind of REMOVALS must tell all that each of them held: the history stays whole, and ends there.
        """
        if not records:
            return
        record_type = type(records[0])
        for record in records:
            self._must_tell(record, {n for n, value in record.to_bson().items() if value not in (None, [])})
            self.removed.add(Subject(record_type.subject_type, record.key))
        self.written |= self.removed
        gone = [DeleteOne({"_id": record.key, "revision": record.revision}) for record in records]
        collection = self.store.database.collection(record_type)
        result = await collection.bulk_write(gone, session=self.session)
        if result.deleted_count != len(records):
            raise RevisionConflictError(f"{record_type.subject_type}: a record was changed")

    def _must_tell(self, record: Record, fields: set[str]) -> None:
        if record.bookkeeping is not None:
            subject = Subject(record.subject_type, record.key)
            self.to_tell.setdefault(subject, set()).update(fields - record.bookkeeping)

    async def serialise(self, *names: str) -> None:
        """Make transactions of one of the same names collide, where a rule spans records that none of them changes."""
        marks = [UpdateOne({"_id": name}, {"$inc": {"count": 1}}, upsert=True) for name in sorted(names)]
        await self.store.database.mongo["serialised"].bulk_write(marks, session=self.session)

    def audit(
        self,
        subject: Subject,
        kind: str,
        changes: Sequence[FieldChange] = (),
        note: str | None = None,
        touched: frozenset[str] = frozenset(),
        effective_from: date | None = None,
        reading: Mapping[str, Any] | None = None,
        tells_reason: bool = True,
    ) -> None:
        told = (
            note,
            self.reason if tells_reason else None,
            self.change_request,
            touched,
            effective_from,
            reading,
        )
        event = AuditEvent(subject, kind, tuple(changes), *told)
        self.events.append(event)

    def notify(self, recipient: ObjectId | Post, kind: str, subject: Subject) -> None:
        self.notices.append(Notice(recipient, kind, subject))
