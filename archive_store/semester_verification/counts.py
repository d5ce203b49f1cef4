"""How far a campaign is, by class: told from the roll alone, by one index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.semester_verification.documents import ROLL, ItemState


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one class, or with `class_name` None of all that were counted."""

    class_name: str | None
    verified: int = 0
    mismatch: int = 0
    resolved: int = 0
    pending: int = 0

    @property
    def total(self) -> int:
        return self.verified + self.mismatch + self.resolved + self.pending


async def left_of(store: Store, campaign_id: ObjectId, session: AsyncClientSession | None = None) -> Progress:
    """All classes of the campaign as one."""
    return await total_of(store, {"campaign_id": campaign_id}, session)


async def total_of(store: Store, query: Row, session: AsyncClientSession | None = None) -> Progress:
    steps: list[Row] = [{"$match": query}, {"$group": {"_id": "$state", "count": {"$sum": 1}}}]
    cursor = await store.database.mongo[ROLL].aggregate(steps, session=session)
    return _progress(None, {row["_id"]: row["count"] for row in await cursor.to_list()})


async def by_class(store: Store, query: Row, *, limit: int) -> Sequence[Progress]:
    """By class in order of its name, `limit` at most."""
    steps: list[Row] = [
        {"$match": query},
        {"$group": {"_id": {"class": "$class_name", "state": "$state"}, "count": {"$sum": 1}}},
        {"$group": {"_id": "$_id.class", "counts": {"$push": {"k": "$_id.state", "v": "$count"}}}},
        {"$sort": {"_id": 1}},
        {"$limit": limit},
        {"$project": {"counts": {"$arrayToObject": "$counts"}}},
    ]
    cursor = await store.database.mongo[ROLL].aggregate(steps)
    return [_progress(row["_id"], row["counts"]) for row in await cursor.to_list()]


def _progress(class_name: str | None, counts: Mapping[str, int]) -> Progress:
    return Progress(class_name, **{state.value.lower(): counts.get(state, 0) for state in ItemState})
