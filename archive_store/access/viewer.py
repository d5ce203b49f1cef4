"""`Viewer`: the person or service account behind a request, with posts in force and relationships."""

from __future__ import annotations

from dataclasses import dataclass

from bson import ObjectId

from archive_store.access.policy import AccessPolicy, FieldDecision, Relationship
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record
from archive_store.foundation.unit_of_work import Actor


@dataclass(frozen=True)
class Viewer:
    """Built by `people.sign_in` and remembered for seconds; the posts come from role grants, never from a token."""

    person_id: ObjectId
    name: str
    policy: AccessPolicy
    posts: frozenset[Post] = frozenset()
    class_names: frozenset[str] = frozenset()  # classes taught, of a teacher
    ward_ids: frozenset[ObjectId] = frozenset()  # students this person is a guardian of
    own_student_ids: frozenset[ObjectId] = frozenset()
    is_service: bool = False

    @property
    def actor(self) -> Actor:
        return Actor(self.person_id, self.name, tuple(sorted(self.posts)))

    def may_read(self, record_type: type[Record], relationship: Relationship) -> FieldDecision:
        """The one decision on fields."""
        return self.policy.decide(self.posts, relationship, record_type)

    @property
    def reads_by_post(self) -> bool:
        return self.policy.reads_by_post(self.posts)

    def holds_any(self, posts: frozenset[Post]) -> bool:
        return not self.posts.isdisjoint(posts)

    def require_any(self, posts: frozenset[Post], *, rule: str) -> None:
        """FORBIDDEN unless a post of these is held; a service account never acts."""
        if self.is_service or not self.holds_any(posts):
            raise RegistrarError(ErrorCode.FORBIDDEN, rule=rule)
