"""What the clock does with transfer cases: it reminds us before our own due day, and tells once of each one missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

from bson import ObjectId

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Job, Store
from archive_store.foundation.unit_of_work import CLOCK, UnitOfWork
from archive_store.transfer_cases.documents import REMINDER_MOST, CaseState, TransferCase
from archive_store.transfer_cases.rules import OURS, is_file_overdue, is_ours, is_overdue
from archive_store.transfer_cases.steps import write_case

_RUNNING = {"state": CaseState.IN_PROCESS.value}
_OFFICE = (Post.INFORMATION_GROUP,)
_OFFICE_AND_HEAD = (Post.INFORMATION_GROUP, Post.DIRECTOR)
_ARCHIVE_AND_OFFICE = (Post.ARCHIVE_GROUP, Post.INFORMATION_GROUP)


_Told = tuple[tuple[str, date | None], Sequence[Post]]


async def remind_of_own_step(store: Store, now: datetime) -> int:
    """Remind the information group once for each due day of ours that is near; of how many cases."""
    today = school_day(now)

    def near(case: TransferCase) -> _Told | None:
        due = case.due_on
        if case.state is not CaseState.IN_PROCESS or due is None or not is_ours(case.direction, case.awaited):
            return None
        if not today <= due <= today + timedelta(days=case.reminder_days):
            return None
        return ("reminded_for", due), _OFFICE

    ours = [{"direction": direction.value, "awaited": party.value} for direction, party in OURS.items()]
    furthest = today + timedelta(days=REMINDER_MOST)
    query = {
        **_RUNNING,
        "$or": ours,
        "reminder_days": {"$gt": 0},
        "due_on": {"$gte": today.isoformat(), "$lte": furthest.isoformat()},
        "$expr": {"$ne": ["$reminded_for", "$due_on"]},
    }
    return await _each(store, query, "due_soon", near)


async def tell_late_steps(store: Store, now: datetime) -> int:
    """Tell once of each due day that a party let pass: of ours the head, too; of how many cases."""
    today = school_day(now)

    def late(case: TransferCase) -> _Told | None:
        if not is_overdue(case, today):
            return None
        posts = _OFFICE_AND_HEAD if is_ours(case.direction, case.awaited) else _OFFICE
        return ("told_late_for", case.due_on), posts

    query = {
        **_RUNNING,
        "due_on": {"$lt": today.isoformat()},
        "$expr": {"$ne": ["$told_late_for", "$due_on"]},
    }
    return await _each(store, query, "overdue", late)


async def tell_late_files(store: Store, now: datetime) -> int:
    """Tell archive and information group once of each archive that was not sent in its time; of how many."""
    today = school_day(now)

    def late(case: TransferCase) -> _Told | None:
        if not is_file_overdue(case, today):
            return None
        return ("told_file_late_for", case.file_due_on), _ARCHIVE_AND_OFFICE

    query = {
        "state": CaseState.COMPLETED.value,
        "file_transfer_id": None,
        "file_due_on": {"$lt": today.isoformat()},
        "$expr": {"$ne": ["$told_file_late_for", "$file_due_on"]},
    }
    return await _each(store, query, "file_overdue", late)


async def _each(store: Store, query: Row, verb: str, judge: Callable[[TransferCase], _Told | None]) -> int:
    """Of each case of the query, in a transaction of its own: to whom it is told, and the mark that it was."""
    done = 0
    for row in await store.database.collection(TransferCase).find(query, {"_id": 1}).to_list():

        async def work(unit: UnitOfWork, key: ObjectId = row["_id"]) -> bool:
            case = await unit.load(TransferCase, key)
            if case is None or (due := judge(case)) is None:
                return False
            (mark, day), posts = due
            if getattr(case, mark) == day:
                return False
            subject = await write_case(unit, case, verb, {mark: day})
            for post in posts:
                unit.notify(post, f"transfer_case:{verb}", subject)
            return True

        try:
            done += await governed_transaction(store, CLOCK, f"transfer_case.{verb}", work)
        except RegistrarError:
            continue  # somebody changed it meanwhile; the next run looks at it again
    return done


CASE_JOBS: Mapping[str, Job] = {
    "transfer_case.remind": remind_of_own_step,
    "transfer_case.tell_late": tell_late_steps,
    "transfer_case.tell_late_files": tell_late_files,
}
