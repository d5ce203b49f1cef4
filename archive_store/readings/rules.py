"""Who is told of the readings of a student, and of their purposes. Pure.

PIPL 44, 45: the person, or for a child the guardian, may know who handles what of theirs and what for. Policy 引言:
students' rights may not be infringed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.access.retrieval_grants import AccessEvent
from archive_store.access.rules import Relationship, Scope
from archive_store.access.viewer import Viewer
from archive_store.audit.reading_entries import ReadingEntry
from archive_store.foundation.field_classes import FieldClass
from archive_store.students.scope import StudentScope

_FAMILY = frozenset({Relationship.SELF, Relationship.GUARDIAN})


@dataclass(frozen=True, slots=True)
class Sight:
    """How a viewer is told of the readings of one student.

    As an auditor, of every purpose, unless it is withheld for the reason in `from_auditor`; as the family, if they
    read sensitive values at all, of those that speak of their own children.
    """

    is_family: bool
    reads_purposes: bool  # as the family
    is_auditor: bool
    from_auditor: Withheld | None


def sight_of(scope: StudentScope, facts: Mapping[str, Any]) -> Sight | None:
    """None where the viewer is told of none. A retrieval grant opens values, not who else read them."""
    viewer = scope.viewer
    if not viewer.has_scope(Scope.AUDIT_READ):
        return None
    ties = scope.relationships(dict(facts)) & _FAMILY
    classes = viewer.decide(AccessEvent, ties).classes if ties else frozenset()
    is_family = FieldClass.F1 in classes
    if not is_family and not viewer.audits:
        return None
    return Sight(is_family, FieldClass.F3 in classes, viewer.audits, _withheld_from_auditor(viewer))


def _withheld_from_auditor(viewer: Viewer) -> Withheld | None:
    if not viewer.has_scope(Scope.STUDENT_READ_SENSITIVE):
        return Withheld.NOT_PERMITTED
    is_required = FieldClass.F3 in viewer.policy.rules.purpose_required
    return Withheld.PURPOSE_REQUIRED if is_required and viewer.reading.purpose is None else None


def told_purpose(
    sight: Sight, entry: ReadingEntry, student_id: ObjectId, family_subjects: Collection[ObjectId]
) -> tuple[str | None, Withheld | None]:
    """The purpose as far as it is told, and why some of it is kept back.

    `family_subjects` are the records of the viewer's own children. The family is told what was stated for values of
    their children alone, and the purpose of a grant that names the student. What is stated for several students, for
    a crisis team or for a type of document may speak of somebody else.
    """
    purposes = entry.content["purposes"]
    if sight.is_auditor and sight.from_auditor is None:
        return _joined(purposes), None
    told = []
    if sight.is_family and sight.reads_purposes:
        read = {subject_id for group in entry.content["groups"] for subject_id in group["subject_ids"]}
        is_theirs_alone = read <= set(family_subjects)
        told = [purpose for purpose in purposes if _speaks_of(purpose, student_id, is_theirs_alone)]
    if len(told) == len(purposes):
        return _joined(told), None
    why = sight.from_auditor if sight.is_auditor and sight.from_auditor else Withheld.NOT_PERMITTED
    return _joined(told), why


def _speaks_of(purpose: Mapping[str, Any], student_id: ObjectId, is_theirs_alone: bool) -> bool:
    if purpose["team_id"] is not None:
        return False
    return is_theirs_alone if purpose["grant_id"] is None else bool(purpose["student_id"] == student_id)


def _joined(purposes: Collection[Mapping[str, Any]]) -> str | None:
    return "; ".join(dict.fromkeys(purpose["text"] for purpose in purposes)) or None
