"""Class names: who is tied to a class by its name, and whether the structure knows a name."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.organisation.documents import SchoolClass
from archive_store.organisation.rules import LEFT, is_open
from archive_store.people.documents import RoleGrant
from archive_store.students.documents import Student


async def class_lock(unit: UnitOfWork, *names: str) -> None:
    """Make transactions that change who is in these classes collide."""
    for name in sorted(set(names)):
        await unit.serialise(f"class:{name}")


def _named(name: str) -> Row:
    return {"$or": [{"class_names": name}, {"homeroom_class_names": name}]}


async def is_named_anywhere(store: Store, name: str, session: AsyncClientSession | None = None) -> bool:
    """Whether a student's record or a role grant has the class; past ones count, they are told by the name."""
    database = store.database
    student = await database.collection(Student).find_one({"class_name": name}, {"_id": 1}, session=session)
    if student is not None:
        return True
    grant = await database.collection(RoleGrant).find_one(_named(name), {"_id": 1}, session=session)
    return grant is not None


async def is_used_after(
    store: Store, name: str, day: date, session: AsyncClientSession | None = None
) -> bool:
    """Whether a student is in the class, or it has a homeroom teacher after the day.

    Who teaches a class that nobody is in reads nothing by it.
    """
    database = store.database
    inside: Row = {"class_name": name, "status": {"$nin": sorted(LEFT)}}
    if await database.collection(Student).find_one(inside, {"_id": 1}, session=session) is not None:
        return True
    later = {"$or": [{"valid_to": None}, {"valid_to": {"$gt": day.isoformat()}}]}
    query: Row = {"homeroom_class_names": name, **later}
    return await database.collection(RoleGrant).find_one(query, {"_id": 1}, session=session) is not None


async def unknown_classes(
    store: Store, names: Collection[str], session: AsyncClientSession | None = None
) -> frozenset[str]:
    """Those of the names that are no class open today; none while the structure has no classes at all."""
    classes = store.database.collection(SchoolClass)
    wanted = sorted(set(names))
    rows = await classes.find({"name": {"$in": wanted}}, session=session).to_list()
    today = school_day(store.clock.now())
    known = {row["name"] for row in rows if is_open(SchoolClass.model_validate(row), today)}
    unknown = frozenset(wanted) - known
    if unknown and not rows and await classes.find_one({}, {"_id": 1}, session=session) is None:
        return frozenset()
    return unknown


async def known_class(store: Store, name: str, session: AsyncClientSession | None = None) -> bool:
    """Whether students can be put into a class of this name today; any name while the structure has no classes."""
    return not await unknown_classes(store, [name], session)
