"""`registrar export`, streamed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from api.cli.client import check_streamed, client
from api.cli.files import check_free, written_beside


async def export_file(url: str, token: str, to: Path, purpose: str, asked: Mapping[str, str | None]) -> None:
    """Export beside the target, then give it the name: a file of that name is whole, or is not there.

    An answer that breaks off is an error of HTTP, whose last chunk is then missing.
    """
    check_free(to)
    parameters = {name: value for name, value in asked.items() if value is not None}
    async with (
        client(url, token, purpose) as server,
        server.stream("GET", "/exports/students.csv", params=parameters) as response,
    ):
        await check_streamed(response)
        async with written_beside(to) as opened:
            async for piece in response.aiter_bytes():
                await opened.write(piece)
