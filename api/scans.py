"""Uploads and downloads of scans, streamed; the body never lies on a disk or whole in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.inspection.media_types import EXTENSIONS
from archive_store.scans.content import open_scan
from archive_store.scans.operations import file_scan
from schema.nodes import global_id, key_of


async def _signed_in(request: Request) -> tuple[Store, Viewer]:
    state = request.app.state
    return state.store, await state.sign_in.viewer_of(request)


def _parameter(request: Request, name: str) -> str:
    if not (value := request.query_params.get(name)):
        raise RegistrarError(ErrorCode.REQUIRED, field=name)
    return value


async def upload_scan(request: Request) -> Response:
    """POST /scans?student=ID&fileName=NAME with the bytes as body, optionally `X-Content-SHA256` in hex.

    201 with `{"id", "sha256", "size", "mediaType", "pageCount"}`.
    """
    store, viewer = await _signed_in(request)
    try:
        scan = await file_scan(
            store,
            viewer,
            key_of(_parameter(request, "student"), "Student", field="student"),
            _parameter(request, "fileName"),
            request.stream(),
            expected_sha256=request.headers.get("x-content-sha256"),
        )
    except ClientDisconnect:
        return Response(status_code=499)
    return JSONResponse(
        {
            "id": global_id("Scan", scan.key),
            "sha256": scan.sha256,
            "size": scan.size,
            "mediaType": scan.media_type,
            "pageCount": scan.page_count,
        },
        status_code=201,
    )


class _Download(StreamingResponse):
    """Closes what it reads from when its reader leaves or stalls, not when that happens to be collected."""

    def __init__(self, content: AsyncGenerator[bytes, None], **options: Any) -> None:
        super().__init__(content, **options)
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._content):
            await super().__call__(scope, receive, send)


async def download_scan(request: Request) -> Response:
    """GET /scans/ID/content: the plaintext, every byte verified before it is sent."""
    store, viewer = await _signed_in(request)
    told, content = await open_scan(store, viewer, key_of(request.path_params["id"], "Scan", field="id"))
    name = ""
    if told.file_name is not None:
        # The extension is of what the content is, whatever the file was called where it came from.
        file_name = told.file_name + EXTENSIONS.get(told.media_type, "")
        name = f"; filename*=UTF-8''{quote(file_name, safe='')}"
    return _Download(
        content,
        media_type=told.media_type,
        headers={
            "Content-Length": str(told.size),
            "Content-Disposition": f"attachment{name}",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Content-SHA256": told.sha256,
        },
    )
