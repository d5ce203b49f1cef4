"""Approval steps (审批环节) as a viewer may see them, of a change request and of what it led to."""

from __future__ import annotations

from datetime import datetime

import strawberry

from archive_store.approvals.documents import ChangeRequest
from schema.enums import Decision, Post, Tier


@strawberry.type(description="审批环节: a decision that was taken.")
class ApprovalStep:
    tier: Tier | None
    post: Post | None = strawberry.field(description="The seat it was signed in; null of an added signature.")
    decision: Decision
    decided_by_name: str
    on_behalf_of_name: str | None = strawberry.field(description="Whose seat a delegate (受托人) signed in.")
    decided_at: datetime
    comment: str | None
    is_void: bool = strawberry.field(description="The request was revised since.")


def steps_of(request: ChangeRequest, *, sees_text: bool) -> list[ApprovalStep]:
    """The decisions taken on the request; comments are for those who see its reason."""
    return [
        ApprovalStep(
            tier=step.tier,
            post=step.post,
            decision=step.decision,
            decided_by_name=step.decided_by_name,
            on_behalf_of_name=step.for_person_name,
            decided_at=step.decided_at,
            comment=step.comment if sees_text else None,
            is_void=step.round != request.round,
        )
        for step in request.steps
    ]
