"""`duplicateCandidates` and `mergeCases`."""

from __future__ import annotations

import strawberry

from archive_store.duplicates.queries import duplicate_candidates, merge_cases_by_student
from schema.context import Request
from schema.duplicates.types import DuplicateCandidates, MergeCase, candidate_type, merge_cases
from schema.nodes import key_of


async def resolve_candidates(
    info: Request, first: int = 20, minimum_score: int = 50, with_dismissed: bool = False
) -> DuplicateCandidates:
    found = await duplicate_candidates(
        info.context.store,
        info.context.viewer,
        first=first,
        minimum_score=minimum_score,
        with_dismissed=with_dismissed,
    )
    return DuplicateCandidates(
        candidates=[candidate_type(held) for held in found.found], is_whole=found.is_whole
    )


async def resolve_merge_cases(info: Request, student_id: strawberry.ID) -> list[MergeCase]:
    key = key_of(student_id, "Student", field="studentId")
    found = await merge_cases_by_student(info.context.store, info.context.viewer, [key])
    return merge_cases(found.get(key, []))


@strawberry.type
class DuplicateQueries:
    """Read of duplicates."""

    duplicate_candidates: DuplicateCandidates = strawberry.field(
        resolver=resolve_candidates,
        description="疑似重复: pairs of records that may be of one person, for those who may ask for a merge.",
    )
    merge_cases: list[MergeCase] = strawberry.field(
        resolver=resolve_merge_cases, description="合并 that a student's record was part of, newest first."
    )
