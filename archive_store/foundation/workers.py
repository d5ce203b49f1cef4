"""Threads for one kind of work each: slow work of one kind must keep no other waiting.

The event loop's own threads are left to short work, and to the libraries that use them unasked.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from archive_store.foundation.errors import ErrorCode, RegistrarError

Args = ParamSpec("Args")
Result = TypeVar("Result")


class Workers:
    """Some threads, and where `waiting` is given how many calls may wait for one."""

    def __init__(self, name: str, threads: int, *, waiting: int | None = None) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = None if waiting is None else threading.Semaphore(threads + waiting)

    async def run(self, work: Callable[Args, Result], /, *args: Args.args, **kwargs: Args.kwargs) -> Result:
        """Call it in a thread; TRY_AGAIN at once where too many wait already."""
        return await self.start(work, *args, **kwargs)

    def start(
        self, work: Callable[Args, Result], /, *args: Args.args, **kwargs: Args.kwargs
    ) -> asyncio.Future[Result]:
        """As `run`, going on meanwhile."""
        places = self._places
        if places is not None and not places.acquire(blocking=False):
            raise RegistrarError(ErrorCode.TRY_AGAIN)
        submitted = self._pool.submit(work, *args, **kwargs)
        if places is not None:
            # By the work and not by its caller: who leaves does not end what a thread is doing.
            submitted.add_done_callback(lambda _: places.release())
        return asyncio.wrap_future(submitted)
