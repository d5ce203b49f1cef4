"""Files that commands write: whole under their name, or not there."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiofiles

from api.cli.client import ServerError


def check_free(to: Path) -> None:
    """`ServerError` where a file of that name, or a part of it, is there already."""
    if to.exists():
        raise _exists(to)
    if (part := _part(to)).exists():
        raise _part_exists(part)


@asynccontextmanager
async def written_beside(to: Path) -> AsyncIterator[Any]:
    """A file to write beside the target, which gets its name at the end of the block; gone where the block raises.

    It is for its owner alone: what the server gives out may be sensitive. `ServerError` where another file has the
    name by then.
    """
    part = _part(to)
    try:
        claimed = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise _part_exists(part) from error
    # Only from here on is it ours to remove.
    try:
        async with aiofiles.open(claimed, "wb") as opened:
            yield opened
        _give_name(part, to)
    finally:
        part.unlink(missing_ok=True)


class Part:
    """The beginning of a file that is being downloaded."""

    def __init__(self, opened: Any, path: Path, size: int) -> None:
        self._opened = opened
        self._path = path
        self.size = size

    async def write(self, piece: bytes) -> None:
        await self._opened.write(piece)
        self.size += len(piece)

    async def sha256(self) -> str:
        await self._opened.flush()
        return await asyncio.to_thread(_sha256, self._path)

    def discard(self) -> None:
        """Nothing of it is to be gone on with."""
        self._path.unlink()


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@asynccontextmanager
async def continued_beside(to: Path, version: str) -> AsyncIterator[Part]:
    """As `written_beside`, but what is there when the block raises stays, and is gone on with by the next.

    `version` names the content: a part of another is none of it. It is for its owner alone; whoever is at work on it
    has it locked. `ServerError` where another is.
    """
    part = to.with_name(f"{to.name}.{version[:16]}.part")
    # Not through a link, and for nobody else to read, whoever made it.
    claimed = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    os.fchmod(claimed, 0o600)
    try:
        fcntl.flock(claimed, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(claimed)
        raise ServerError(f"another download of {to} is running") from error
    async with aiofiles.open(claimed, "ab") as opened:
        yield Part(opened, part, os.fstat(claimed).st_size)
    _give_name(part, to)
    part.unlink(missing_ok=True)


def _give_name(part: Path, to: Path) -> None:
    """Not by renaming, which would replace a file that has taken the name meanwhile."""
    try:
        os.link(part, to)
    except FileExistsError as error:
        raise _exists(to) from error
    except OSError:  # a file system without links
        _take_name(part, to)


def _take_name(part: Path, to: Path) -> None:
    try:
        to.open("xb").close()
    except FileExistsError as error:
        raise _exists(to) from error
    part.replace(to)


def _exists(to: Path) -> ServerError:
    return ServerError(f"{to} exists already", "choose another name")


def _part_exists(part: Path) -> ServerError:
    return ServerError(f"{part} exists already", "another download of it is running, or was broken off")


def _part(to: Path) -> Path:
    return to.with_name(to.name + ".part")
