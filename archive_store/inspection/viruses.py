"""Looking for viruses by the daemon of ClamAV, with its command INSTREAM (clamd(8)): the file goes in pieces.

Our own few lines, because of the two maintained clients aioclamd 1.1 reads a blocking file, a thread for each KiB, and
knows no sockets of the file system, and clamav-client 0.7 is not asynchronous; neither keeps the answer of a daemon
that hangs up in the middle, which is how it says that a file is too large for it.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import TypeVar

from archive_store.foundation.settings import Settings

# Of one step: to connect, to take a piece. The verdict on a file of gigabytes takes minutes.
_STEP_SECONDS = 30.0
_VERDICT_SECONDS = 600.0
_ANSWER_LIMIT = 1024
_LENGTH = struct.Struct("!I")
_FOUND = re.compile(r"stream: ([!-~]{1,200}) FOUND")
_T = TypeVar("_T")


class VirusScannerError(Exception):
    """The scanner cannot be reached, takes too long or answers nonsense: nothing is known of the file."""


class StreamTooLongError(VirusScannerError):
    """The file is larger than the `StreamMaxLength` of clamd.conf."""


async def find_virus(settings: Settings, pieces: AsyncGenerator[bytes, None]) -> str | None:
    """The name of what was found in the file; None where nothing was. Closes the pieces.

    Raises VirusScannerError, StreamTooLongError, and whatever the pieces raise. Needs the setting `clamd`.
    """
    if settings.clamd is None:
        raise ValueError("the setting clamd is not set")
    reader, writer = await _timed(_connect(settings.clamd), _STEP_SECONDS)
    # From the start on: who hangs up in the middle has said why.
    answering = asyncio.ensure_future(reader.readuntil(b"\0"))
    try:
        writer.write(b"zINSTREAM\0")
        is_whole = False
        async with aclosing(pieces):
            async for piece in pieces:
                # A piece of no length would be the end.
                if piece and (answering.done() or not await _sent(writer, piece)):
                    break
            else:
                is_whole = await _sent(writer, b"")
        answer = await _timed(answering, _VERDICT_SECONDS)
    finally:
        answering.cancel()
        writer.close()
    return _verdict(answer.rstrip(b"\0").decode("utf-8", "replace"), is_whole=is_whole)


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("/"):
        return await asyncio.open_unix_connection(address, limit=_ANSWER_LIMIT)
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port), limit=_ANSWER_LIMIT)


async def _sent(writer: asyncio.StreamWriter, piece: bytes) -> bool:
    """Whether the daemon took it; False where it has hung up."""
    writer.write(_LENGTH.pack(len(piece)) + piece)
    try:
        await _timed(writer.drain(), _STEP_SECONDS)
    except VirusScannerError as error:
        if isinstance(error.__cause__, ConnectionError):
            return False
        raise
    return True


async def _timed(step: Awaitable[_T], seconds: float) -> _T:
    try:
        async with asyncio.timeout(seconds):
            return await step
    except (TimeoutError, EOFError, OSError, ValueError, OverflowError, asyncio.LimitOverrunError) as error:
        raise VirusScannerError(f"clamd does not answer: {error!r}") from error


def _verdict(answer: str, *, is_whole: bool) -> str | None:
    if found := _FOUND.fullmatch(answer):
        return found[1]
    if answer == "stream: OK" and is_whole:
        return None
    if "size limit exceeded" in answer:
        raise StreamTooLongError(answer)
    raise VirusScannerError(f"clamd answers {answer!r}")
