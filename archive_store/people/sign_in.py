"""From the subject of a checked sign-in token to a `Viewer`, by what the store knows."""

from __future__ import annotations

from archive_store.access.policy import load_access_policy
from archive_store.access.viewer import Viewer
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.people.documents import Person, PersonKind, RoleGrant
from archive_store.people.seats import school_day

# Named here, not imported: the students' room stands above this one.
_STUDENTS = "students"


async def load_viewer(store: Store, sign_in_subject: str) -> Viewer | None:
    """The viewer of a token's `sub`, with the posts in force today; None if nobody here has it."""
    person = await store.database.collection(Person).find_one(
        {"sign_in_subject": sign_in_subject}, {"name": 1, "kind": 1}
    )
    if person is None:
        return None
    today = school_day(store.clock.now()).isoformat()
    grants = (
        await store.database.collection(RoleGrant)
        .find(
            {
                "person_id": person["_id"],
                "valid_from": {"$lte": today},
                "$or": [{"valid_to": None}, {"valid_to": {"$gte": today}}],
            },
            {"post": 1, "class_names": 1},
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
    return Viewer(
        person_id=person["_id"],
        name=person["name"],
        policy=await load_access_policy(store),
        posts=frozenset(Post(grant["post"]) for grant in grants),
        class_names=frozenset(
            name for grant in grants if grant["post"] == Post.TEACHER for name in grant["class_names"]
        ),
        ward_ids=frozenset(tie["_id"] for tie in ties) - own,
        own_student_ids=own,
        is_service=person["kind"] == PersonKind.SERVICE,
    )
