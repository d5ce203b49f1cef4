"""Leases: one holder of a name at a time among all processes, for work that must not run twice at once.

A lease is a document `{_id: name, holder, until, term}`, not a record: nothing of a student is in it. Each step is one
compare-and-set by the time of the MongoDB server (`$$NOW`), so the clocks of processes do not matter, and is answered
by a majority, so no failover forgets it. A holder measures how long it still holds from before it asked, by its own
running clock, and so gives up before the server gives the lease to another.

A process that the machine halts in the middle of its work cannot notice before it wakes. `term` grows by each
acquisition, so that a receiver can refuse a late holder; our own transactions need no more than the revision of the
record that they change, which the next holder has changed by then.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import pymongo
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

from archive_store.foundation.database import Database, Row

LEASES = "leases"
_ANSWER_WITHIN_SECONDS = 5.0
# Linux's monotonic clock stands still while the machine sleeps; this one does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class LeaseLostError(Exception):
    """The lease ran out or has another holder: whatever it was held for must stop."""


def _running_seconds() -> float:
    return time.clock_gettime(_CLOCK)


class Lease:
    """One wish to hold the lease `name`. Two objects never hold it at once, in one process or in two."""

    def __init__(self, database: Database, name: str, *, seconds: float = 30.0) -> None:
        self._leases = database.mongo[LEASES].with_options(write_concern=WriteConcern("majority"))
        self.name = name
        self.seconds = seconds
        self.term = 0  # the fencing number of the last acquisition
        self._holder = uuid.uuid4().hex
        self._held_until = 0.0

    @property
    def seconds_left(self) -> float:
        """How long it is held for certain; 0 when it is not."""
        return max(0.0, self._held_until - _running_seconds())

    @property
    def is_held(self) -> bool:
        return self.seconds_left > 0

    async def acquire(self) -> bool:
        """Take the lease if it is free or has run out; whether it is held now."""
        if self.is_held:
            return True
        holder = uuid.uuid4().hex  # a new one each time: what an earlier call left behind is not ours
        asked = _running_seconds()
        is_free: Row = {"$lte": [{"$ifNull": ["$until", 0]}, "$$NOW"]}
        taken: Row = {
            "holder": holder,
            "until": self._end(),
            "term": {"$add": [{"$ifNull": ["$term", 0]}, 1]},
        }
        fields = {name: {"$cond": [is_free, value, f"${name}"]} for name, value in taken.items()}
        try:
            with pymongo.timeout(_ANSWER_WITHIN_SECONDS):
                row = await self._leases.find_one_and_update(  # house-rule: a lease is no record
                    {"_id": self.name},
                    [{"$set": fields}],
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
        except DuplicateKeyError:  # another made the document meanwhile
            return False
        if row is None or row["holder"] != holder:
            return False
        self._holder, self.term, self._held_until = holder, row["term"], asked + self.seconds
        return self.is_held

    async def renew(self) -> None:
        """Hold on for `seconds` from now. LeaseLostError once it ran out, even if nobody has taken it since."""
        asked = _running_seconds()
        if not self.is_held or not await self._set_until(self._end()):
            self._held_until = 0.0
            raise LeaseLostError(self.name)
        self._held_until = asked + self.seconds
        if not self.is_held:
            raise LeaseLostError(self.name)

    async def release(self) -> None:
        """Let go at once, so that the next holder need not wait; nothing where it is not held."""
        if not self.is_held:
            return
        self._held_until = 0.0
        await self._set_until("$$NOW")

    def _end(self) -> Row:
        return {"$add": ["$$NOW", round(self.seconds * 1000)]}

    async def _set_until(self, until: Any) -> bool:
        """Whether this was still the holder."""
        held = {"_id": self.name, "holder": self._holder, "$expr": {"$gt": ["$until", "$$NOW"]}}
        with pymongo.timeout(_ANSWER_WITHIN_SECONDS):
            done = await self._leases.update_one(held, [{"$set": {"until": until}}])  # house-rule: a lease
        return done.matched_count == 1
