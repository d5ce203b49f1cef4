"""Audit entries, chain heads, the log and notifications as stored.

These are not `Record`s: entries are never changed, and they are written only by `governed_transaction`.
"""

from __future__ import annotations

from pymongo import IndexModel

from archive_store.foundation.unit_of_work import HEADS

__all__ = [
    "CHECKPOINTS",
    "ENTRIES",
    "HEADS",
    "INDEXES",
    "LOG",
    "NOTIFICATIONS",
    "TILES",
    "WITNESSES",
]

ENTRIES = "audit_entries"
NOTIFICATIONS = "notifications"
# The log of FORMAT.md: its size, the tiles of its tree, and what was signed.
LOG = "audit_log"
TILES = "audit_tiles"
CHECKPOINTS = "audit_checkpoints"
WITNESSES = "audit_witnesses"

INDEXES: dict[str, list[IndexModel]] = {
    ENTRIES: [
        IndexModel([("subject_type", 1), ("subject_id", 1), ("sequence", 1)], unique=True),
        # One for each condition of a search (`oversight/`), in its order; several conditions filter what one finds.
        IndexModel([("at", -1), ("_id", -1)]),
        IndexModel([("actor_id", 1), ("at", -1), ("_id", -1)]),
        IndexModel([("subject_type", 1), ("at", -1), ("_id", -1)]),
        IndexModel([("operation", 1), ("at", -1), ("_id", -1)]),
        IndexModel([("kind", 1), ("at", -1), ("_id", -1)]),
        # Entries of one key stand in it in the order in which they were inserted.
        IndexModel("log_index", name="unsequenced", partialFilterExpression={"log_index": None}),
        IndexModel(
            "log_index",
            name="one_place_in_the_log",
            unique=True,
            partialFilterExpression={"log_index": {"$type": "number"}},
        ),
    ],
    NOTIFICATIONS: [
        IndexModel([("recipient_person", 1), ("_id", -1)]),
        IndexModel([("recipient_post", 1), ("_id", -1)]),
    ],
}
