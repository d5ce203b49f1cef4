"""Verification of all chains: rereads everything, trusts nothing stored but the key in the keyring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit.chain import FIRST_PREVIOUS_HASH, entry_hash, head_seal
from archive_store.audit.documents import ENTRIES, HEADS
from archive_store.foundation.database import Row
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store


class Flaw(StrEnum):
    """What can be wrong with a history; FORMAT.md describes each."""

    CHANGED = "changed"
    REORDERED = "reordered"
    MISSING = "missing"
    ADDED = "added"
    TRUNCATED = "truncated"
    FORGED_HEAD = "forged_head"
    NO_HISTORY = "no_history"
    NO_RECORD = "no_record"


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw: the subject as `type:id` and the sequence number where it shows."""

    subject: str
    sequence: int
    flaw: Flaw


@dataclass
class VerificationReport:
    """`sound` when nothing was found."""

    subjects: int = 0
    entries: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.findings


def verify_chain(key: bytes, subject: str, entries: Sequence[Row], head: Row | None) -> Iterable[Finding]:
    """Check one subject's entries, in the order of their sequence numbers, against its head."""
    expected, previous = 1, FIRST_PREVIOUS_HASH
    for entry in entries:
        sequence = entry["sequence"]
        for gap in range(expected, sequence):
            yield Finding(subject, gap, Flaw.MISSING)
        if entry_hash(key, entry) != entry["hash"]:
            moved = any(_fits_elsewhere(key, entry, other) for other in entries if other is not entry)
            yield Finding(subject, sequence, Flaw.REORDERED if moved else Flaw.CHANGED)
        elif sequence == expected and entry["previous_hash"] != previous:
            yield Finding(subject, sequence, Flaw.CHANGED)
        expected, previous = sequence + 1, entry["hash"]
    last = expected - 1
    if head is None:
        yield Finding(subject, last, Flaw.FORGED_HEAD)
    elif head_seal(key, subject, head["sequence"], head["hash"]) != head["seal"]:
        yield Finding(subject, head["sequence"], Flaw.FORGED_HEAD)
    elif head["sequence"] > last:
        for sequence in range(last + 1, head["sequence"] + 1):
            yield Finding(subject, sequence, Flaw.TRUNCATED)
    elif head["sequence"] < last:
        for sequence in range(head["sequence"] + 1, last + 1):
            yield Finding(subject, sequence, Flaw.ADDED)
    elif head["hash"] != previous:
        yield Finding(subject, last, Flaw.CHANGED)


def _fits_elsewhere(key: bytes, entry: Row, other: Row) -> bool:
    """Whether the entry is genuine at the place where another now stands."""
    place = {"sequence": other["sequence"], "previous_hash": other["previous_hash"]}
    links = ({**entry, "sequence": other["sequence"]}, {**entry, **place})
    return any(entry_hash(key, link) in (entry["hash"], other["hash"]) for link in links)


async def verify_history(store: Store, record_types: Sequence[type[Record]]) -> VerificationReport:
    """Verify every chain, that every record of the types has one, and that every chain has its record."""
    # One snapshot, so that entries written meanwhile are not taken for flaws.
    async with store.database.client.start_session(snapshot=True) as session:
        return await _verify_history(store, record_types, session)


async def _verify_history(
    store: Store, record_types: Sequence[type[Record]], session: AsyncClientSession
) -> VerificationReport:
    database, key = store.database.mongo, store.keyring.audit
    report = VerificationReport()
    heads: dict[str, Row] = {head["_id"]: head async for head in database[HEADS].find(session=session)}
    seen: set[str] = set()
    pending: list[Row] = []

    def close_chain() -> None:
        if pending:
            subject = f"{pending[0]['subject_type']}:{pending[0]['subject_id']}"
            seen.add(subject)
            report.subjects += 1
            report.findings.extend(verify_chain(key, subject, pending, heads.get(subject)))
            pending.clear()

    order: list[tuple[str, Any]] = [("subject_type", 1), ("subject_id", 1), ("sequence", 1)]
    async for entry in database[ENTRIES].find(session=session).sort(order):
        if pending and (entry["subject_type"], entry["subject_id"]) != (
            pending[0]["subject_type"],
            pending[0]["subject_id"],
        ):
            close_chain()
        pending.append(entry)
        report.entries += 1
    close_chain()
    for subject in heads.keys() - seen:
        report.findings.extend(verify_chain(key, subject, [], heads[subject]))
    for record_type in record_types:
        prefix = f"{record_type.subject_type}:"
        without_record = {subject for subject in heads.keys() | seen if subject.startswith(prefix)}
        async for row in store.database.collection(record_type).find({}, {"_id": 1}, session=session):
            subject = f"{prefix}{row['_id']}"
            without_record.discard(subject)
            if subject not in heads and subject not in seen:
                report.findings.append(Finding(subject, 0, Flaw.NO_HISTORY))
        # Nothing is ever deleted by an operation.
        report.findings += [Finding(subject, 0, Flaw.NO_RECORD) for subject in without_record]
    report.findings.sort(key=lambda finding: (finding.subject, finding.sequence))
    return report
