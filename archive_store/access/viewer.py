"""`Viewer`: the person or service account behind a request, with posts in force, relationships and grants."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from bson import ObjectId

from archive_store.access.policy import AccessPolicy, FieldDecision, Standing
from archive_store.access.rules import Relationship, Scope
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record
from archive_store.foundation.texts import BLANK_LETTERS, check_text
from archive_store.foundation.unit_of_work import Actor

PURPOSE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """A retrieval grant (调阅授权) in force. It names a student, a document type, or both."""

    id: ObjectId
    purpose: str
    classes: frozenset[FieldClass]
    student_id: ObjectId | None
    document_type: str | None
    expires_at: datetime
    team_id: ObjectId | None = None  # of the crisis team for which it was given

    def covers(self, student_id: ObjectId, document_type: str | None) -> bool:
        """Whether it opens the record of the student, or with a document type a scan of theirs."""
        if self.student_id not in (None, student_id):
            return False
        return self.document_type is None or self.document_type == document_type


@dataclass(frozen=True, slots=True)
class HeldDelegation:
    """A delegation (委托) in force: the viewer decides in the delegator's seat, on these operations or all."""

    delegator_id: ObjectId
    delegator_name: str
    post: Post
    operations: frozenset[str] | None
    concerned_ids: frozenset[ObjectId] = frozenset()  # the delegator and their children: not theirs to decide

    def covers(self, operation: str) -> bool:
        return self.operations is None or operation in self.operations


@dataclass(frozen=True, slots=True)
class LentPost:
    """A post that a crisis team (临时小组) lends while it is active; what is read by it is read for its purpose."""

    post: Post
    team_id: ObjectId
    purpose: str


@dataclass(slots=True)
class Reading:
    """What one request reads: for which purpose, and the grants a view of which it has used."""

    purpose: str | None = None
    grants_used: set[ObjectId] = field(default_factory=set)


@dataclass(frozen=True)
class Viewer:
    """Built by `people.sign_in` and remembered for seconds; the posts come from role grants, never from a token."""

    person_id: ObjectId
    name: str
    policy: AccessPolicy
    posts: frozenset[Post] = frozenset()  # lent ones included
    lent_posts: tuple[LentPost, ...] = ()  # those that are not held otherwise
    business_lines: frozenset[str] = frozenset()  # of a deputy director
    class_names: frozenset[str] = frozenset()  # classes taught, of a teacher
    homeroom_class_names: frozenset[str] = frozenset()
    ward_ids: frozenset[ObjectId] = frozenset()  # students this person is a guardian of
    own_student_ids: frozenset[ObjectId] = frozenset()
    grants: tuple[HeldGrant, ...] = ()
    delegations: tuple[HeldDelegation, ...] = ()
    scopes: frozenset[Scope] | None = None  # None for people
    reading: Reading = field(default_factory=Reading, compare=False)

    @property
    def is_service(self) -> bool:
        return self.scopes is not None

    @property
    def actor(self) -> Actor:
        return Actor(self.person_id, self.name, tuple(sorted(self.posts)))

    def for_purpose(self, purpose: str | None) -> Viewer:
        """The viewer of one request, who states this purpose (调阅目的) or none."""
        purpose = (purpose or "").strip()
        # Characters that nobody sees state nothing.
        if not any(unicodedata.category(c)[0] in "LN" and c not in BLANK_LETTERS for c in purpose):
            purpose = None
        check_text(purpose, field="purpose", limit=PURPOSE_LIMIT)
        return replace(self, reading=Reading(purpose))

    def decide(
        self,
        record_type: type[Record],
        relationships: frozenset[Relationship] = frozenset(),
        granted: frozenset[FieldClass] = frozenset(),
    ) -> FieldDecision:
        """The one decision on fields, for a record that stands so to the viewer."""
        standing = Standing(self.posts, relationships, granted, self.reading.purpose is not None, self.scopes)
        return self.policy.decide(standing, record_type)

    def without_grants(self, exhausted: Iterable[ObjectId]) -> Viewer:
        gone = frozenset(exhausted)
        return replace(self, grants=tuple(grant for grant in self.grants if grant.id not in gone))

    @property
    def reads_by_post(self) -> bool:
        return self.policy.reads_by_post(self.posts) and self.has_scope(Scope.STUDENT_READ)

    def has_scope(self, scope: Scope) -> bool:
        """Whether a service account has the scope; people need none."""
        return self.scopes is None or scope in self.scopes

    @property
    def audits(self) -> bool:
        """Whether they may search the audit history of all records (审计)."""
        return self.has_scope(Scope.AUDIT_READ) and self.holds_any(self.policy.rules.audit_readers)

    def holds_any(self, posts: frozenset[Post]) -> bool:
        return not self.posts.isdisjoint(posts)

    def require_any(self, posts: frozenset[Post], *, rule: str) -> None:
        """FORBIDDEN unless a post of these is held; a service account never acts."""
        if self.is_service or not self.holds_any(posts):
            raise RegistrarError(ErrorCode.FORBIDDEN, rule=rule)
