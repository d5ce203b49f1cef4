"""`crisisTeams`."""

from __future__ import annotations

import strawberry

from archive_store.crisis.queries import list_teams
from schema.context import Request
from schema.crisis.types import CrisisTeam
from schema.enums import CrisisTeamStatus
from schema.nodes import Connection, connection, global_id, key_of


@strawberry.input(description="Conditions that all hold.")
class CrisisTeamFilter:
    status: CrisisTeamStatus | None = None
    review_overdue: bool | None = strawberry.field(
        default=None, description="Those whose review is missing after its last day, or the others."
    )


async def resolve_crisis_team(info: Request, id: strawberry.ID) -> CrisisTeam | None:  # noqa: A002
    """One team; null when there is none to see."""
    key = key_of(id, "CrisisTeam", field="id")
    return await info.context.loaders.crisis_teams.load(key)  # type: ignore[return-value]


async def resolve_crisis_teams(
    info: Request, first: int = 20, after: str | None = None, where: CrisisTeamFilter | None = None
) -> Connection[CrisisTeam]:
    """One's own teams, and for those who decide everyone's, newest first."""
    chosen = where or CrisisTeamFilter()
    page = await list_teams(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "CrisisTeam", field="after"),
        status=chosen.status,
        review_overdue=chosen.review_overdue,
    )
    cursors = [global_id("CrisisTeam", view.id) for view in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]
