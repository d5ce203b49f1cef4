"""`registrar scan upload` and `download`, streamed, with a progress bar."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiofiles
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from api.cli.client import ServerError, check, client
from api.cli.files import check_free, written_beside

PIECE = 256 * 1024


def progress_of(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console)


def _file_sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


async def upload(console: Console, url: str, token: str, file: Path, student: str, name: str) -> str:
    """Upload; the new scan's global id. The server checks the digest computed here."""
    digest = await asyncio.to_thread(_file_sha256, file)
    size = file.stat().st_size  # noqa: ASYNC240
    with progress_of(console) as progress:
        bar = progress.add_task(file.name, total=size)

        async def body() -> AsyncIterator[bytes]:
            async with aiofiles.open(file, "rb") as opened:
                while piece := await opened.read(PIECE):
                    yield piece
                    progress.advance(bar, len(piece))

        async with client(url, token) as server:
            response = await server.post(
                "/scans",
                params={"student": student, "fileName": name},
                content=body(),
                headers={"X-Content-SHA256": digest, "Content-Length": str(size)},
            )
    check(response)
    return str(response.json()["id"])


async def download(console: Console, url: str, token: str, scan: str, to: Path, purpose: str) -> None:
    """Download beside the target, then give it the name: a file of that name is whole, or is not there."""
    check_free(to)
    digest = hashlib.sha256()
    async with (
        client(url, token, purpose) as server,
        server.stream("GET", f"/scans/{scan}/content") as response,
    ):
        if not response.is_success:
            await response.aread()
        check(response)
        async with written_beside(to) as opened:
            with progress_of(console) as progress:
                bar = progress.add_task(to.name, total=int(response.headers["content-length"]))
                async for piece in response.aiter_bytes(PIECE):
                    await opened.write(piece)
                    digest.update(piece)
                    progress.advance(bar, len(piece))
            if digest.hexdigest() != response.headers["x-content-sha256"]:
                raise ServerError("the content does not match its digest", "try again")
