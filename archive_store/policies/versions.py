"""Versions of the two policies: each replacement is the next one, and never holds before its day."""

from __future__ import annotations

from datetime import date
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.foundation.clock import school_day
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork


async def version_in_store(
    store: Store, session: AsyncClientSession | None, policy_type: type[Record]
) -> int:
    """The highest version there is, in effect or not yet; two replacements of the same one conflict."""
    newest = await store.database.collection(policy_type).find_one(
        {}, {"version": 1}, sort=[("version", -1)], session=session
    )
    return newest["version"] if newest else 0


async def next_version(unit: UnitOfWork, policy_type: type[Record], effective_from: date) -> dict[str, Any]:
    """Number and first day of the version that is written now; never in the past, however long approval took."""
    version = await version_in_store(unit.store, unit.session, policy_type) + 1
    return {"version": version, "effective_from": max(effective_from, school_day(unit.at))}
