"""What the clock does with appeals: it reminds before the last day for the decision, and tells once when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from bson import ObjectId

from archive_store.audit.clock_work import change_each
from archive_store.conduct.documents import Appeal
from archive_store.conduct.rules import APPOINTERS, OPEN_APPEALS, is_overdue
from archive_store.conduct.steps import change_told, policy_in_force
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.students.family import tell_family

_OPEN: Row = {"status": {"$in": sorted(status.value for status in OPEN_APPEALS)}}


async def remind_of_decisions(store: Store, now: datetime) -> int:
    """Remind the committee, or who names it, once for each last day that is near; of how many appeals."""
    today, days = school_day(now), (await policy_in_force(store)).rules.reminder_days
    if not days:
        return 0
    near = today + timedelta(days=days)
    query = {**_OPEN, "decide_by": {"$gte": today.isoformat(), "$lte": near.isoformat()}}
    return await _each(store, query, "reminded_for", "remind", today)


async def tell_overdue(store: Store, now: datetime) -> int:
    """Tell once for each last day that passed without a decision, the family too; of how many appeals."""
    today = school_day(now)
    query = {**_OPEN, "decide_by": {"$lt": today.isoformat()}}
    return await _each(store, query, "told_overdue_for", "tell_overdue", today)


async def _each(store: Store, query: Row, mark: str, verb: str, today: date) -> int:
    """Of each appeal of the query that bears no mark for its last day."""

    async def tell(unit: UnitOfWork, appeal: Appeal) -> None:
        await change_told(unit, appeal, {mark: appeal.decide_by}, f"appeal:{verb}")
        late = is_overdue(appeal, today)
        kind = "appeal:overdue" if late else "appeal:due_soon"
        subject = Subject(Appeal.subject_type, appeal.key)
        for recipient in _recipients(appeal, late=late):
            unit.notify(recipient, kind, subject)
        if late:
            await tell_family(unit, appeal, appeal.student_id, kind)

    unmarked = {**query, "$expr": {"$ne": [f"${mark}", "$decide_by"]}}
    return await change_each(store, f"appeal.{verb}", Appeal, unmarked, tell)


def _recipients(appeal: Appeal, *, late: bool) -> Sequence[ObjectId | Post]:
    committee: list[ObjectId | Post] = [member.person_id for member in appeal.committee]
    posts = sorted(APPOINTERS) if late or not committee else []
    return [*committee, *posts]
