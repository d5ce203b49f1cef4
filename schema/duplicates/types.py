"""Candidates for a merge, and merges (合并)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.duplicates import documents as stored
from archive_store.duplicates.candidates import Candidate
from archive_store.duplicates.queries import MergeView
from schema.access import GovernedType, governed
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.duplicates.enums import DuplicateGround, MergeStatus
from schema.errors import camel_case
from schema.nodes import Connection, Node, global_id
from schema.students.types import Student

CASE = stored.MergeCase


@strawberry.type(description="疑似重复: two records that may be of one person.")
class DuplicateCandidate:
    score: int = strawberry.field(description="From 0 to 100, by the grounds that the viewer may know.")
    grounds: list[DuplicateGround]
    is_dismissed: bool = strawberry.field(description="It was looked at: two persons.")
    student_ids: list[strawberry.ID]

    @strawberry.field(description="The two records, as the viewer may see them.")
    async def students(self, info: Request) -> list[Student | None]:
        return [await Student.resolve_reference(info, key) for key in self._keys]  # type: ignore[misc]

    _keys: strawberry.Private[tuple[ObjectId, ObjectId]]


@strawberry.type(description="合并: one record went into another, and can be taken out again.")
class MergeCase(Node):
    status: MergeStatus | None = governed(CASE, "status", "合并状态")
    merged_at: datetime | None = governed(CASE, "merged_at", "when")
    reversed_at: datetime | None = governed(CASE, "reversed_at", "when it was reversed")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="What the record that goes on took of the other.")
    def fields(self) -> list[str]:
        return [camel_case(name) or "" for name in _view(self).fields]

    @strawberry.field(description="The record that goes on.")
    async def survivor(self, info: Request) -> Student | None:
        return await Student.resolve_reference(info, _view(self).survivor_id)  # type: ignore[return-value]

    @strawberry.field(description="The record that was voided.")
    async def merged(self, info: Request) -> Student | None:
        return await Student.resolve_reference(info, _view(self).merged_id)  # type: ignore[return-value]

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, MergeView)


def _view(source: Any) -> MergeView:
    assert isinstance(source, MergeView)  # noqa: S101
    return source


MERGE_CASE = GovernedType(MergeCase)


def candidate_type(held: Candidate) -> DuplicateCandidate:
    return DuplicateCandidate(
        score=held.score,
        grounds=sorted(held.grounds),
        is_dismissed=held.is_dismissed,
        student_ids=[strawberry.ID(global_id("Student", key)) for key in held.pair],
        _keys=held.pair,
    )
