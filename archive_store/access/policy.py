"""The one decision of the field-access policy, which does no I/O.

How a viewer stands to a record gives the fields they may read and may ask to change. Projection, masking, filters,
ordering, history, exports and statistics all take that decision; a forbidden value is never loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from archive_store.access.rules import CLASSES_OF_SCOPE, AccessRules, Relationship, Scope
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record

ACCESS_RULE = "field-access policy 字段权限"


class Withheld(StrEnum):
    """Why a value is kept back."""

    NOT_PERMITTED = "NOT_PERMITTED"
    PURPOSE_REQUIRED = "PURPOSE_REQUIRED"  # it would be shown for a stated purpose


@dataclass(frozen=True, slots=True)
class Standing:
    """How a viewer stands to one record: all that a decision depends on.

    `granted` are classes that retrieval grants (调阅授权) open on it; each grant has its own purpose. `scopes` is None
    for people, and for a service account what it was given.
    """

    posts: frozenset[Post] = frozenset()
    relationships: frozenset[Relationship] = frozenset()
    granted: frozenset[FieldClass] = frozenset()
    has_purpose: bool = False
    scopes: frozenset[Scope] | None = None


@dataclass(frozen=True, slots=True)
class FieldChangeRule:
    """An operation that changes a field, the posts that may ask for it, and its chain of approval by tier name."""

    record_type: str
    path: str
    operation: str
    requesters: frozenset[Post]
    tiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldDecision:
    """What a viewer may do with one record, as dotted paths of its type.

    `classes` are the classes readable now, `for_purpose` those that a stated purpose would add.
    """

    classes: frozenset[FieldClass]
    for_purpose: frozenset[FieldClass]
    readable: frozenset[str]
    filterable: frozenset[str]
    changeable: Mapping[str, FieldChangeRule] = field(default_factory=lambda: MappingProxyType({}))

    def why_withheld(self, field_class: FieldClass) -> Withheld:
        return Withheld.PURPOSE_REQUIRED if field_class in self.for_purpose else Withheld.NOT_PERMITTED


class AccessPolicy:
    """Decisions by one version of the rules."""

    def __init__(self, rules: AccessRules, changes: Iterable[FieldChangeRule] = ()) -> None:
        self.rules = rules
        self._changes = tuple(changes)
        # Standings are few: posts and ties repeat, rows do not matter.
        self._remembered = lru_cache(maxsize=4096)(self._decide)

    def decide(self, standing: Standing, record_type: type[Record]) -> FieldDecision:
        """The one decision."""
        return self._remembered(standing, record_type)  # type: ignore[arg-type]

    def _decide(self, standing: Standing, record_type: type[Record]) -> FieldDecision:
        classes, for_purpose = self._classes(standing)
        readable = frozenset(path for path, held in field_classes(record_type).items() if held in classes)
        changeable = {
            change.path: change
            for change in self._changes
            if change.record_type == record_type.subject_type
            and standing.scopes is None
            and not standing.posts.isdisjoint(change.requesters)
        }
        return FieldDecision(
            classes,
            for_purpose,
            readable,
            readable & record_type.filterable_paths,
            MappingProxyType(changeable),
        )

    def _classes(self, standing: Standing) -> tuple[frozenset[FieldClass], frozenset[FieldClass]]:
        by_post = _union(self.rules.by_post.get(post) for post in standing.posts)
        by_tie = _union(self.rules.by_relationship.get(tie) for tie in standing.relationships)
        permitted = by_post | by_tie | standing.granted
        if standing.scopes is not None:
            permitted &= _union(CLASSES_OF_SCOPE.get(scope) for scope in standing.scopes)
        if standing.has_purpose:
            return permitted, frozenset()
        exempt = standing.relationships & self.rules.purpose_exempt
        without = (
            permitted - self.rules.purpose_required
            | permitted & standing.granted
            | permitted & _union(self.rules.by_relationship.get(tie) for tie in exempt)
        )
        return without, permitted - without

    def reads_by_post(self, posts: frozenset[Post]) -> bool:
        """Whether some post of these reads records of every student."""
        return any(self.rules.by_post.get(post) for post in posts)


def _union(sets: Iterable[frozenset[FieldClass] | None]) -> frozenset[FieldClass]:
    return frozenset().union(*(held for held in sets if held))


def refuse_field(argument: str) -> RegistrarError:
    """The refusal, by the argument's name, to use a field that may not be read."""
    return RegistrarError(ErrorCode.FORBIDDEN, field=argument, rule=ACCESS_RULE)
