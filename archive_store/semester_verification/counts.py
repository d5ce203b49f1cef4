"""How far a campaign is, by class: told from the roll alone, by one index."""

from __future__ import annotations

from collections.abc import Sequence
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


def _sums() -> Row:
    return {
        state.value.lower(): {"$sum": {"$cond": [{"$eq": ["$state", state.value]}, 1, 0]}}
        for state in ItemState
    }


async def left_of(store: Store, campaign_id: ObjectId, session: AsyncClientSession | None = None) -> Progress:
    """All classes of the campaign as one."""
    return await total_of(store, {"campaign_id": campaign_id}, session)


async def total_of(store: Store, query: Row, session: AsyncClientSession | None = None) -> Progress:
    steps: list[Row] = [{"$match": query}, {"$group": {"_id": None, **_sums()}}, {"$unset": "_id"}]
    cursor = await store.database.mongo[ROLL].aggregate(steps, session=session)
    for row in await cursor.to_list():
        return Progress(None, **row)
    return Progress(None)


async def by_class(store: Store, query: Row, *, limit: int) -> Sequence[Progress]:
    """By class in order of its name, `limit` at most."""
    steps: list[Row] = [
        {"$match": query},
        {"$group": {"_id": "$class_name", **_sums()}},
        {"$sort": {"_id": 1}},
        {"$limit": limit},
    ]
    cursor = await store.database.mongo[ROLL].aggregate(steps)
    return [Progress(row.pop("_id"), **row) for row in await cursor.to_list()]
