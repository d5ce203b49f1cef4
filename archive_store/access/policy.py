"""The field-access policy: which post or relationship reads which field classes, and the decision from it.

One synchronous decision per (viewer, relationship, record type) gives the readable fields. Projection, masking,
filters, ordering and audit diffs all take that set; a forbidden value is never loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict
from pymongo import IndexModel

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version

F0, F1, F2, F3, F4 = FieldClass
_OPEN = frozenset({F0})
_INTERNAL = frozenset({F0, F1})
_PERSONAL = frozenset({F0, F1, F2})
_SENSITIVE = frozenset({F0, F1, F2, F3})
_ALL = frozenset(FieldClass)


class Relationship(StrEnum):
    """What ties a viewer to one student."""

    OFFICE = "OFFICE"  # by post alone
    TEACHER = "TEACHER"  # 教师 of the student's class
    GUARDIAN = "GUARDIAN"  # 监护人
    SELF = "SELF"  # 本人


class AccessRules(BaseModel):
    """The content of one version of the policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by_post: dict[Post, frozenset[FieldClass]]
    by_relationship: dict[Relationship, frozenset[FieldClass]]


# Policy §三(二): sensitive files and values only for the department head and persons authorised.
# Policy §二(一): the analysis group works on aggregates, so it reads no single record.
DEFAULT_ACCESS_RULES = AccessRules(
    by_post={
        Post.DIRECTOR: _ALL,
        Post.DEPUTY_DIRECTOR: _PERSONAL,
        Post.INFORMATION_GROUP: _PERSONAL,
        Post.ARCHIVE_GROUP: _PERSONAL,
        Post.VICE_PRINCIPAL: _PERSONAL,
        Post.PRINCIPAL: _PERSONAL,
        Post.ACADEMIC_AFFAIRS: _INTERNAL,
        Post.ADMISSIONS: _INTERNAL,
        Post.LOGISTICS: _OPEN,
    },
    by_relationship={
        Relationship.TEACHER: _PERSONAL,
        Relationship.GUARDIAN: _SENSITIVE,
        Relationship.SELF: _SENSITIVE,
    },
)


class FieldAccessPolicy(Record):
    """A version of the field-access policy (字段权限). The newest version decides."""

    subject_type: ClassVar[str] = "FieldAccessPolicy"

    version: Annotated[int, F0]
    rules: Annotated[AccessRules, F0]

    class Settings:
        name = "field_access_policies"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class FieldDecision:
    """The dotted paths of one record type that a viewer may read in one relationship, and their classes."""

    classes: frozenset[FieldClass]
    readable: frozenset[str]

    def require(self, path: str, *, argument: str) -> None:
        """Refuse, by the argument's name and before any query runs, the use of a field that may not be read."""
        if path not in self.readable:
            raise RegistrarError(ErrorCode.FORBIDDEN, field=argument, rule="field-access policy 字段权限")


class AccessPolicy:
    """Decisions by one version of the rules."""

    def __init__(self, rules: AccessRules) -> None:
        self._rules = rules
        self._remembered = lru_cache(maxsize=4096)(self._decide)

    def decide(
        self, posts: frozenset[Post], relationship: Relationship, record_type: type[Record]
    ) -> FieldDecision:
        """The one decision; remembered, since posts and types are few."""
        return self._remembered(posts, relationship, record_type)  # type: ignore[arg-type]

    def _decide(
        self, posts: frozenset[Post], relationship: Relationship, record_type: type[Record]
    ) -> FieldDecision:
        classes = set(self._rules.by_relationship.get(relationship, frozenset()))
        for post in posts:
            classes |= self._rules.by_post.get(post, frozenset())
        paths = field_classes(record_type).items()
        return FieldDecision(frozenset(classes), frozenset(path for path, held in paths if held in classes))

    def reads_by_post(self, posts: frozenset[Post]) -> bool:
        """Whether some post of these reads records of every student."""
        return any(self._rules.by_post.get(post) for post in posts)


async def load_access_policy(store: Store) -> AccessPolicy:
    """The decisions in force."""
    newest = await newest_version(store, FieldAccessPolicy)
    cached: tuple[int, AccessPolicy] | None = store.versions_seen.get(AccessPolicy)
    if cached is None or cached[0] != newest.version:
        cached = store.versions_seen[AccessPolicy] = (newest.version, AccessPolicy(newest.rules))
    return cached[1]
