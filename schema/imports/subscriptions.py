"""`importProgress`: a batch as it goes on.

A batch is watched by one or two people for some minutes, so that it is looked at by its key, and no change stream is
opened for each of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from functools import partial

import strawberry

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.documents import ENDED_STATUSES, BatchStatus
from archive_store.imports.queries import batches_by_id
from schema.audit.subscriptions import VIEWER_CHECK_SECONDS, presence_of, when_reachable
from schema.context import Request
from schema.imports.types import ImportBatch
from schema.nodes import key_of

LOOK_SECONDS = 0.5


async def subscribe_to_import(info: Request, id: strawberry.ID) -> AsyncGenerator[ImportBatch, None]:  # noqa: A002
    """The batch now, and whenever it has gone on, until it has ended.

    It ends with UNAUTHENTICATED, POST_ENDED or TRY_AGAIN, and NOT_FOUND without a batch in sight.
    """
    context, key = info.context, key_of(id, "ImportBatch", field="id")
    presence, viewer = presence_of(context), context.viewer
    seen, checked = 0, time.monotonic()
    while True:
        if time.monotonic() - checked > VIEWER_CHECK_SECONDS:
            held, viewer = viewer.posts, await when_reachable(presence.viewer)
            if not held <= viewer.posts:
                raise RegistrarError(ErrorCode.POST_ENDED)
            checked = time.monotonic()
        (batch,) = await when_reachable(partial(batches_by_id, context.store, viewer, [key]))
        if batch is None:
            raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
        if batch.revision != seen:
            seen = batch.revision
            context.begin(viewer)
            yield batch
        if batch.status in ENDED_STATUSES - {BatchStatus.UNDOING}:
            return
        await asyncio.sleep(LOOK_SECONDS)
