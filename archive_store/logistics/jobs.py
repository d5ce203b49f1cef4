"""What the clock does with beds: one that is held by somebody who is not in study is told of once, and never ended."""

from __future__ import annotations

from datetime import datetime

from archive_store.audit.clock_work import change_each
from archive_store.foundation.clock import school_day
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.logistics.documents import BedStay
from archive_store.logistics.occupancy import stays_out_of_study

_AT_ONCE = 100
# All beds are looked at, so that this is done at the beginning of each hour and not in every round.
_FIRST_MINUTES = 5


async def tell_beds_held(store: Store, now: datetime) -> int:
    """`bed_stay.tell_held`: logistics learns of each such bed; of how many."""
    if now.minute >= _FIRST_MINUTES:
        return 0
    keys = await stays_out_of_study(store, _AT_ONCE)
    if not keys:
        return 0

    async def tell(unit: UnitOfWork, stay: BedStay) -> None:
        await unit.change_told(stay, {"told_held_on": school_day(now)}, "bed_stay:tell_held")
        unit.notify(Post.LOGISTICS, "bed_stay:held_out_of_study", Subject(BedStay.subject_type, stay.key))

    query = {"_id": {"$in": keys}, "told_held_on": None, "annulled_on": None}
    return await change_each(store, "bed_stay.tell_held", BedStay, query, tell)
