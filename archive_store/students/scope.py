"""Which students a viewer sees, and how the viewer stands to each, pure.

Outside this scope a record is "not found", so that a refusal tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from bson import ObjectId

from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.rules import Relationship
from archive_store.access.viewer import HeldGrant, Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import field_classes
from archive_store.foundation.records import Record
from archive_store.students.documents import Student

# The facts of a row that relationships are told from; loaded beside whatever is asked for.
RELATIONSHIP_FACTS = ("_id", "class_name", "status")
_NOBODY: Row = {"_id": {"$exists": False}}


@dataclass(frozen=True, slots=True)
class RowDecision:
    """The decision on one record, and the grants that it owes something to."""

    decision: FieldDecision
    without_grants: FieldDecision
    grants: tuple[HeldGrant, ...] = ()

    def grants_for(self, paths: frozenset[str]) -> frozenset[ObjectId]:
        """The grants without which one of these paths could not be read."""
        if paths & self.decision.readable <= self.without_grants.readable:
            return frozenset()
        return frozenset(grant.id for grant in self.grants)


@dataclass(frozen=True)
class StudentScope:
    """The visible students as a filter, and the decision on each, told by `RELATIONSHIP_FACTS`."""

    viewer: Viewer

    @cached_property
    def visible(self) -> Row:
        """Empty where every student is visible."""
        viewer = self.viewer
        if viewer.reads_by_post:
            return {}
        ties: list[Row] = []
        if named := viewer.own_student_ids | viewer.ward_ids | self._granted_student_ids:
            ties.append({"_id": {"$in": sorted(named)}})
        if classes := viewer.class_names | viewer.homeroom_class_names:
            ties.append({"class_name": {"$in": sorted(classes)}})
        return {"$or": ties} if ties else _NOBODY

    @property
    def sees_nobody(self) -> bool:
        return self.visible is _NOBODY

    @cached_property
    def _granted_student_ids(self) -> frozenset[ObjectId]:
        return frozenset(grant.student_id for grant in self.viewer.grants if grant.student_id is not None)

    def relationships(self, row: Row, record_type: type[Record] = Student) -> frozenset[Relationship]:
        viewer = self.viewer
        ties = set()
        if row["_id"] in viewer.own_student_ids:
            ties.add(Relationship.SELF)
        if row["_id"] in viewer.ward_ids:
            ties.add(Relationship.GUARDIAN)
        if row.get("class_name") in viewer.class_names:
            ties.add(Relationship.TEACHER)
        if row.get("class_name") in viewer.homeroom_class_names:
            ties.add(Relationship.HOMEROOM_TEACHER)
        if any(self._line_covers(line, row, record_type) for line in viewer.business_lines):
            ties.add(Relationship.BUSINESS_LINE)
        return frozenset(ties)

    def _line_covers(self, name: str, row: Row, record_type: type[Record]) -> bool:
        line = self.viewer.policy.rules.business_lines.get(name)
        if line is None or record_type.subject_type not in line.record_types:
            return False
        return line.student_statuses is None or row.get("status") in line.student_statuses

    def decide(
        self, row: Row, record_type: type[Record] = Student, document_type: str | None = None
    ) -> RowDecision:
        """The decision on the student's record, or on a record of another type that belongs to the student."""
        ties = self.relationships(row, record_type)
        without = self.viewer.decide(record_type, ties)
        grants = tuple(grant for grant in self.viewer.grants if grant.covers(row["_id"], document_type))
        if not grants:
            return RowDecision(without, without)
        granted = frozenset().union(*(grant.classes for grant in grants))
        return RowDecision(self.viewer.decide(record_type, ties, granted), without, grants)

    def decide_for_all(self, paths: frozenset[str]) -> FieldDecision | None:
        """The decision on each visible row as far as these paths go, or None where it differs by row."""
        viewer = self.viewer
        ties = self._possible_ties
        if viewer.reads_by_post:
            base = viewer.decide(Student)
            if paths <= base.readable or not (ties or viewer.grants):
                return base
        elif len(ties) == 1 and not self._granted_student_ids:
            return viewer.decide(Student, ties)
        return None

    @cached_property
    def _possible_ties(self) -> frozenset[Relationship]:
        viewer = self.viewer
        held = {
            Relationship.SELF: viewer.own_student_ids,
            Relationship.GUARDIAN: viewer.ward_ids,
            Relationship.TEACHER: viewer.class_names,
            Relationship.HOMEROOM_TEACHER: viewer.homeroom_class_names,
            Relationship.BUSINESS_LINE: viewer.business_lines,
        }
        return frozenset(tie for tie, ground in held.items() if ground)

    @cached_property
    def filterable(self) -> frozenset[str]:
        """What filters and orders may use: a field that some row keeps back would tell of that row."""
        return self.everywhere & Student.filterable_paths

    @cached_property
    def everywhere(self) -> frozenset[str]:
        """Paths readable on every visible row, whatever ties it."""
        viewer = self.viewer
        if viewer.reads_by_post:
            return viewer.decide(Student).readable
        # A business line gives no sight by itself.
        ties = self._possible_ties - {Relationship.BUSINESS_LINE}
        decisions = [viewer.decide(Student, frozenset({tie})) for tie in ties]
        if self._granted_student_ids:
            # A grant for a document type opens nothing of the record itself.
            granted = [
                frozenset() if grant.document_type else grant.classes
                for grant in viewer.grants
                if grant.student_id is not None
            ]
            decisions.append(viewer.decide(Student, granted=frozenset.intersection(*granted)))
        return frozenset.intersection(*(held.readable for held in decisions)) if decisions else frozenset()

    @cached_property
    def grants_to_look_up(self) -> frozenset[ObjectId]:
        """The grants that a look-up by a sensitive value owes a view to, whether it finds their student or not."""
        viewer = self.viewer
        if viewer.reads_by_post:
            return frozenset()
        named = self._granted_student_ids - viewer.own_student_ids - viewer.ward_ids
        return frozenset(grant.id for grant in viewer.grants if grant.student_id in named)

    @property
    def somewhere(self) -> FieldDecision:
        """What the ties and grants of the viewer give together: no visible row gives more."""
        granted = (grant.classes for grant in self.viewer.grants if not grant.document_type)
        return self.viewer.decide(Student, self._possible_ties, frozenset().union(*granted))


def student_scope(viewer: Viewer) -> StudentScope:
    return StudentScope(viewer)


def withheld_paths(
    paths: frozenset[str], decisions: Iterable[FieldDecision], record_type: type[Record] = Student
) -> dict[str, Withheld]:
    """The paths asked for that some row keeps back, and why; a stated purpose is said where it would help."""
    classes = field_classes(record_type)
    reasons: dict[str, Withheld] = {}
    for decision in decisions:
        for path in paths - decision.readable:
            reason = decision.why_withheld(classes[path])
            if reasons.get(path) is not Withheld.PURPOSE_REQUIRED:
                reasons[path] = reason
    return reasons
