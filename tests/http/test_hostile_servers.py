"""Servers that lead the command line astray."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from api.cli.client import ServerError
from api.cli.tus_client import Sending


@pytest.mark.parametrize("location", ["http://school.example/scans/uploads/x", "//school.example:443@evil/x"])
async def test_the_token_is_not_sent_in_plaintext_to_where_an_upload_is_said_to_be(
    tmp_path: Path, location: str
) -> None:
    """A proxy, or whoever answers, names the same host over http: the next requests take the token there."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, headers={"Location": location}, request=request)

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="https://school.example") as server:
        with pytest.raises(ServerError):
            await Sending(server, tmp_path / "x", 1, lambda _: None).create({})
