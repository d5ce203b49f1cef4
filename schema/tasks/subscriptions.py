"""`taskAdded`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial

from archive_store.admission.documents import AdmissionCase
from archive_store.audit.notifications import AWAITS_DECISION
from archive_store.conduct.tasks import AWAITS_SOMEBODY
from schema.audit.subscriptions import told_from_now, when_reachable
from schema.context import Request
from schema.tasks.queries import task_about, task_about_appeal, task_about_case
from schema.tasks.types import Task


async def subscribe_to_tasks(info: Request) -> AsyncGenerator[Task, None]:
    """A task for each notification that somebody's move is awaited, if it is the viewer's to take."""
    about: Callable[[], Awaitable[Task | None]]
    async with aclosing(told_from_now(info)) as told:
        async for notification in told:
            if notification.kind == AWAITS_DECISION:
                about = partial(task_about, info.context, notification.subject.id)
            elif notification.subject.type == AdmissionCase.subject_type:
                about = partial(task_about_case, info, notification.subject.id)
            elif notification.kind in AWAITS_SOMEBODY:
                about = partial(task_about_appeal, info.context, notification.subject.id)
            else:
                continue
            task = await when_reachable(about)
            if task is not None:
                yield task
