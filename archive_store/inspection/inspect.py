"""Inspecting a file in a child process: a hostile file may crash it, and only it.

The child asks for ranges of the plaintext, so that neither process holds the whole file, and nothing is written to a
disk. It starts with an empty environment and gives up most of what a process may do before it sees the first byte
(`child.py`); what it says is believed within bounds only (`frames.py`), and who oversteps them is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.inspection import frames
from archive_store.inspection.findings import Finding, Inspection, IntakeWarning
from archive_store.inspection.media_types import OFD, unsupported_media_type

# Offset and length in bytes of the plaintext; exactly these bytes come back, or it raises.
ReadRange = Callable[[int, int], Awaitable[bytes]]

# Of the child alone: what reading takes is not counted.
_SECONDS = 60.0
# Who finds no place free within the seconds is told to try again.
_WAIT_SECONDS = 60.0
_AT_ONCE = 2
# Of each event loop, to which a semaphore is bound.
_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
# A file may be read this often, with something for small ones: pages refer to each other.
_READS_OF_FILE = 8
_READS_OF_ANY_FILE = 64 * 1024 * 1024
_JPEG = b"\xff\xd8\xff"
_NOT_OF_A_CHILD = frozenset({IntakeWarning.DUPLICATE, IntakeWarning.NOT_VIRUS_CHECKED})
_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from archive_store.inspection.child import main; main()"
)
_T = TypeVar("_T")


class _ChildError(Exception):
    """The child crashed, takes too long, or says what it must not."""


async def inspect(media_type: str, size: int, read: ReadRange, *, page_limit: int) -> Inspection:
    """What there is to tell of the file of `size` bytes; `media_type` as of `media_type_of`.

    Raises TOO_MANY_PAGES over the limit, UNSUPPORTED_MEDIA_TYPE for a zip archive that is no OFD, TRY_AGAIN while
    others are inspected for a minute, and whatever `read` raises.
    """
    places = _places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE))
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            await places.acquire()
    except TimeoutError:
        raise RegistrarError(ErrorCode.TRY_AGAIN) from None
    try:
        conversation = _Conversation(size, read, page_limit)
        async with _child(media_type, size, page_limit) as process:
            await conversation.hold(process)
    finally:
        places.release()
    if media_type == OFD and not conversation.is_confirmed:
        raise unsupported_media_type()
    return conversation.inspection()


def _command(media_type: str, size: int, page_limit: int) -> list[str]:
    return [sys.executable, "-I", "-c", _PROGRAM, _ROOT, media_type, str(size), str(page_limit)]


@asynccontextmanager
async def _child(
    media_type: str, size: int, page_limit: int
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    process = await asyncio.create_subprocess_exec(
        *_command(media_type, size, page_limit),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=frames.READ_LIMIT,
        env={},  # ours has the passwords of the stores
        start_new_session=True,  # so that it is killed with whatever it started
    )
    try:
        yield process
    finally:
        # By its id: Popen's own kill reaps a child that has ended, of which the event loop then never hears.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        # Reads what is left in the pipe, too; without that a child that flooded it would never be reaped.
        await asyncio.shield(process.communicate())


class _Conversation:
    """One child's requests and findings."""

    def __init__(self, size: int, read: ReadRange, page_limit: int) -> None:
        self.is_confirmed = False
        self._size = size
        self._read = read
        self._page_limit = page_limit
        self._page_count: int | None = None
        self._pages: dict[IntakeWarning, set[int]] = defaultdict(set)
        self._images: dict[bytes, bytes] = {}
        self._seconds = _SECONDS
        self._readable = _READS_OF_FILE * size + _READS_OF_ANY_FILE
        self._frames = frames.FRAMES_LIMIT

    async def hold(self, process: asyncio.subprocess.Process) -> None:
        """Listen until the child has said all, or must be listened to no longer."""
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both are pipes
        try:
            while True:
                kind, payload = await self._timed(_frame(process.stdout))
                if kind == frames.READ:
                    offset, length = self._range(payload)
                    piece = await self._read(offset, length)
                    if len(piece) != length:
                        raise EOFError(f"{len(piece)} bytes at {offset} instead of {length}")
                    process.stdin.write(piece)
                    await self._timed(process.stdin.drain())
                elif kind == frames.END:
                    return
                else:
                    self._note(kind, payload)
        except _ChildError:
            self._pages[IntakeWarning.UNREADABLE].add(0)

    async def _timed(self, step: Awaitable[_T]) -> _T:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._seconds):
                return await step
        except (TimeoutError, EOFError, OSError) as error:
            raise _ChildError from error
        finally:
            self._seconds -= loop.time() - started

    def _range(self, payload: bytes) -> tuple[int, int]:
        if len(payload) != frames.RANGE.size:
            raise _ChildError
        offset, length = frames.RANGE.unpack(payload)
        self._readable -= length
        if not 0 < length <= frames.READ_LIMIT or offset + length > self._size or self._readable < 0:
            raise _ChildError
        return offset, length

    def _note(self, kind: bytes, payload: bytes) -> None:
        self._frames -= 1
        if self._frames < 0:
            raise _ChildError
        if kind == frames.CONFIRMED:
            self.is_confirmed = True
        elif kind == frames.PAGES:
            self._count(payload)
        elif kind == frames.WARNING:
            self._warn(payload)
        elif payload.startswith(_JPEG):
            self._images[kind] = payload
        else:
            raise _ChildError

    def _count(self, payload: bytes) -> None:
        if len(payload) != frames.COUNT.size or self._page_count is not None:
            raise _ChildError
        (count,) = frames.COUNT.unpack(payload)
        if not count:
            raise _ChildError
        if count > self._page_limit:
            raise RegistrarError(ErrorCode.TOO_MANY_PAGES, field="content", limit=self._page_limit)
        self._page_count = count

    def _warn(self, payload: bytes) -> None:
        try:
            (page,) = frames.COUNT.unpack_from(payload)
            code = IntakeWarning(payload[frames.COUNT.size :].decode("ascii"))
        except (ValueError, struct.error) as error:
            raise _ChildError from error
        if page > (self._page_count or 0) or code in _NOT_OF_A_CHILD:
            raise _ChildError
        self._pages[code].add(page)

    def inspection(self) -> Inspection:
        if self._page_count is None and IntakeWarning.PASSWORD_PROTECTED not in self._pages:
            self._pages[IntakeWarning.UNREADABLE].add(0)
        return Inspection(
            self._page_count,
            tuple(
                Finding(code, tuple(sorted(self._pages[code] - {0})))
                for code in IntakeWarning
                if code in self._pages
            ),
            thumbnail=self._images.get(frames.THUMBNAIL),
            preview=self._images.get(frames.PREVIEW),
        )


async def _frame(stream: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind, length = frames.HEADER.unpack(await stream.readexactly(frames.HEADER.size))
    if length > frames.LIMITS.get(kind, -1):
        raise _ChildError
    return kind, await stream.readexactly(length)
