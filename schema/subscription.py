"""What is told as it happens; what can be read is in `root.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import strawberry

from schema.audit.subscriptions import subscribe_to_notifications
from schema.audit.types import Notification
from schema.imports.subscriptions import subscribe_to_import
from schema.imports.types import ImportBatch
from schema.tasks.subscriptions import subscribe_to_tasks
from schema.tasks.types import Task


@strawberry.type(
    description="What is told as it happens, over graphql-transport-ws and server-sent events. It ends with an error "
    "whose code says why: `unauthenticated`, `post_ended`, `events_missed`, `too_slow`, `try_again`."
)
class Subscription:
    notification_added: AsyncGenerator[Notification, None] = strawberry.subscription(
        resolver=subscribe_to_notifications,
        description="通知 to the viewer and the posts they hold, from now on.",
    )
    task_added: AsyncGenerator[Task, None] = strawberry.subscription(
        resolver=subscribe_to_tasks,
        description="待办: what comes to await the viewer's decision, from now on.",
    )
    import_progress: AsyncGenerator[ImportBatch, None] = strawberry.subscription(
        resolver=subscribe_to_import,
        description="导入进度: the batch now and whenever it goes on, until it has ended.",
    )
