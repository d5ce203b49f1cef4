"""The way of received bytes into the object store: gathered, hashed, encrypted and stored, with bounded memory.

No plaintext touches a disk. What is committed is stored encrypted already; what is not was never received.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStore
from archive_store.inspection.media_types import SNIFF_SIZE
from archive_store.scans.encryption import Part, SegmentPlace
from archive_store.scans.segments import SEGMENT_SIZE, Segment, StoredContent, load_segment, store_segment

# A smaller rest is stored as a tail, to be continued; else senders of small pieces would leave as many segments.
LEAST_SEGMENT = 1024 * 1024
# Segments being stored while the next is gathered; each takes up to four times SEGMENT_SIZE of memory.
_UNDER_WAY = 2

# Told which number the first of some stored segments has, the segments, the tail after them, and whether the file is
# whole; raises where they may not be kept. Who was cut off meanwhile tells it again.
Commit = Callable[[int, list[Segment], Segment | None, bool], Awaitable[None]]


class Reception:
    """The bytes of one request, into segments that follow those of `before` and a tail after them.

    `length` is that of the whole file, None where the sender does not tell it: then `end` closes the file by an empty
    last segment. `digest` has taken all bytes before, None where it is not to be had. `check_head` is told what the
    file begins with, once that is there. With `commits_at_end` nothing is committed before `end`.
    """

    def __init__(
        self,
        objects: ObjectStore,
        before: StoredContent,
        *,
        length: int | None,
        commit: Commit,
        digest: Any = None,
        check_head: Callable[[bytes], None] | None = None,
        commits_at_end: bool = False,
    ) -> None:
        self._objects = objects
        self._before = before
        self._length = length
        self._commit = commit
        self._digest = digest
        self._check_head = check_head
        self._commits_at_end = commits_at_end
        self._buffer = bytearray()
        self._hashed = 0  # bytes of the buffer
        self._number = len(before.segments)
        self._sealed = before.size  # bytes of the file in segments, those under way included
        self._is_closed = False  # the last segment is sealed
        self._under_way: deque[asyncio.Task[Segment]] = deque()
        self._stored: list[Segment] = []  # and not committed
        self._next_to_commit = len(before.segments)
        self._committing: asyncio.Task[None] | None = None

    @property
    def received(self) -> int:
        """Bytes of the file so far, committed or not."""
        return self._sealed + len(self._buffer)

    async def take_up(self, tail: Segment) -> None:
        """Go on from a tail, before anything is written."""
        self._buffer += await load_segment(self._objects, self._before.key, self._place(Part.TAIL), tail)
        self._hashed = len(self._buffer)

    async def write(self, piece: bytes) -> None:
        """Take the next bytes; TOO_LARGE beyond the length of the file."""
        if self._length is not None and self.received + len(piece) > self._length:
            raise RegistrarError(ErrorCode.TOO_LARGE, limit=f"{self._length} bytes")
        view = memoryview(piece)
        while len(view):
            room = SEGMENT_SIZE - len(self._buffer)
            self._buffer += view[:room]
            view = view[room:]
            is_last = self.received == self._length
            if is_last or self.received >= SNIFF_SIZE:
                self._look_at_head()
            if is_last or len(self._buffer) == SEGMENT_SIZE:
                await self._seal(is_last=is_last)

    async def end(self) -> None:
        """Store what is left, and return when all of it is committed; EMPTY_FILE."""
        if self._length is None:
            if not self.received:
                raise RegistrarError(ErrorCode.EMPTY_FILE)
            self._look_at_head()
            if self._buffer:
                await self._seal(is_last=False)
            await self._seal(is_last=True)
        elif len(self._buffer) >= LEAST_SEGMENT:
            await self._seal(is_last=False)
        await self._settle(0)
        await self._committed()
        tail = None
        if self._buffer:
            await self._hash()
            place = self._place(Part.TAIL)
            tail = await store_segment(self._objects, self._before.key, place, self._buffer)
        if self._stored or tail is not None:
            await self._commit(self._next_to_commit, self._stored, tail, self._is_closed)
            self._next_to_commit += len(self._stored)
            self._stored = []

    async def abort(self) -> None:
        """Wait for what is being stored or committed, and commit no more."""
        committing = [] if self._committing is None else [self._committing]
        await asyncio.gather(*self._under_way, *committing, return_exceptions=True)
        self._under_way.clear()

    def _look_at_head(self) -> None:
        if self._check_head is not None:
            self._check_head(bytes(self._buffer[:SNIFF_SIZE]))
            self._check_head = None

    async def _seal(self, *, is_last: bool) -> None:
        await self._hash()
        place, plain = self._place(Part.CONTENT, is_last=is_last), self._buffer
        self._buffer, self._hashed = bytearray(), 0
        self._number, self._sealed, self._is_closed = self._number + 1, self._sealed + len(plain), is_last
        storing = store_segment(self._objects, self._before.key, place, plain)
        self._under_way.append(asyncio.create_task(storing))
        del plain, storing
        await self._settle(_UNDER_WAY)

    async def _settle(self, most_under_way: int) -> None:
        # In their order, since a file grows at its end.
        while self._under_way and (len(self._under_way) > most_under_way or self._under_way[0].done()):
            self._stored.append(await asyncio.shield(self._under_way[0]))
            self._under_way.popleft()
        is_busy = self._committing is not None and not self._committing.done()
        if self._stored and not (is_busy or self._is_closed or self._commits_at_end):
            await self._committed()
            # While the next segments are gathered and stored; `end` commits the last ones.
            self._committing = asyncio.create_task(self._commit_in_background(self._stored))
            self._stored = []

    async def _commit_in_background(self, segments: list[Segment]) -> None:
        first = self._next_to_commit
        self._next_to_commit += len(segments)
        await self._commit(first, segments, None, False)

    async def _committed(self) -> None:
        """Wait for the commit under way, if there is one."""
        if self._committing is not None:
            await asyncio.shield(self._committing)
            self._committing = None

    async def _hash(self) -> None:
        fresh = memoryview(self._buffer)[self._hashed :]
        if self._digest is not None and len(fresh):
            await asyncio.to_thread(self._digest.update, fresh)
        fresh.release()
        self._hashed = len(self._buffer)

    def _place(self, part: Part, *, is_last: bool = True) -> SegmentPlace:
        before = self._before
        return SegmentPlace(before.scan_id, before.content_version, part, self._number, is_last)
