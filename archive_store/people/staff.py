"""Who is on the staff on a day: people who hold a post in force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.terms import in_force_on
from archive_store.people.documents import Person, PersonKind, RoleGrant


async def posts_in_force(
    store: Store, person_ids: Collection[ObjectId], day: date, session: AsyncClientSession | None = None
) -> Mapping[ObjectId, frozenset[Post]]:
    """The posts that role grants give each of them on the day; nothing of those without one."""
    grants = store.database.collection(RoleGrant).find(
        {"person_id": {"$in": sorted(person_ids)}, **in_force_on(day)},
        {"person_id": 1, "post": 1},
        session=session,
    )
    held: defaultdict[ObjectId, set[Post]] = defaultdict(set)
    for grant in await grants.to_list():
        held[grant["person_id"]].add(Post(grant["post"]))
    return {person_id: frozenset(posts) for person_id, posts in held.items()}


async def names_of_people(
    store: Store, person_ids: Collection[ObjectId], session: AsyncClientSession | None = None
) -> Mapping[ObjectId, str]:
    """Names by key; service accounts are no people."""
    people = store.database.collection(Person).find(
        {"_id": {"$in": sorted(person_ids)}, "kind": PersonKind.HUMAN.value}, {"name": 1}, session=session
    )
    return {person["_id"]: person["name"] for person in await people.to_list()}
