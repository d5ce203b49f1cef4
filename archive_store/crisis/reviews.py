"""The after-action review (复盘), and what the clock does. Policy §四(一): 事后需进行全面复盘,总结经验教训.

`crisis_team.submit_review`, `crisis_team.close`; `stand_down_ended` and `mark_reviews_due` are jobs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import StringConstraints

from archive_store.audit.clock_work import change_each
from archive_store.crisis.documents import REVIEW_TEXTS, AfterActionReview, CrisisTeam, CrisisTeamStatus
from archive_store.crisis.rules import FORMERS, TeamAction, after
from archive_store.crisis.steps import (
    ANY_POST,
    TeamPayload,
    allowed,
    end_team,
    move,
    team_operation,
    write,
)
from archive_store.foundation.clock import school_day
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork

TEXT_LIMIT = 10_000

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_LIMIT)]


class CrisisTeamSubmitReview(TeamPayload):
    """Payload of `crisis_team.submit_review`: what happened, what was found and learnt, what shall be done."""

    timeline: Text | None = None
    findings: Text
    lessons: Text
    measures: Text | None = None


async def _submit(unit: UnitOfWork, payload: CrisisTeamSubmitReview) -> ObjectId:
    team, _ = await move(unit, payload.team_id, TeamAction.SUBMIT_REVIEW)
    assert unit.actor.person_id is not None  # noqa: S101 - only people write reviews
    review = AfterActionReview(
        **{name: getattr(payload, name) for name in REVIEW_TEXTS},
        author_id=PydanticObjectId(unit.actor.person_id),
        author_name=unit.actor.name,
        submitted_at=unit.at,
    )
    verb, told = ("amend_review", "review_amended") if team.reviews else ("submit_review", "review_submitted")
    await write(unit, team, verb, told, {"reviews": [*team.reviews, review]})
    return team.key


async def _close(unit: UnitOfWork, payload: TeamPayload) -> ObjectId:
    team, status = await move(unit, payload.team_id, TeamAction.CLOSE)
    await write(unit, team, "close", "closed", {"status": status, "closed_at": unit.at})
    return team.key


CRISIS_TEAM_SUBMIT_REVIEW = team_operation(
    "crisis_team.submit_review",
    CrisisTeamSubmitReview,
    ANY_POST,
    allowed(TeamAction.SUBMIT_REVIEW),
    _submit,
)
CRISIS_TEAM_CLOSE = team_operation(
    "crisis_team.close", TeamPayload, FORMERS, allowed(TeamAction.CLOSE), _close
)


async def stand_down_ended(store: Store, now: datetime) -> int:
    """Stand down the teams whose last day is over, so that a forgotten one is reviewed as well; how many."""
    today = school_day(now).isoformat()
    query = {"status": CrisisTeamStatus.ACTIVE.value, "valid_to": {"$lt": today}}

    async def end(unit: UnitOfWork, team: CrisisTeam) -> None:
        await end_team(unit, team, after(team.status, TeamAction.STAND_DOWN))

    return await change_each(store, "crisis_team.stand_down", CrisisTeam, query, end)


async def mark_reviews_due(store: Store, now: datetime) -> int:
    """Mark the teams whose review is missing on its last day, and remind those who owe it, once; how many."""
    today = school_day(now).isoformat()
    query = {
        "status": CrisisTeamStatus.STOOD_DOWN.value,
        "review_due": {"$lte": today},
        "reviews": [],
    }

    async def mark(unit: UnitOfWork, team: CrisisTeam) -> None:
        status = after(team.status, TeamAction.MARK_REVIEW_DUE)
        await unit.change(team, {"status": status})
        subject = Subject(CrisisTeam.subject_type, team.key)
        change = FieldChange("status", bson_value(team.status), bson_value(status))
        unit.audit(subject, "crisis_team:mark_review_due", [change])
        for recipient in (team.leader_id, Post.VICE_PRINCIPAL):
            unit.notify(recipient, "crisis_team:review_due", subject)

    return await change_each(store, "crisis_team.mark_review_due", CrisisTeam, query, mark)
