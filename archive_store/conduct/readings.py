"""The sanctions and appeals of students by key, for telling who read what was written about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.conduct.documents import Appeal, Sanction
from archive_store.conduct.queries import LEAST, decisions_on
from archive_store.foundation.store import Store

# The types of which readings are told with the student's, and how their leaves are spelt there.
TOLD_AS: Mapping[str, str] = {Sanction.subject_type: "sanctions", Appeal.subject_type: "sanctions.appeal"}


async def conduct_keys(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, frozenset[ObjectId]]:
    """By student, those that the viewer may know of; nothing of students without one."""
    found: defaultdict[ObjectId, set[ObjectId]] = defaultdict(set)
    for record_type in (Sanction, Appeal):
        decisions = await decisions_on(store, viewer, record_type, student_ids)
        known = [key for key, held in decisions.items() if LEAST[record_type] in held.classes]
        query = {"student_id": {"$in": known}}
        async for row in store.database.collection(record_type).find(query, {"student_id": 1}):
            found[row["student_id"]].add(row["_id"])
    return {key: frozenset(held) for key, held in found.items()}
