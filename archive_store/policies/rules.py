"""Who gains and who loses which fields when one version of the access rules takes another's place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from archive_store.access.policy import AccessPolicy, Standing
from archive_store.access.rules import AccessRules, Relationship
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record

RULE = "policy §四(一)"


@dataclass(frozen=True, slots=True)
class AccessDifference:
    """What holders of a post, or people in a relationship, will read and will no longer read.

    Fields are spelt `Type.path`, the bytes of scans `Scan.content(document type)`.
    """

    post: Post | None
    relationship: Relationship | None
    purpose_stated: bool
    gains: tuple[str, ...]
    loses: tuple[str, ...]


def access_differences(
    before: AccessRules, after: AccessRules, record_types: Sequence[type[Record]]
) -> list[AccessDifference]:
    """One difference for each post and relationship whose readable fields change, by whether a purpose is stated."""
    documents = sorted(before.document_classes.keys() | after.document_classes.keys())
    old, new = AccessPolicy(before), AccessPolicy(after)
    found = []
    for post, relationship, standing in _standings():
        had = _readable(old, standing, record_types, documents)
        has = _readable(new, standing, record_types, documents)
        if had != has:
            gains, loses = tuple(sorted(has - had)), tuple(sorted(had - has))
            found.append(AccessDifference(post, relationship, standing.has_purpose, gains, loses))
    return found


def _standings() -> Iterator[tuple[Post | None, Relationship | None, Standing]]:
    for purpose in (False, True):
        for post in Post:
            yield post, None, Standing(frozenset({post}), has_purpose=purpose)
        for tie in Relationship:
            yield None, tie, Standing(relationships=frozenset({tie}), has_purpose=purpose)


def _readable(
    policy: AccessPolicy, standing: Standing, record_types: Iterable[type[Record]], documents: Iterable[str]
) -> set[str]:
    readable = {
        f"{record_type.subject_type}.{path}"
        for record_type in record_types
        for path in policy.decide(standing, record_type).readable
    }
    classes = next(policy.decide(standing, record_type).classes for record_type in record_types)
    contents = {name: policy.rules.document_class(name) for name in documents}
    contents["*"] = policy.rules.other_documents
    # Who teaches reads the grades of their own course or class, whatever else they read.
    if not standing.relationships.isdisjoint(policy.rules.grade_readers):
        readable |= {"GradeRecord.score", "GradeRecord.status"}
    return readable | {f"Scan.content({name})" for name, held in contents.items() if held in classes}


def check_rules(rules: AccessRules, record_types: Sequence[type[Record]], statuses: Iterable[str]) -> None:
    """UNKNOWN_CODE for a business line that names a record type or a student status that does not exist."""
    types, known = {record_type.subject_type for record_type in record_types}, set(statuses)
    for name, line in rules.business_lines.items():
        if line.record_types - types:
            raise RegistrarError(
                ErrorCode.UNKNOWN_CODE, field=f"rules.business_lines.{name}.record_types", rule=RULE
            )
        if (line.student_statuses or frozenset()) - known:
            raise RegistrarError(
                ErrorCode.UNKNOWN_CODE, field=f"rules.business_lines.{name}.student_statuses", rule=RULE
            )
