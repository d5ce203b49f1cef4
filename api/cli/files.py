"""Files that commands write: whole under their name, or not there."""

from __future__ import annotations

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
        raise ServerError(f"{to} exists already", "choose another name")
    if (part := _part(to)).exists():
        raise ServerError(f"{part} exists already", "another download of it is running, or was broken off")


@asynccontextmanager
async def written_beside(to: Path) -> AsyncIterator[Any]:
    """A file to write beside the target, renamed at the end of the block; gone where the block raises.

    It is for its owner alone: what the server gives out may be sensitive.
    """
    part = _part(to)
    async with aiofiles.open(part, "xb", opener=_private) as opened:
        try:
            yield opened
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    part.rename(to)


def _part(to: Path) -> Path:
    return to.with_name(to.name + ".part")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
