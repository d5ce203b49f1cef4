"""From the subject of a checked sign-in token to a `Viewer`, by what the store knows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from bson import ObjectId

from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.access.rules import Scope
from archive_store.access.viewer import HeldGrant, Viewer
from archive_store.approvals.changeability import load_access_policy
from archive_store.foundation.clock import school_day
from archive_store.foundation.code_table_versions import refresh_code_tables
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.terms import in_force_on
from archive_store.people.delegations import delegations_in_force
from archive_store.people.documents import Person, PersonKind, RoleGrant
from archive_store.people.lent_posts import lent_posts

# Named here, not imported: the students' room stands above this one.
_STUDENTS = "students"
_PERSON_FIELDS = {"name": 1, "kind": 1, "scopes": 1}


async def load_viewer(
    store: Store, sign_in_subject: str, token_scopes: Collection[str] = frozenset()
) -> Viewer | None:
    """The viewer of a token's `sub`, with the posts in force or lent now; None if nobody here has it.

    A service account has the scopes that it was given here and that its token names as well.
    """
    person = await store.database.collection(Person).find_one(
        # By its type too: the index holds text alone, and is used where the query says so.
        {"sign_in_subject": {"$type": "string", "$eq": sign_in_subject}},
        _PERSON_FIELDS,
    )
    return None if person is None else await _viewer_of(store, person, token_scopes)


async def reload_viewer(store: Store, viewer: Viewer) -> Viewer:
    """The viewer with the posts and ties of now, for work that takes long; FORBIDDEN where the person is gone."""
    person = await _person_now(store, viewer.person_id)
    # A view that this request has taken is good for all of it, also where it was the last one.
    now = await _viewer_of(store, person, viewer.scopes or (), viewer.reading.grants_used)
    return replace(now, reading=viewer.reading)


async def viewer_of_person(store: Store, person_id: ObjectId) -> Viewer:
    """The viewer of a person's own standing, for work that goes on without them; FORBIDDEN where they are gone."""
    return await _viewer_of(store, await _person_now(store, person_id), ())


async def _person_now(store: Store, person_id: ObjectId) -> Row:
    person = await store.database.collection(Person).find_one({"_id": person_id}, _PERSON_FIELDS)
    if person is None:
        raise RegistrarError(ErrorCode.FORBIDDEN)
    return person


async def _viewer_of(
    store: Store, person: Row, token_scopes: Collection[str], grants_used: Collection[ObjectId] = ()
) -> Viewer:
    await refresh_code_tables(store)  # whatever is read or asked for from here on, is by the tables of now
    day = school_day(store.clock.now())
    grants = (
        await store.database.collection(RoleGrant)
        .find(
            {"person_id": person["_id"], **in_force_on(day)},
            {"post": 1, "business_line": 1, "class_names": 1, "homeroom_class_names": 1},
        )
        .to_list()
    )
    ties = (
        await store.database.mongo[_STUDENTS]
        .find(
            {"$or": [{"person_id": person["_id"]}, {"guardians.person_id": person["_id"]}]},
            {"person_id": 1},
        )
        .to_list()
    )
    own = frozenset(tie["_id"] for tie in ties if tie["person_id"] == person["_id"])
    teaching = [grant for grant in grants if grant["post"] == Post.TEACHER]
    is_service = person["kind"] == PersonKind.SERVICE
    posts = frozenset(Post(grant["post"]) for grant in grants)
    # A crisis team lends nothing to who has left the staff, or works on pseudonymised rows by now.
    borrows = bool(posts) and Post.ANALYSIS_GROUP not in posts and not is_service
    lent = await lent_posts(store, person["_id"], day) if borrows else ()
    # Nor does a retrieval grant outlive the posts for which it was asked; a team's goes with what the team lends.
    retrieves = bool(posts - {Post.ANALYSIS_GROUP})
    opened = await _open_grants(store, person["_id"], grants_used) if retrieves else ()
    return Viewer(
        person_id=person["_id"],
        name=person["name"],
        policy=await load_access_policy(store),
        posts=posts | {held.post for held in lent},
        lent_posts=tuple(held for held in lent if held.post not in posts),
        business_lines=frozenset(
            grant["business_line"]
            for grant in grants
            if grant["post"] == Post.DEPUTY_DIRECTOR and grant["business_line"]
        ),
        class_names=frozenset(name for grant in teaching for name in grant["class_names"]),
        homeroom_class_names=frozenset(name for grant in teaching for name in grant["homeroom_class_names"]),
        ward_ids=frozenset(tie["_id"] for tie in ties) - own,
        own_student_ids=own,
        grants=tuple(grant for grant in opened if borrows or grant.team_id is None),
        delegations=() if is_service else await delegations_in_force(store, person["_id"], day),
        scopes=frozenset(Scope(name) for name in person["scopes"] if name in token_scopes)
        if is_service
        else None,
    )


async def _open_grants(
    store: Store, person_id: ObjectId, used: Collection[ObjectId]
) -> tuple[HeldGrant, ...]:
    now = store.clock.now()
    rows = (
        await store.database.collection(RetrievalGrant)
        .find(
            {
                "grantee_id": person_id,
                "expires_at": {"$gt": now},
                "$or": [
                    {"_id": {"$in": list(used)}},
                    {"$expr": {"$lt": ["$views_taken", "$views_allowed"]}},
                ],
            }
        )
        .to_list()
    )
    await store.cipher.decrypt_paths(rows, encrypted_paths(RetrievalGrant))
    return tuple(RetrievalGrant.model_validate(row).held() for row in rows)
