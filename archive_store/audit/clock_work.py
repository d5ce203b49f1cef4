"""What the clock does to records whose time has come: each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bson import ObjectId

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.database import Row
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK, UnitOfWork

Due = TypeVar("Due", bound=Record)
_AT_ONCE = 200


async def change_each(
    store: Store,
    operation: str,
    record_type: type[Due],
    query: Row,
    change: Callable[[UnitOfWork, Due], Awaitable[object]],
) -> int:
    """Change the records of the query, the oldest first, each that is still one of them then; how many of up to 200.

    One that somebody changes at that moment is left to the next run, as are those beyond.
    """
    collection, done = store.database.collection(record_type), 0
    for row in await collection.find(query, {"_id": 1}).sort("_id", 1).limit(_AT_ONCE).to_list():

        async def work(unit: UnitOfWork, key: ObjectId = row["_id"]) -> bool:
            found = await collection.find_one({"$and": [{"_id": key}, query]}, session=unit.session)
            if found is None:
                return False
            await change(unit, await unit.decrypted(record_type, found))
            return True

        try:
            done += await governed_transaction(store, CLOCK, operation, work)
        except RegistrarError:
            continue
    return done
