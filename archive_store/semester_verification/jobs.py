"""What the clock does with running campaigns: it reminds before the last day, and closes after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from bson import ObjectId

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK, Subject, UnitOfWork
from archive_store.foundation.work_calendars import load_working_days
from archive_store.semester_verification.campaigns import close_campaign, write_campaign
from archive_store.semester_verification.documents import CampaignStatus, ItemState, VerificationCampaign
from archive_store.semester_verification.listing import tell_homeroom_teachers


async def close_ended(store: Store, now: datetime) -> int:
    """Close the campaigns whose last day is over; how many."""
    today = school_day(now)
    return await _each(store, "verification.close", lambda held: held.closes_on < today, close_campaign)


async def remind_of_end(store: Store, now: datetime) -> int:
    """Once for each last day, those are reminded who have records left to verify; of how many campaigns."""
    today, calendar = school_day(now), await load_working_days(store)
    count = store.settings.verification_reminder_working_days

    def is_due(campaign: VerificationCampaign) -> bool:
        near = count > 0 and calendar.working_day_after(today, count) >= campaign.closes_on
        return near and campaign.reminded_for != campaign.closes_on and today <= campaign.closes_on

    async def remind(unit: UnitOfWork, campaign: VerificationCampaign) -> None:
        await write_campaign(unit, campaign, "remind", {"reminded_for": campaign.closes_on})
        await tell_homeroom_teachers(unit, campaign, "closes_soon", {"state": ItemState.PENDING.value})
        subject = Subject(VerificationCampaign.subject_type, campaign.key)
        unit.notify(Post.INFORMATION_GROUP, "verification:closes_soon", subject)

    return await _each(store, "verification.remind", is_due, remind)


async def _each(
    store: Store,
    operation: str,
    is_due: Callable[[VerificationCampaign], bool],
    change: Callable[[UnitOfWork, VerificationCampaign], Awaitable[None]],
) -> int:
    """Change each open campaign that is due in a transaction of its own, if it still is then."""
    done = 0
    rows = store.database.collection(VerificationCampaign).find({"status": CampaignStatus.OPEN.value})
    due = [held for row in await rows.to_list() if is_due(held := VerificationCampaign.model_validate(row))]
    for campaign in due:
        try:
            done += await governed_transaction(store, CLOCK, operation, _one(campaign.key, is_due, change))
        except RegistrarError:
            # Somebody changed it meanwhile; the next run looks at it again.
            continue
    return done


def _one(
    key: ObjectId,
    is_due: Callable[[VerificationCampaign], bool],
    change: Callable[[UnitOfWork, VerificationCampaign], Awaitable[None]],
) -> Any:
    async def work(unit: UnitOfWork) -> int:
        campaign = await unit.load(VerificationCampaign, key)
        if campaign is None or campaign.status is not CampaignStatus.OPEN or not is_due(campaign):
            return 0
        await change(unit, campaign)
        return 1

    return work
