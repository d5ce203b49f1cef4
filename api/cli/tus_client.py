"""Sending a file by tus 1.0, going on at the byte that the server has acknowledged.

By httpx, as the other commands. tuspy, with which the server is tested, does not fit: its requests have no time limit
and cannot be broken off, it takes a connection for every chunk, asks again after a refusal as after a loss, and brings
two more HTTP libraries.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx

from api.cli.client import ServerError, check

# A chunk is in memory, and what is lost at most where the connection breaks.
CHUNK_SIZE = 8 * 1024 * 1024
_PIECE = 256 * 1024
_VERSION = {"Tus-Resumable": "1.0.0"}
# Between tries that brought no byte: together longer than a killed server's hold on an upload.
_PAUSES_SECONDS = (0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0)
# Nobody is told no: it is to be tried again where the server says the upload is.
_PASSING = frozenset({408, 409, 423, 429, 460, 499, 500, 502, 503, 504})
_GONE = frozenset({404, 410})


class UploadGoneError(Exception):
    """The server has no such upload any more, or has refused it before."""


class Sending:
    """One file on its way. `location` is the path of its upload; `sent` is told how many bytes are there."""

    def __init__(self, server: httpx.AsyncClient, file: Path, size: int, sent: Callable[[int], None]) -> None:
        self._server = server
        self._file = file
        self._size = size
        self._sent = sent
        self.location = ""

    async def create(self, metadata: dict[str, str]) -> str:
        """Begin an upload; its path. ServerError in the server's words."""
        pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in metadata.items())
        asked = {**_VERSION, "Upload-Length": str(self._size), "Upload-Metadata": ",".join(pairs)}
        made = await self._try_again(lambda: self._server.post("/scans/uploads", headers=asked))
        check(made)
        location = made.request.url.join(made.headers["location"])
        if (location.scheme, location.netloc) != (made.request.url.scheme, made.request.url.netloc):
            # The token goes to the server that was named, and to no other, nor there in plaintext.
            raise ServerError(f"the server sends uploads to {location.host}")
        self.location = str(location)
        return self.location

    async def send(self) -> str:
        """Send what the server lacks; the global id of the scan. UploadGoneError, ServerError."""
        offset, lost = await self._offset(), 0
        while True:
            answer = await self._patch(offset)
            if answer is not None and answer.status_code not in _PASSING:
                if answer.status_code in _GONE:
                    raise UploadGoneError
                check(answer)
                if scan := answer.headers.get("registrar-scan-id"):
                    return str(scan)
                offset, lost = int(answer.headers["upload-offset"]), 0
                self._sent(offset)
                continue
            if lost == len(_PAUSES_SECONDS):
                if answer is not None:
                    check(answer)
                raise ServerError("the server does not answer", "run the same command again, and it goes on")
            await asyncio.sleep(_PAUSES_SECONDS[lost])
            lost += 1
            offset = await self._offset()

    async def findings(self) -> list[dict[str, Any]]:
        """What the checks found, once the upload is over."""
        told = await self._try_again(lambda: self._server.get(self.location))
        check(told)
        found: list[dict[str, Any]] = told.json()["findings"]
        return found

    async def _offset(self) -> int:
        told = await self._try_again(lambda: self._server.head(self.location, headers=_VERSION))
        if told.status_code == 401:
            check(told)
        if not told.is_success:
            # Of what was refused as well: sent anew, it is refused with the reason, or not any more.
            raise UploadGoneError
        offset = int(told.headers["upload-offset"])
        self._sent(offset)
        return offset

    async def _patch(self, offset: int) -> httpx.Response | None:
        """The answer to the next chunk; None where the connection broke."""
        chunk = await asyncio.to_thread(self._read, offset)
        if len(chunk) != min(CHUNK_SIZE, self._size - offset):
            raise ServerError("the file was changed while it was sent")

        async def body() -> AsyncIterator[bytes]:
            for start in range(0, len(chunk), _PIECE):
                yield chunk[start : start + _PIECE]
                self._sent(offset + min(start + _PIECE, len(chunk)))

        digest = await asyncio.to_thread(lambda: hashlib.sha256(chunk).digest())
        headers = {
            **_VERSION,
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(len(chunk)),
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {base64.b64encode(digest).decode()}",
        }
        try:
            return await self._server.patch(self.location, content=body(), headers=headers)
        except httpx.TransportError:
            return None

    def _read(self, offset: int) -> bytes:
        with self._file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(CHUNK_SIZE)

    async def _try_again(self, ask: Callable[[], Any]) -> httpx.Response:
        for pause in (*_PAUSES_SECONDS, None):
            try:
                answer: httpx.Response = await ask()
            except httpx.TransportError:
                if pause is None:
                    raise
            else:
                if pause is None or answer.status_code not in _PASSING:
                    return answer
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")
