"""`registrar scan download`, `list` and `verify`."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from api.cli.client import ServerError, ask, check, check_streamed, client
from api.cli.files import check_free, continued_beside
from api.cli.scan_plan import Paper, Students, read_paper

PIECE = 256 * 1024
_LIST = """query ($student: ID!) { student(id: $student) { scans {
  id fileName documentType mediaType size pageCount sha256 uploadedByName createdAt
  findings { code pages messageZh messageEn } } } }"""


def progress_of(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console)


async def download(console: Console, url: str, token: str, scan: str, to: Path, purpose: str) -> None:
    """Download beside the target, then give it the name: a file of that name is whole, or is not there.

    What a broken download left beside it is gone on with. All requests are one viewing.
    """
    check_free(to)
    path = f"/scans/{scan}/content"
    async with client(url, token, purpose) as server:
        head = await server.head(path)
        if not head.is_success:
            # Why not stands in a body.
            check(await server.get(path, headers={"Range": "bytes=0-0"}))
        etag, size = head.headers["etag"], int(head.headers["content-length"])
        async with continued_beside(to, etag.strip('"')) as part:
            while part.size < size:
                asked = {"Range": f"bytes={part.size}-", "If-Range": etag}
                async with server.stream("GET", path, headers=asked) as response:
                    await check_streamed(response)
                    if response.status_code != 206:
                        raise ServerError("the scan is another one by now", "download it anew")
                    with progress_of(console) as progress:
                        bar = progress.add_task(escape(to.name), total=size, completed=part.size)
                        async for piece in response.aiter_bytes(PIECE):
                            await part.write(piece)
                            progress.advance(bar, len(piece))
            if await part.sha256() != head.headers["x-content-sha256"]:
                part.discard()
                raise ServerError("the content does not match its digest", "try again")


async def verify(console: Console, url: str, token: str, scan: str, purpose: str) -> int:
    """Read all of a scan and compare; its size. ServerError where the bytes are others."""
    digest, size = hashlib.sha256(), 0
    async with (
        client(url, token, purpose) as server,
        server.stream("GET", f"/scans/{scan}/content") as response,
    ):
        await check_streamed(response)
        with progress_of(console) as progress:
            bar = progress.add_task(escape(scan), total=int(response.headers["content-length"]))
            async for piece in response.aiter_bytes(PIECE):
                digest.update(piece)
                size += len(piece)
                progress.advance(bar, len(piece))
    if digest.hexdigest() != response.headers["x-content-sha256"]:
        raise ServerError("the content does not match its digest")
    return size


async def list_scans(url: str, token: str, student: str) -> list[dict[str, Any]]:
    """The scans of a student, by id or number; ServerError where there is no such student."""
    async with client(url, token) as server:
        return await _scans_of(server, await Students(server, student).named())


async def find_filed(url: str, token: str, file: Path, student: str | None) -> str | None:
    """The id of a scan of the student that has the bytes of the file; None where there is none."""
    paper = Paper(file, file.stem)
    await asyncio.to_thread(read_paper, paper)
    async with client(url, token) as server:
        students = Students(server, student)
        scans = await _scans_of(server, await (students.named() if student else students.of(paper)))
    if scans and all(scan["sha256"] is None for scan in scans):
        raise ServerError("you may not read the digests of this student's scans")
    return next((str(scan["id"]) for scan in scans if scan["sha256"] == paper.sha256), None)


async def _scans_of(server: httpx.AsyncClient, student: str) -> list[dict[str, Any]]:
    found = (await ask(server, _LIST, student=student))["student"]
    if found is None or found["scans"] is None:
        raise ServerError("there is no such student, or you may not know of their scans")
    scans: list[dict[str, Any]] = found["scans"]
    return scans


def print_scans(console: Console, scans: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for heading in ("name", "pages", "bytes", "filed", "found"):
        table.add_column(heading, overflow="fold")
    for scan in scans:
        found = ", ".join(finding["code"] for finding in scan["findings"] or ())
        name = scan["fileName"] or scan["documentType"] or ""
        size = "" if scan["size"] is None else str(int(scan["size"]))
        cells = (
            scan["id"],
            name,
            str(scan["pageCount"] or ""),
            size,
            str(scan["createdAt"] or "")[:10],
            found,
        )
        table.add_row(*map(escape, cells))
    console.print(table)
