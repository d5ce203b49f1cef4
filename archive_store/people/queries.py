"""Who is on the staff (工作人员): people who hold a post in force, and the directory of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.paging import Page, check_page_size
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.terms import in_force_on
from archive_store.people.documents import Person, PersonKind, RoleGrant


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A person and the posts in force today."""

    id: ObjectId
    name: str
    posts: tuple[Post, ...]


async def list_staff(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None, post: Post | None = None
) -> Page[StaffMember]:
    """Everyone with a post in force today, for all who have one themselves; nobody for others."""
    check_page_size(first, store.settings.page_size_limit)
    if not viewer.posts or viewer.is_service:
        return Page([], False)
    in_force = in_force_on(school_day(store.clock.now()))
    group = {"$group": {"_id": "$person_id", "posts": {"$addToSet": "$post"}}}
    steps: list[Row] = [{"$match": in_force}, group]
    if post is not None:
        steps.append({"$match": {"posts": post.value}})
    if after is not None:
        steps.append({"$match": {"_id": {"$gt": after}}})
    cursor = await store.database.collection(RoleGrant).aggregate([*steps, {"$sort": {"_id": 1}}])
    posts = {row["_id"]: row["posts"] for row in await cursor.to_list()}
    humans = store.database.collection(Person).find(
        {"_id": {"$in": list(posts)}, "kind": PersonKind.HUMAN.value}, {"name": 1}
    )
    rows = await humans.sort("_id", 1).limit(first + 1).to_list()
    members = [
        StaffMember(row["_id"], row["name"], tuple(sorted(Post(held) for held in posts[row["_id"]])))
        for row in rows[:first]
    ]
    return Page(members, len(rows) > first)


async def staff_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[StaffMember | None]:
    """Members of the staff in the order of the ids, None of anybody else; to those whom `list_staff` shows them."""
    if not viewer.posts or viewer.is_service:
        return [None] * len(ids)
    posts = await posts_in_force(store, ids, school_day(store.clock.now()))
    names = await names_of_people(store, posts)
    found = {key: StaffMember(key, name, tuple(sorted(posts[key]))) for key, name in names.items()}
    return [found.get(key) for key in ids]


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
