"""Verification of all chains: rereads everything, trusts nothing stored but the key in the keyring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit.chain import FIRST_PREVIOUS_HASH, entry_hash, head_seal
from archive_store.audit.documents import ENTRIES, HEADS
from archive_store.audit.entries import is_well_typed
from archive_store.audit.findings import Finding, Flaw, finding_over
from archive_store.audit.log import ForgedLogError
from archive_store.audit.log_verification import LOG, verify_log
from archive_store.audit.reading_verification import changed_readings
from archive_store.audit.remembered import Signed, recall
from archive_store.foundation.database import Row
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import REMOVALS


@dataclass
class VerificationReport:
    """`sound` when nothing was found. `waiting` entries have no place in the log yet."""

    subjects: int = 0
    entries: int = 0
    waiting: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.findings


def verify_chain(
    key: bytes, subject: str, entries: Sequence[Row], head: Row | None, hash_name: str
) -> Iterable[Finding]:
    """Check one subject's entries, in the order of their sequence numbers, against its head."""
    expected = 1
    # None after a flawed entry: what follows one cannot be held against it.
    previous: bytes | None = FIRST_PREVIOUS_HASH
    for entry in entries:
        sequence = _number(entry.get("sequence"))
        if sequence is None:
            yield Finding(subject, 0, Flaw.CHANGED)
            continue
        if sequence > expected:
            yield finding_over(subject, Flaw.MISSING, expected, sequence - 1)
            previous = None
        is_linked = previous is None or entry.get("previous_hash") == previous
        previous = None
        if not _is_whole(entry):
            yield Finding(subject, sequence, Flaw.CHANGED)
        elif entry_hash(key, entry, hash_name) != entry["hash"]:
            moved = any(
                _fits_elsewhere(key, entry, other, hash_name) for other in entries if other is not entry
            )
            yield Finding(subject, sequence, Flaw.REORDERED if moved else Flaw.CHANGED)
        elif not is_linked:
            yield Finding(subject, sequence, Flaw.CHANGED)
        else:
            previous = entry["hash"]
        expected = sequence + 1
    yield from _verify_head(key, subject, expected - 1, previous, head, hash_name)


def _verify_head(
    key: bytes, subject: str, last: int, last_hash: bytes | None, head: Row | None, hash_name: str
) -> Iterable[Finding]:
    sealed = None if head is None else _number(head.get("sequence"))
    if head is None or sealed is None or not _is_hash(head.get("hash")):
        yield Finding(subject, last if sealed is None else sealed, Flaw.FORGED_HEAD)
    elif head_seal(key, subject, sealed, head["hash"], hash_name) != head.get("seal"):
        yield Finding(subject, sealed, Flaw.FORGED_HEAD)
    elif sealed > last:
        yield finding_over(subject, Flaw.TRUNCATED, last + 1, sealed)
    elif sealed < last:
        yield finding_over(subject, Flaw.ADDED, sealed + 1, last)
    elif last_hash is not None and head["hash"] != last_hash:
        yield Finding(subject, last, Flaw.CHANGED)


def _number(value: Any) -> int | None:
    """A sequence number as it must be stored, else None."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return int(value) if is_number else None


def _is_hash(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == len(FIRST_PREVIOUS_HASH)


def _is_whole(entry: Row) -> bool:
    """Whether the entry has what links it, and each field its type."""
    return _is_hash(entry.get("hash")) and _is_hash(entry.get("previous_hash")) and is_well_typed(entry)


def _fits_elsewhere(key: bytes, entry: Row, other: Row, hash_name: str) -> bool:
    """Whether the entry is genuine at the place where another now stands."""
    if _number(other.get("sequence")) is None or not _is_whole(other):
        return False
    place = {"sequence": other["sequence"], "previous_hash": other["previous_hash"]}
    links = ({**entry, "sequence": other["sequence"]}, {**entry, **place})
    return any(entry_hash(key, link, hash_name) in (entry["hash"], other["hash"]) for link in links)


def _subject_of(entry: Row) -> tuple[Any, Any]:
    return entry.get("subject_type"), entry.get("subject_id")


async def verify_history(store: Store, record_types: Sequence[type[Record]]) -> VerificationReport:
    """Verify every chain, that every record of the types has one, that every chain has its record, and the log.

    Access events are also held against their entries.
    """
    signed, faults = None, []
    try:
        signed = await recall(store)
    except ForgedLogError:
        faults.append(Finding(LOG, 0, Flaw.FORGED_LOG))
    # One snapshot, so that entries written meanwhile are not taken for flaws.
    async with store.database.client.start_session(snapshot=True) as session:
        report = await _verify_history(store, record_types, signed, session)
    report.findings += faults
    report.findings += await changed_readings(store)
    report.findings.sort(key=lambda finding: (finding.subject, finding.sequence))
    return report


async def _verify_history(
    store: Store, record_types: Sequence[type[Record]], signed: Signed | None, session: AsyncClientSession
) -> VerificationReport:
    key, hash_name = store.keyring.audit, store.settings.audit_hash
    report = VerificationReport()
    stored_entries = store.database.whatever_is_stored(ENTRIES)
    heads: dict[str, Row] = {}
    async for head, is_plain in store.database.stored_rows(HEADS, session):
        heads[str(head["_id"])] = head
        if not is_plain:
            report.findings.append(Finding(str(head["_id"]), 0, Flaw.DOUBLE_FIELD))
    seen: set[str] = set()
    removed: set[str] = set()
    pending: list[Row] = []

    def close_chain() -> None:
        if pending:
            subject = "{}:{}".format(*_subject_of(pending[0]))
            seen.add(subject)
            if pending[-1].get("kind") in REMOVALS:
                removed.add(subject)
            report.subjects += 1
            report.findings.extend(verify_chain(key, subject, pending, heads.get(subject), hash_name))
            pending.clear()

    order: list[tuple[str, Any]] = [("subject_type", 1), ("subject_id", 1), ("sequence", 1)]
    async for entry, is_plain in store.database.stored_rows(ENTRIES, session, sort=order):
        if not is_plain:
            subject = "{}:{}".format(*_subject_of(entry))
            report.findings.append(Finding(subject, _number(entry.get("sequence")) or 0, Flaw.DOUBLE_FIELD))
        if pending and _subject_of(entry) != _subject_of(pending[0]):
            close_chain()
        pending.append(entry)
        report.entries += 1
        report.waiting += entry.get("log_index") is None
    close_chain()
    for subject in heads.keys() - seen:
        report.findings.extend(verify_chain(key, subject, [], heads[subject], hash_name))
    for record_type in record_types:
        prefix = f"{record_type.subject_type}:"
        without_record = {subject for subject in heads.keys() | seen if subject.startswith(prefix)}
        name = store.database.collection(record_type).name
        async for row, is_plain in store.database.stored_rows(name, session):
            subject = f"{prefix}{row['_id']}"
            if not is_plain:
                report.findings.append(Finding(subject, 0, Flaw.DOUBLE_FIELD))
            without_record.discard(subject)
            if subject in removed:
                report.findings.append(Finding(subject, 0, Flaw.UNLIKE_RECORD))
            if subject not in heads and subject not in seen:
                report.findings.append(Finding(subject, 0, Flaw.NO_HISTORY))
        # No operation deletes without an entry that tells what was there.
        report.findings += [Finding(subject, 0, Flaw.NO_RECORD) for subject in without_record - removed]
    report.findings += [finding async for finding in verify_log(store, stored_entries, signed, session)]
    return report
