"""Reading the entries that tell of readings (查阅记录): found by the index of access events, told by the entries.

What an entry of ours does not say is not told: an event that was altered in the database, or whose entry was, can
hide a reading here, never show another. Verification finds both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from archive_store.access.retrieval_grants import AccessEvent
from archive_store.audit.documents import ENTRIES
from archive_store.audit.entries import is_genuine, log_index_of, open_entries
from archive_store.foundation.database import Row
from archive_store.foundation.paging import Page
from archive_store.foundation.store import Store


@dataclass(frozen=True, slots=True)
class ReadingEntry:
    """One reading as its audit entry tells of it; `content` in the shape of `reading_content`.

    `log_index` is the entry's place in the log, None until it has one.
    """

    id: ObjectId
    event_id: ObjectId
    sequence: int
    hash: bytes
    log_index: int | None
    at: datetime
    actor_id: ObjectId | None
    actor_name: str
    actor_posts: tuple[str, ...]
    content: Mapping[str, Any]

    def groups_of(self, subject_ids: Collection[ObjectId]) -> list[Mapping[str, Any]]:
        """The groups of `content` in which a value of one of these was read."""
        return [
            group for group in self.content["groups"] if not set(group["subject_ids"]).isdisjoint(subject_ids)
        ]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Readings of one of the subjects, those before the event `after`, without those of one viewer."""

    subject_ids: frozenset[ObjectId]
    after: ObjectId | None = None
    without_viewer: ObjectId | None = None


async def newest_readings(store: Store, wanted: Sequence[Wanted], *, first: int) -> list[Page[ReadingEntry]]:
    """A page for each, newest first, in the order wanted: two queries, however many there are.

    More only where events say what their entries do not.
    """
    found: list[list[ReadingEntry]] = [[] for _ in wanted]
    pending = {place: one for place, one in enumerate(wanted) if one.subject_ids}
    while pending:
        keys = await _event_keys(store, pending, first + 1)
        entries = await _entries(store, {key for held in keys.values() for key in held})
        for place, one in list(pending.items()):
            held = keys.get(place, [])
            told = (entries[key] for key in held if key in entries)
            found[place] += [entry for entry in told if entry.groups_of(one.subject_ids)]
            if len(found[place]) > first or len(held) <= first:
                del pending[place]
            else:
                pending[place] = Wanted(one.subject_ids, held[-1], one.without_viewer)
    return [Page(rows[:first], len(rows) > first) for rows in found]


def newest_events(one: Wanted, limit: int) -> list[Row]:
    """The steps that find the newest events of one; the index of events by subject gives them in order."""
    query: Row = {"groups.subject_ids": {"$in": sorted(one.subject_ids)}}
    if one.after is not None:
        query["_id"] = {"$lt": one.after}
    if one.without_viewer is not None:
        query["viewer_id"] = {"$ne": one.without_viewer}
    return [{"$match": query}, {"$sort": {"_id": -1}}, {"$limit": limit}]


async def _event_keys(store: Store, wanted: Mapping[int, Wanted], limit: int) -> dict[int, list[ObjectId]]:
    """For each, by its place. Apart from each other, since together the events of all would have to be sorted."""
    events = store.database.collection(AccessEvent)
    steps: list[Row] = []
    for place, one in wanted.items():
        own = [*newest_events(one, limit), {"$project": {"place": {"$literal": place}}}]
        steps += [{"$unionWith": {"coll": events.name, "pipeline": own}}] if steps else own
    found: dict[int, list[ObjectId]] = {}
    for row in await (await events.aggregate(steps)).to_list():
        found.setdefault(row["place"], []).append(row["_id"])
    return {place: sorted(keys, reverse=True) for place, keys in found.items()}


async def _entries(store: Store, event_ids: Collection[ObjectId]) -> dict[ObjectId, ReadingEntry]:
    """The genuine entries among those of the events, by event."""
    query = {
        "subject_type": AccessEvent.subject_type,
        "subject_id": {"$in": sorted(event_ids)},
        "sequence": 1,
    }
    rows = await store.database.mongo[ENTRIES].find(query).to_list()
    genuine = [row for row in rows if is_genuine(store, row)]
    await open_entries(store, genuine)
    return {
        row["subject_id"]: ReadingEntry(
            id=row["_id"],
            event_id=row["subject_id"],
            sequence=row["sequence"],
            hash=bytes(row["hash"]),
            log_index=log_index_of(row),
            at=row["at"],
            actor_id=row["actor_id"],
            actor_name=row["actor_name"],
            actor_posts=tuple(row["actor_posts"]),
            content=row["sealed"]["reading"],
        )
        for row in genuine
        if row["sealed"].get("reading") is not None
    }
