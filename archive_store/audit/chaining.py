"""Entries from events: sealed, and each chained to the one before it of its subject. Slow for many: for a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bson import ObjectId

from archive_store.audit.chain import FIRST_PREVIOUS_HASH, entry_hash
from archive_store.foundation.database import Row
from archive_store.foundation.unit_of_work import AuditEvent, Subject, UnitOfWork


class ChainEnd(NamedTuple):
    """The last entry of a chain; `sequence` is 0 of one that has none."""

    sequence: int
    hash: bytes


NO_ENTRY = ChainEnd(0, FIRST_PREVIOUS_HASH)


@dataclass(slots=True)
class Chained:
    """Entries to be inserted, and where they leave the chains of their subjects."""

    entries: list[Row] = field(default_factory=list)
    ends: dict[Subject, ChainEnd] = field(default_factory=dict)


def chained(unit: UnitOfWork, events: Sequence[AuditEvent], ends: Mapping[Subject, ChainEnd]) -> Chained:
    """The entries of these events in their order; `ends` are the chains that have begun."""
    store = unit.store
    key, hash_name = store.keyring.audit, store.settings.audit_hash
    posts = list(unit.actor.posts)
    made = Chained()
    contents = store.cipher.seal_many([_content(event) for event in events])
    for event, content in zip(events, contents, strict=True):
        subject = event.subject
        before = made.ends.get(subject) or ends.get(subject, NO_ENTRY)
        entry: Row = {
            "_id": ObjectId(),
            "subject_type": subject.type,
            "subject_id": subject.id,
            "sequence": before.sequence + 1,
            "at": unit.at,
            "actor_id": unit.actor.person_id,
            "actor_name": unit.actor.name,
            "actor_posts": posts,
            "operation": unit.operation,
            "kind": event.kind,
            "sealed": content,
            "previous_hash": before.hash,
        }
        entry["hash"] = entry_hash(key, entry, hash_name)
        entry["log_index"] = None  # the sequencer gives it
        made.entries.append(entry)
        made.ends[subject] = ChainEnd(entry["sequence"], entry["hash"])
    return made


def _content(event: AuditEvent) -> Row:
    content: dict[str, Any] = {
        "changes": [
            {"field": field, "before": before, "after": after} for field, before, after in event.changes
        ],
        "touched": sorted(event.touched),
        "reason": event.reason,
        "note": event.note,
        "change_request": event.change_request,
        "effective_from": event.effective_from.isoformat() if event.effective_from else None,
    }
    return content if event.reading is None else content | {"reading": event.reading}
