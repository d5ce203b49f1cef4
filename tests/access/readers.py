"""Everyone who looks through the doors: each role with each relationship to the tied student."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from bson import ObjectId

from archive_store.access.retrieval_grants import Secrecy
from archive_store.access.rules import Scope
from archive_store.access.viewer import HeldGrant, Viewer
from archive_store.approvals.changeability import load_access_policy
from archive_store.foundation.posts import Post
from tests.access.marked_school import OPEN_PAPER, SEALED_PAPER, MarkedSchool, MarkedStudent

# Name -> posts and scopes.
ROLES: dict[str, tuple[frozenset[Post], frozenset[Scope] | None]] = {
    "nobody": (frozenset(), None),
    **{post.value.lower(): (frozenset({post}), None) for post in Post},
    "service, all scopes": (frozenset({Post.ACADEMIC_AFFAIRS}), frozenset(Scope)),
    "service, no scope": (frozenset({Post.ACADEMIC_AFFAIRS}), frozenset()),
    "service as director, all scopes": (frozenset({Post.DIRECTOR}), frozenset(Scope)),
    "service as director, records alone": (frozenset({Post.DIRECTOR}), frozenset({Scope.STUDENT_READ})),
    "service as director, requests alone": (
        frozenset({Post.DIRECTOR}),
        frozenset({Scope.CHANGE_REQUEST_READ}),
    ),
}


@dataclass(frozen=True)
class Reader:
    """`stale` are grants that the viewer carries, though their last view was taken a moment ago."""

    viewer: Viewer
    stale: tuple[HeldGrant, ...] = ()

    @property
    def surely(self) -> Viewer:
        """The viewer with what certainly holds."""
        return self.viewer.without_grants(grant.id for grant in self.stale)


Relate = Callable[[MarkedSchool, Viewer], Awaitable[Reader]]


def _by(**more: Callable[[MarkedStudent], Any]) -> Relate:
    async def relate(world: MarkedSchool, viewer: Viewer) -> Reader:
        return Reader(replace(viewer, **{name: make(world.students[0]) for name, make in more.items()}))

    return relate


def _line(name: str) -> Relate:
    return _by(business_lines=lambda _: frozenset({name}))


def _granted(secrecy: Secrecy, *, record: bool = True, paper: str | None = None) -> Relate:
    async def relate(world: MarkedSchool, viewer: Viewer) -> Reader:
        student = world.students[0] if record else None
        grant = await world.give(viewer.person_id, secrecy, student=student, document_type=paper)
        return Reader(replace(viewer, grants=(grant,)))

    return relate


async def _exhausted(world: MarkedSchool, viewer: Viewer) -> Reader:
    held = [
        await world.give(viewer.person_id, Secrecy.SEALED, is_exhausted=True, **more)
        for more in ({"student": world.students[0]}, {"document_type": SEALED_PAPER})
    ]
    return Reader(replace(viewer, grants=tuple(held)), tuple(held))


async def _expired(world: MarkedSchool, viewer: Viewer) -> Reader:
    """A grant in the store that sign-in no longer gives to the viewer."""
    await world.give(viewer.person_id, Secrecy.SEALED, student=world.students[0], is_exhausted=True)
    return Reader(viewer)


# In the order of the policy; statuses of the two students fall into different lines.
RELATIONSHIPS: dict[str, Relate] = {
    "none": _by(),
    "self": _by(own_student_ids=lambda tied: frozenset({tied.key})),
    "guardian": _by(ward_ids=lambda tied: frozenset({tied.key})),
    "teacher": _by(class_names=lambda tied: frozenset({tied.row["class_name"]})),
    "homeroom teacher": _by(homeroom_class_names=lambda tied: frozenset({tied.row["class_name"]})),
    "line that covers": _line("在读管理"),
    "line that does not cover": _line("毕业管理"),
    "line of scans alone": _line("档案管理"),
    "granted sensitive": _granted(Secrecy.SENSITIVE),
    "granted sealed": _granted(Secrecy.SEALED),
    "granted a paper of any student": _granted(Secrecy.SENSITIVE, record=False, paper=OPEN_PAPER),
    "granted sealed papers of any student": _granted(Secrecy.SEALED, record=False, paper=SEALED_PAPER),
    "granted a sealed paper of the student": _granted(Secrecy.SEALED, paper=SEALED_PAPER),
    "grant exhausted": _expired,
    "grant exhausted while signed in": _exhausted,
}


async def reader_of(world: MarkedSchool, role: str, relationship: str, *, has_purpose: bool) -> Reader:
    posts, scopes = ROLES[role]
    policy = await load_access_policy(world.store)
    viewer = Viewer(ObjectId(), "", policy, posts=posts, scopes=scopes)
    made = await RELATIONSHIPS[relationship](world, viewer)
    return replace(made, viewer=made.viewer.for_purpose("matrix" if has_purpose else None))
