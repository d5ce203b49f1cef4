"""A bounded pipe from the event loop to one reading thread: the writer waits while the reader is behind."""

from __future__ import annotations

import asyncio
import io
import threading

PIPE_SIZE = 4 * 1024 * 1024


class UploadAbortedError(Exception):
    """The source ended early; nothing of it is to be kept."""


class Pipe(io.RawIOBase):
    """Written by coroutines of one loop, read by one thread."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._drained = asyncio.Event()
        self._drained.set()
        self._ready = threading.Condition()
        self._buffer = bytearray()
        self._ended = False
        self._aborted = False
        self._abandoned = False

    async def write_piece(self, piece: bytes) -> None:
        """Add bytes, waiting for room; returns at once when nobody reads any more."""
        await self._drained.wait()
        with self._ready:
            if self._abandoned:
                return
            self._buffer += piece
            if len(self._buffer) >= PIPE_SIZE:
                self._drained.clear()
            self._ready.notify()

    def end(self) -> None:
        """No more bytes follow."""
        with self._ready:
            self._ended = True
            self._ready.notify()

    def abort(self) -> None:
        """The reader's next read raises UploadAbortedError."""
        with self._ready:
            self._aborted = True
            self._ready.notify()

    def abandon(self) -> None:
        """Called when the reader is done, well or not: the writer must not wait for it."""
        with self._ready:
            self._abandoned = True
            self._buffer.clear()
        self._loop.call_soon_threadsafe(self._drained.set)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, empty at the end."""
        with self._ready:
            self._ready.wait_for(lambda: self._buffer or self._ended or self._aborted)
            if self._aborted:
                raise UploadAbortedError
            taken = bytes(self._buffer if size < 0 else memoryview(self._buffer)[:size])
            del self._buffer[: len(taken)]
            if len(self._buffer) < PIPE_SIZE:
                self._loop.call_soon_threadsafe(self._drained.set)
            return taken
