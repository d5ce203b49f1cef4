"""The field-access policy read plainly, apart from the product's own decision: who may read what of which student.

Policy: each post and each tie reads its classes; F3 and F4 only for a stated purpose, which the family need not state;
a retrieval grant opens its classes for its own purpose; a service account has of all this what its scopes name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.access.rules import CLASSES_OF_SCOPE, DEFAULT_ACCESS_RULES, Relationship, Scope
from archive_store.access.viewer import HeldGrant, Viewer
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post

RULES = DEFAULT_ACCESS_RULES
F0, F1, F2, F3, F4 = FieldClass
Classes = frozenset[FieldClass]
REQUEST_READERS = {
    Post.DIRECTOR,
    Post.DEPUTY_DIRECTOR,
    Post.INFORMATION_GROUP,
    Post.ARCHIVE_GROUP,
    Post.VICE_PRINCIPAL,
    Post.PRINCIPAL,
}
AUDIT_READERS = {Post.DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL}
SEALED_KNOWN_TO = {Post.DIRECTOR, Post.ARCHIVE_GROUP, Post.VICE_PRINCIPAL, Post.PRINCIPAL}
STATISTICS_POSTS = SEALED_KNOWN_TO - {Post.ARCHIVE_GROUP} | {
    Post.DEPUTY_DIRECTOR,
    Post.ANALYSIS_GROUP,
    Post.ACADEMIC_AFFAIRS,
}
AUDITORS = {Post.DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL}
_FAMILY = {Relationship.SELF, Relationship.GUARDIAN}


def ties(viewer: Viewer, student: Mapping[str, Any], record: str = "Student") -> set[Relationship]:
    found = set()
    if student["_id"] in viewer.own_student_ids:
        found.add(Relationship.SELF)
    if student["_id"] in viewer.ward_ids:
        found.add(Relationship.GUARDIAN)
    if student["class_name"] in viewer.class_names:
        found.add(Relationship.TEACHER)
    if student["class_name"] in viewer.homeroom_class_names:
        found.add(Relationship.HOMEROOM_TEACHER)
    for name in viewer.business_lines:
        line = RULES.business_lines[name]
        if record in line.record_types and student["status"] in (
            line.student_statuses or {student["status"]}
        ):
            found.add(Relationship.BUSINESS_LINE)
    return found


def has_scope(viewer: Viewer, scope: Scope) -> bool:
    return viewer.scopes is None or scope in viewer.scopes


def audits(viewer: Viewer) -> bool:
    """Who searches the history of all records; they are told who acted, also by key."""
    return bool(viewer.posts & AUDITORS) and has_scope(viewer, Scope.AUDIT_READ)


def reads_every_student(viewer: Viewer) -> bool:
    return any(RULES.by_post.get(post) for post in viewer.posts) and has_scope(viewer, Scope.STUDENT_READ)


def names(grant: HeldGrant, student: Mapping[str, Any], document_type: str | None) -> bool:
    return grant.student_id in (None, student["_id"]) and grant.document_type in (None, document_type)


def sees(viewer: Viewer, student: Mapping[str, Any]) -> bool:
    """A line of business gives no sight by itself, nor does a grant for a type of document."""
    tied = ties(viewer, student) - {Relationship.BUSINESS_LINE}
    granted = any(grant.student_id == student["_id"] for grant in viewer.grants)
    return reads_every_student(viewer) or bool(tied) or granted


def classes_read(
    viewer: Viewer,
    student: Mapping[str, Any] | None,
    *,
    record: str = "Student",
    document_type: str | None = None,
    with_grants: bool = True,
    has_purpose: bool | None = None,
) -> Classes:
    """The classes read of a record; of one that nothing but posts ties, where there is no student."""
    purpose = viewer.reading.purpose is not None if has_purpose is None else has_purpose
    sources = [(RULES.by_post.get(post, frozenset()), False) for post in viewer.posts]
    if student is not None:
        if not sees(viewer, student):
            return frozenset()
        tied = ties(viewer, student, record)
        sources += [(RULES.by_relationship[tie], tie in _FAMILY) for tie in tied]
        if with_grants:
            named = [grant for grant in viewer.grants if names(grant, student, document_type)]
            sources += [(grant.classes, True) for grant in named]
    held = {
        found
        for classes, is_exempt in sources
        for found in classes
        if purpose or is_exempt or found not in {F3, F4}
    }
    if viewer.scopes is not None:
        held &= {found for scope in viewer.scopes for found in CLASSES_OF_SCOPE.get(scope, ())}
    return frozenset(held)


def classes_everywhere(viewer: Viewer, student: Mapping[str, Any]) -> Classes:
    """What filters, orders and default columns may use: classes read of each record in sight, here of this one."""
    if reads_every_student(viewer):
        return classes_read(viewer, None)
    return classes_read(viewer, student)


def knows_scan(viewer: Viewer, student: Mapping[str, Any], document_type: str) -> bool:
    """Scans are internal (F1). A sealed paper is known to the posts that keep it, the family and who may read it."""
    asked: Any = {"record": "Scan", "document_type": document_type}
    if not has_scope(viewer, Scope.SCAN_READ) or F1 not in classes_read(viewer, student, **asked):
        return False
    if RULES.document_classes.get(document_type, F3) is not F4 or viewer.posts & SEALED_KNOWN_TO:
        return True
    family = ties(viewer, student, "Scan") & _FAMILY
    return bool(family) or F4 in classes_read(viewer, student, has_purpose=True, **asked)


def is_family(viewer: Viewer, student: Mapping[str, Any]) -> bool:
    return bool(ties(viewer, student) & _FAMILY)


def is_told_of_readings(viewer: Viewer, student: Mapping[str, Any]) -> bool:
    """Who looked at what is told to the family and to auditors."""
    if not sees(viewer, student) or not has_scope(viewer, Scope.AUDIT_READ):
        return False
    told = is_family(viewer, student) and F1 in classes_read(viewer, student, with_grants=False)
    return told or bool(viewer.posts & AUDIT_READERS)


def reads_purposes(viewer: Viewer, student: Mapping[str, Any], *, alone: bool) -> bool:
    """What for is sensitive: told to auditors for a purpose, and to the family of values of their children alone."""
    if not is_told_of_readings(viewer, student) or not has_scope(viewer, Scope.STUDENT_READ_SENSITIVE):
        return False
    audits = bool(viewer.posts & AUDIT_READERS) and viewer.reading.purpose is not None
    return audits or (alone and is_family(viewer, student))


def counts_by(viewer: Viewer) -> Classes:
    """The classes that statistics may count by: those of a statistics post, personal ones with the scope for them."""
    if not viewer.posts & STATISTICS_POSTS or not has_scope(viewer, Scope.STATISTICS_READ):
        return frozenset()
    return frozenset({F0, F1} | ({F2} if has_scope(viewer, Scope.STUDENT_READ_PERSONAL) else set()))


def decides(viewer: Viewer, awaited: Post | None) -> bool:
    """Who decides sees what is decided; a program never decides."""
    return viewer.scopes is None and awaited is not None and awaited in viewer.posts
