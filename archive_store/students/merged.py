"""What counts for a record beside its own: that of the records that were merged into it (合并)."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.foundation.store import Store
from archive_store.students.documents import Student


async def owners_of_merged(
    store: Store, session: AsyncClientSession | None, student_ids: Sequence[ObjectId]
) -> dict[ObjectId, set[ObjectId]]:
    """Each of these records, and each that went into one of them, to those of these that it counts for."""
    owners: dict[ObjectId, set[ObjectId]] = {key: {key} for key in student_ids}
    new = set(owners)
    while new:
        query = {"merged_into": {"$in": sorted(new), "$type": "objectId"}}
        merged = store.database.collection(Student).find(query, {"merged_into": 1}, session=session)
        rows = await merged.to_list()
        new = set()
        for row in rows:
            held = owners.setdefault(row["_id"], set())
            if not owners[row["merged_into"]] <= held:
                held |= owners[row["merged_into"]]
                new.add(row["_id"])
    return owners
