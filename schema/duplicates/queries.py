"""`duplicateCandidates`, `mergeCase` and `mergeCases`."""

from __future__ import annotations

import strawberry

from archive_store.duplicates.candidates import duplicate_candidates
from archive_store.duplicates.queries import merge_cases_by_student
from schema.context import Request
from schema.duplicates.types import DuplicateCandidate, MergeCase, candidate_type
from schema.nodes import Connection, connection, key_of


async def resolve_candidates(
    info: Request,
    first: int = 20,
    after: str | None = None,
    minimum_score: int = 50,
    with_dismissed: bool = False,
) -> Connection[DuplicateCandidate]:
    page = await duplicate_candidates(
        info.context.store,
        info.context.viewer,
        first=first,
        after=after,
        minimum_score=minimum_score,
        with_dismissed=with_dismissed,
    )
    cursors = [held.cursor for held in page.rows]
    rows = [candidate_type(held) for held in page.rows]
    return connection(rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_merge_case(info: Request, id: strawberry.ID) -> MergeCase | None:  # noqa: A002
    """One merge; null when there is none to see."""
    return await info.context.loaders.merge_cases.load(key_of(id, "MergeCase", field="id"))  # type: ignore[return-value]


async def resolve_merge_cases(info: Request, student_id: strawberry.ID) -> list[MergeCase]:
    key = key_of(student_id, "Student", field="studentId")
    found = await merge_cases_by_student(info.context.store, info.context.viewer, [key])
    return found.get(key, [])  # type: ignore[return-value]


@strawberry.type
class DuplicateQueries:
    """Read of duplicates."""

    duplicate_candidates: Connection[DuplicateCandidate] = strawberry.field(
        resolver=resolve_candidates,
        description="疑似重复: pairs of records that may be of one person, the likeliest first, for those who may ask "
        "for a merge.",
    )
    merge_case: MergeCase | None = strawberry.field(
        resolver=resolve_merge_case, description="One merge (合并); null when there is none to see."
    )
    merge_cases: list[MergeCase] = strawberry.field(
        resolver=resolve_merge_cases, description="合并 that a student's record was part of, newest first."
    )
