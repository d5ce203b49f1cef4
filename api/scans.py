"""Scans over HTTP: uploads in one go, downloads, ranges and small images; streamed, never on a disk or whole in memory.

An upload that can be interrupted is in `tus.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.ranges import RangeNotSatisfiableError, asked_range
from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.inspection.findings import IntakeWarning
from archive_store.inspection.media_types import JPEG, PDF, PNG
from archive_store.scans.content import Content, open_scan, view_scan
from archive_store.scans.encryption import Part
from archive_store.scans.file_names import download_name
from archive_store.scans.findings import FINDING_TEXTS
from archive_store.scans.upload_documents import IntakeFinding
from archive_store.scans.uploads import file_scan
from schema.nodes import global_id, key_of

# What browsers show by themselves, and run no script of.
_SHOWN_INLINE = frozenset({PDF, JPEG, PNG})
# The content is a stranger's: it is shown apart from our pages, runs nothing, loads nothing, and is kept nowhere.
_SAFETY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


async def signed_in(request: Request) -> tuple[Store, Viewer]:
    state = request.app.state
    return state.store, await state.sign_in.viewer_of(request)


def _parameter(request: Request, name: str) -> str:
    if not (value := request.query_params.get(name)):
        raise RegistrarError(ErrorCode.REQUIRED, field=name)
    return value


def told_findings(findings: Sequence[IntakeFinding]) -> list[dict[str, Any]]:
    """Warnings of the intake checks, as JSON."""
    told = []
    for finding in findings:
        text = FINDING_TEXTS[IntakeWarning(finding.code)]
        message = {"zh": text.zh, "en": text.en}
        told.append({"code": finding.code, "pages": finding.pages, "message": message})
    return told


async def upload_scan(request: Request) -> Response:
    """PUT or POST /scans?student=ID&fileName=NAME with the bytes as body, optionally `X-Content-SHA256` in hex.

    201 with `{"id", "sha256", "size", "mediaType", "pageCount", "findings"}`.
    """
    store, viewer = await signed_in(request)
    length = request.headers.get("content-length")
    try:
        scan = await file_scan(
            store,
            viewer,
            key_of(_parameter(request, "student"), "Student", field="student"),
            _parameter(request, "fileName"),
            request.stream(),
            length=None if length is None else int(length),
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
            "findings": told_findings(scan.findings),
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
    """GET and HEAD /scans/ID/content: the plaintext, every byte verified before it is sent.

    Without `Range` it is a viewing by itself; ranges that follow belong to it, or to the one that the first of them
    begins. `?disposition=inline` lets a browser show a PDF, JPEG or PNG.
    """
    store, viewer = await signed_in(request)
    key = key_of(request.path_params["id"], "Scan", field="id")
    if request.method == "GET" and "range" not in request.headers:
        told, content = await open_scan(store, viewer, key)
        return _Download(
            content, media_type=told.media_type, headers=_headers(request, told) | _length(told.size)
        )
    opened = await view_scan(store, viewer, key, continues=True)
    told = opened.told
    headers = _headers(request, told)
    if request.method == "HEAD":
        # It takes no range (RFC 9110, section 14.2), and stands for the whole.
        return Response(media_type=told.media_type, headers=headers | _length(told.size))
    try:
        span = asked_range(request.headers, told.size, headers["ETag"])
    except RangeNotSatisfiableError:
        return Response(status_code=416, headers=_SAFETY | {"Content-Range": f"bytes */{told.size}"})
    if span is None:
        return _Download(
            await opened.read(), media_type=told.media_type, headers=headers | _length(told.size)
        )
    return _Download(
        await opened.read(span.start, span.end),
        status_code=206,
        media_type=told.media_type,
        headers=headers | _length(span.end - span.start) | {"Content-Range": span.header(told.size)},
    )


async def scan_thumbnail(request: Request) -> Response:
    """GET /scans/ID/thumbnail: a small picture of the first page, under the rights and records of the content."""
    return await _image(request, Part.THUMBNAIL)


async def scan_preview(request: Request) -> Response:
    """GET /scans/ID/preview: the first page to look at, under the rights and records of the content."""
    return await _image(request, Part.PREVIEW)


async def _image(request: Request, part: Part) -> Response:
    store, viewer = await signed_in(request)
    key = key_of(request.path_params["id"], "Scan", field="id")
    opened = await view_scan(store, viewer, key, continues=True)
    media_type, image = await opened.image(part)
    return Response(image, media_type=media_type, headers=_SAFETY | {"Content-Disposition": "inline"})


def _headers(request: Request, told: Content) -> dict[str, str]:
    inline = request.query_params.get("disposition") == "inline" and told.media_type in _SHOWN_INLINE
    return _SAFETY | {
        "Accept-Ranges": "bytes",
        "Content-Disposition": download_name(
            told.file_name, told.media_type, disposition="inline" if inline else "attachment"
        ),
        "ETag": f'"{told.sha256}"',
        "X-Content-SHA256": told.sha256,
    }


def _length(size: int) -> dict[str, str]:
    return {"Content-Length": str(size)}
