"""Candidates for a merge, and merges (合并)."""

from __future__ import annotations

from datetime import datetime

import strawberry
from bson import ObjectId

from archive_store.duplicates import documents as stored
from archive_store.duplicates.queries import Candidate
from archive_store.foundation.database import Row
from schema.access import GovernedType, governed
from schema.context import Request
from schema.duplicates.enums import DuplicateGround, MergeStatus
from schema.errors import camel_case
from schema.nodes import global_id
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


@strawberry.type(description="The likeliest pairs first.")
class DuplicateCandidates:
    candidates: list[DuplicateCandidate]
    is_whole: bool = strawberry.field(description="False where more pairs were found than are shown.")


@strawberry.type(description="合并: one record went into another, and can be taken out again.")
class MergeCase:
    @strawberry.field(description="Names it in `studentUnmerge`.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(global_id("MergeCase", self["_id"]))  # type: ignore[index]

    status: MergeStatus | None = governed(CASE, "status", "合并状态")
    merged_at: datetime | None = governed(CASE, "merged_at", "when")
    reversed_at: datetime | None = governed(CASE, "reversed_at", "when it was reversed")

    @strawberry.field(description="What the record that goes on took of the other.")
    def fields(self) -> list[str]:
        return [camel_case(name) or "" for name in self["fields"]]  # type: ignore[index]

    @strawberry.field(description="The record that goes on.")
    async def survivor(self, info: Request) -> Student | None:
        return await Student.resolve_reference(info, self["survivor_id"])  # type: ignore[index,return-value]

    @strawberry.field(description="The record that was voided.")
    async def merged(self, info: Request) -> Student | None:
        return await Student.resolve_reference(info, self["merged_id"])  # type: ignore[index,return-value]


MERGE_CASE = GovernedType(MergeCase)


def candidate_type(held: Candidate) -> DuplicateCandidate:
    return DuplicateCandidate(
        score=held.score,
        grounds=sorted(held.grounds),
        is_dismissed=held.is_dismissed,
        student_ids=[strawberry.ID(global_id("Student", key)) for key in held.pair],
        _keys=held.pair,
    )


def merge_cases(rows: list[Row]) -> list[MergeCase]:
    return rows  # type: ignore[return-value]
