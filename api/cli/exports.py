"""`registrar export`, streamed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from api.cli.client import ServerError, check_streamed, client
from api.cli.files import check_free, written_beside

FILE_TYPES = ("csv", "xlsx")


def _file_type(to: Path, told: str | None) -> str:
    """`csv` or `xlsx`: what is told, else by the ending of the name, else CSV."""
    kind = (told or to.suffix.removeprefix(".")).lower()
    if told is not None and kind not in FILE_TYPES:
        raise ServerError(f"no such file type: {told}", f"there are {' and '.join(FILE_TYPES)}")
    return kind if kind in FILE_TYPES else FILE_TYPES[0]


async def export_file(
    url: str, token: str, to: Path, file_type: str | None, purpose: str, asked: Mapping[str, str | None]
) -> None:
    """Export beside the target, then give it the name: a file of that name is whole, or is not there.

    An answer that breaks off is an error of HTTP, whose last chunk is then missing.
    """
    kind = _file_type(to, file_type)
    check_free(to)
    parameters = {name: value for name, value in asked.items() if value is not None}
    async with (
        client(url, token, purpose) as server,
        server.stream("GET", f"/exports/students.{kind}", params=parameters) as response,
    ):
        await check_streamed(response)
        async with written_beside(to) as opened:
            async for piece in response.aiter_bytes():
                await opened.write(piece)
