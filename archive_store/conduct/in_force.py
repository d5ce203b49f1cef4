"""Which sanctions count against students now, for the checks of other rooms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.conduct.documents import Sanction, SanctionKind, SanctionStatus
from archive_store.foundation.store import Store
from archive_store.students.merged import owners_of_merged


@dataclass(frozen=True, slots=True)
class SanctionInForce:
    """A sanction that counts against its student; before `ends_on` it is not removed, None of an expulsion."""

    id: ObjectId
    kind: SanctionKind
    ends_on: date | None


async def sanctions_in_force(
    store: Store, session: AsyncClientSession | None, student_ids: Sequence[ObjectId]
) -> dict[ObjectId, list[SanctionInForce]]:
    """The sanctions in force of each of these students, oldest first; nothing of those without one.

    Those of a record that was merged into another one (合并) count against that one too. Whatever a viewer may read: a
    refusal that rests on it must not tell which one it was.
    """
    owners = await owners_of_merged(store, session, student_ids)
    query = {"student_id": {"$in": sorted(owners)}, "status": SanctionStatus.IN_FORCE.value}
    wanted = {"student_id": 1, "kind": 1, "ends_on": 1}
    rows = store.database.collection(Sanction).find(query, wanted, session=session).sort("_id", 1)
    found: defaultdict[ObjectId, list[SanctionInForce]] = defaultdict(list)
    for row in await rows.to_list():
        ends_on = row.get("ends_on")
        day = None if ends_on is None else date.fromisoformat(ends_on)
        held = SanctionInForce(row["_id"], SanctionKind(row["kind"]), day)
        for key in owners[row["student_id"]]:
            found[key].append(held)
    return dict(found)
