"""Seats and terms of posts (policy §二(二)), pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from archive_store.foundation.posts import Post
from archive_store.people.documents import RoleGrant


def in_force(grant: RoleGrant, day: date) -> bool:
    return grant.valid_from <= day and (grant.valid_to is None or day <= grant.valid_to)


def overlaps(grant: RoleGrant, other: RoleGrant) -> bool:
    first_end, second_end = grant.valid_to or date.max, other.valid_to or date.max
    return grant.valid_from <= second_end and other.valid_from <= first_end


def seats_of(post: Post, *, deputy_director_seats: int) -> int | None:
    """How many hold a post at once; None where the policy sets no number."""
    if post in (Post.DIRECTOR, Post.PRINCIPAL):
        return 1
    return deputy_director_seats if post is Post.DEPUTY_DIRECTOR else None


def seats_taken(candidate: RoleGrant, others: Iterable[RoleGrant]) -> int:
    """Grants of the same post, of other people, that overlap the candidate's term."""
    return sum(
        other.post is candidate.post and other.person_id != candidate.person_id and overlaps(candidate, other)
        for other in others
    )
