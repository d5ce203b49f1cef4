"""Audit entries, chain heads and notifications as stored.

These are not `Record`s: entries are never changed, and they are written only by `governed_transaction`.
"""

from __future__ import annotations

from archive_store.foundation.unit_of_work import HEADS

__all__ = ["ENTRIES", "HEADS", "INDEXES", "NOTIFICATIONS"]

ENTRIES = "audit_entries"
NOTIFICATIONS = "notifications"

INDEXES: dict[str, list[tuple[list[tuple[str, int]], bool]]] = {
    ENTRIES: [
        ([("subject_type", 1), ("subject_id", 1), ("sequence", 1)], True),
        ([("actor_id", 1), ("at", -1)], False),
    ],
    NOTIFICATIONS: [
        ([("recipient_person", 1), ("_id", -1)], False),
        ([("recipient_post", 1), ("_id", -1)], False),
    ],
}
