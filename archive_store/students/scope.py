"""Which students a viewer sees, and in which relationship, pure.

Outside this scope a record is "not found", so that a refusal tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archive_store.access.policy import FieldDecision, Relationship
from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.students.documents import Student

# The facts of a row that relationships are told from; loaded beside whatever is asked for.
RELATIONSHIP_FACTS = ("_id", "class_name")
_NOBODY: Row = {"_id": {"$exists": False}}


@dataclass(frozen=True, slots=True)
class StudentScope:
    """The visible students as a filter, and the decision for each relationship that occurs."""

    visible: Row
    decisions: dict[Relationship, FieldDecision]
    viewer: Viewer

    def relationship(self, row: Row) -> Relationship:
        """The strongest tie to the row's student, by `RELATIONSHIP_FACTS`."""
        viewer = self.viewer
        if row["_id"] in viewer.own_student_ids:
            return Relationship.SELF
        if row["_id"] in viewer.ward_ids:
            return Relationship.GUARDIAN
        if row.get("class_name") in viewer.class_names:
            return Relationship.TEACHER
        return Relationship.OFFICE

    def decision(self, row: Row) -> FieldDecision:
        return self.decisions[self.relationship(row)]

    @property
    def readable_everywhere(self) -> frozenset[str]:
        """Paths readable on each visible row: what filters and orders may use."""
        readable = [decision.readable for decision in self.decisions.values()]
        return frozenset.intersection(*readable) if readable else frozenset()

    @property
    def is_uniform(self) -> bool:
        return len({decision.readable for decision in self.decisions.values()}) <= 1


def student_scope(viewer: Viewer) -> StudentScope:
    ties: list[Row] = []
    relationships: list[Relationship] = []
    if viewer.own_student_ids:
        ties.append({"_id": {"$in": sorted(viewer.own_student_ids)}})
        relationships.append(Relationship.SELF)
    if viewer.ward_ids:
        ties.append({"_id": {"$in": sorted(viewer.ward_ids)}})
        relationships.append(Relationship.GUARDIAN)
    if viewer.class_names:
        ties.append({"class_name": {"$in": sorted(viewer.class_names)}})
        relationships.append(Relationship.TEACHER)
    if viewer.reads_by_post:
        relationships.append(Relationship.OFFICE)
    visible: Row = {} if viewer.reads_by_post else {"$or": ties} if ties else _NOBODY
    return StudentScope(visible, {tie: viewer.may_read(Student, tie) for tie in relationships}, viewer)


def withheld_paths(paths: frozenset[str], decisions: Sequence[FieldDecision]) -> frozenset[str]:
    """The paths asked for that some row keeps back."""
    return frozenset(path for path in paths if any(path not in held.readable for held in decisions))
