"""`taskAdded`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from archive_store.audit.notifications import AWAITS_DECISION
from schema.audit.subscriptions import told_from_now, when_reachable
from schema.context import Request
from schema.tasks.queries import task_about
from schema.tasks.types import Task


async def subscribe_to_tasks(info: Request) -> AsyncGenerator[Task, None]:
    """A task for each notification that a decision is awaited, if it is the viewer's to take."""
    async with aclosing(told_from_now(info)) as told:
        async for notification in told:
            if notification.kind == AWAITS_DECISION:
                task = await when_reachable(partial(task_about, info.context, notification.subject.id))
                if task is not None:
                    yield task
