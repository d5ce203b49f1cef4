"""`verificationCampaign`, `verificationCampaigns` and `verificationItem`."""

from __future__ import annotations

import strawberry

from archive_store.semester_verification.queries import list_campaigns
from schema.context import Request
from schema.nodes import Connection, connection, global_id, key_of
from schema.semester_verification.types import VerificationCampaign, VerificationItem


async def resolve_verification_campaign(info: Request, id: strawberry.ID) -> VerificationCampaign | None:  # noqa: A002
    """One campaign; null when there is none to see."""
    key = key_of(id, "VerificationCampaign", field="id")
    return await info.context.loaders.verification_campaigns.load(key)


async def resolve_verification_campaigns(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[VerificationCampaign]:
    """Campaigns, newest first."""
    page = await list_campaigns(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "VerificationCampaign", field="after"),
    )
    cursors = [global_id("VerificationCampaign", campaign.key) for campaign in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_verification_item(info: Request, id: strawberry.ID) -> VerificationItem | None:  # noqa: A002
    """One item; null when there is none to see."""
    key = key_of(id, "VerificationItem", field="id")
    return await info.context.loaders.verification_items.load(key)  # type: ignore[return-value]


@strawberry.type
class VerificationQueries:
    """Read of semester verification."""

    verification_campaign: VerificationCampaign | None = strawberry.field(
        resolver=resolve_verification_campaign, description="学期核验 by id."
    )
    verification_campaigns: Connection[VerificationCampaign] = strawberry.field(
        resolver=resolve_verification_campaigns, description="学期核验, newest first."
    )
