"""Uploads that go on after any interruption, by tus 1.0: creation, checksum, expiration, termination.

What an upload is, and who may, is `archive_store/scans/uploads.py`'s; here is the protocol. docs/uploads.md has it for
integrators. Ours, since the servers to be had from PyPI write the plaintext to a disk.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any

from bson import ObjectId
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from api.problems import problem_body, problem_response
from api.scans import signed_in, told_findings
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.scans.checksums import ALGORITHMS, Checksum
from archive_store.scans.upload_documents import Upload, UploadStatus
from archive_store.scans.uploads import abandon_upload, begin_upload, find_upload, receive
from schema.nodes import global_id, key_of
from schema.scans.uploads import UPLOAD_TYPE

VERSION = "1.0.0"
EXTENSIONS = "creation,checksum,expiration,termination"
CONTENT_TYPE = "application/offset+octet-stream"
_ALWAYS = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}
# Of extensions that we do not have: ignored, they would change what an upload is.
_NOT_OURS = ("Upload-Defer-Length", "Upload-Concat")

Handler = Callable[[Request], Awaitable[Response]]


async def uploads(request: Request) -> Response:
    """OPTIONS and POST /scans/uploads: what there is to know beforehand, and a new upload."""
    return await _answer(request, {"OPTIONS": _options, "POST": _create})


async def one_upload(request: Request) -> Response:
    """OPTIONS, HEAD, GET, PATCH and DELETE /scans/uploads/ID, and POST with `X-HTTP-Method-Override`."""
    handlers: dict[str, Handler] = {
        "OPTIONS": _options,
        "HEAD": _offset,
        "GET": _tell,
        "PATCH": _receive,
        "DELETE": _abandon,
    }
    return await _answer(request, handlers)


async def _answer(request: Request, handlers: Mapping[str, Handler]) -> Response:
    method = request.headers.get("x-http-method-override", request.method).upper()
    try:
        if method not in handlers:
            raise _wrong("X-HTTP-Method-Override", " / ".join(handlers))
        if method not in ("OPTIONS", "GET") and request.headers.get("tus-resumable") != VERSION:
            error = _wrong("Tus-Resumable", VERSION)
            error.status = 412
            return problem_response(error, _ALWAYS | {"Tus-Version": VERSION})
        return await handlers[method](request)
    except RegistrarError as error:
        # An answer to HEAD has no body to say why.
        return problem_response(error, _ALWAYS | {"Registrar-Error": error.code})
    except ClientDisconnect:
        return Response(status_code=499)


async def _options(request: Request) -> Response:
    return Response(
        status_code=204,
        headers=_ALWAYS
        | {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(request.app.state.store.settings.scan_size_limit),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        },
    )


async def _create(request: Request) -> Response:
    store, viewer = await signed_in(request)
    for name in _NOT_OURS:
        if name in request.headers:
            raise _wrong(name, f"no such header: {EXTENSIONS}")
    told = _metadata(request.headers.get("upload-metadata", ""))
    upload = await begin_upload(
        store,
        viewer,
        key_of(_required(told, "student"), "Student", field="student"),
        told["filename"] if "filename" in told else _required(told, "fileName"),
        length=_number(request, "Upload-Length"),
        expected_sha256=told.get("sha256"),
    )
    # Relative, so that it holds behind any proxy: of `…/uploads` and of `…/uploads/`.
    folder = "" if request.url.path.endswith("/") else "uploads/"
    location = {"Location": folder + global_id(UPLOAD_TYPE, upload.id)}
    return Response(status_code=201, headers=_ALWAYS | _progress(upload) | location)


async def _offset(request: Request) -> Response:
    upload = await _found(request)
    if upload.refusal is not None:
        raise upload.refusal.error
    told = {"student": global_id("Student", upload.student_id), "fileName": upload.file_name}
    if upload.expected_sha256:
        told["sha256"] = upload.expected_sha256
    pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
    length = {} if upload.length is None else {"Upload-Length": str(upload.length)}
    return Response(headers=_ALWAYS | _progress(upload) | length | {"Upload-Metadata": ",".join(pairs)})


async def _tell(request: Request) -> Response:
    """How the upload stands, and what the checks found, as JSON."""
    upload = await _found(request)
    return JSONResponse(
        {
            "id": global_id(UPLOAD_TYPE, upload.id),
            "student": global_id("Student", upload.student_id),
            "fileName": upload.file_name,
            "status": upload.status,
            "size": upload.length,
            "offset": upload.offset,
            "expiresAt": upload.expires_at.isoformat(),
            "findings": told_findings(upload.findings),
            "refusal": problem_body(upload.refusal.error) if upload.refusal else None,
            "scan": global_id("Scan", upload.id) if upload.status is UploadStatus.FILED else None,
        },
        headers=_ALWAYS,
    )


async def _receive(request: Request) -> Response:
    """PATCH: the bytes from Upload-Offset on. The answer to the last waits for the checks."""
    store, viewer = await signed_in(request)
    if request.headers.get("content-type", "").strip().lower() != CONTENT_TYPE:
        raise RegistrarError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, field="Content-Type", allowed=CONTENT_TYPE)
    checksum = request.headers.get("upload-checksum")
    upload = await receive(
        store,
        viewer,
        _key(request),
        _number(request, "Upload-Offset"),
        request.stream(),
        checksum=None if checksum is None else Checksum.parse(checksum),
    )
    return Response(status_code=204, headers=_ALWAYS | _progress(upload))


async def _abandon(request: Request) -> Response:
    store, viewer = await signed_in(request)
    await abandon_upload(store, viewer, _key(request))
    return Response(status_code=204, headers=_ALWAYS)


async def _found(request: Request) -> Upload:
    store, viewer = await signed_in(request)
    return await find_upload(store, viewer, _key(request))


def _key(request: Request) -> ObjectId:
    return key_of(request.path_params["id"], UPLOAD_TYPE, field="upload")


def _progress(upload: Upload) -> dict[str, str]:
    told = {
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": formatdate(upload.expires_at.timestamp(), usegmt=True),
        "Registrar-Upload-Status": upload.status,
    }
    if upload.status is UploadStatus.FILED:
        told["Registrar-Scan-Id"] = global_id("Scan", upload.id)
    return told


def _metadata(header: str) -> dict[str, str]:
    """The pairs of Upload-Metadata, each value in Base64 of UTF-8; INVALID_ARGUMENT."""
    told = {}
    for pair in header.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            told[name] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise _wrong("Upload-Metadata", "Base64 of UTF-8") from None
    return told


def _required(told: Mapping[str, str], name: str) -> str:
    if not (value := told.get(name)):
        raise RegistrarError(ErrorCode.REQUIRED, field=name)
    return value


def _number(request: Request, header: str) -> int:
    """A count of bytes; REQUIRED, INVALID_ARGUMENT."""
    text = request.headers.get(header)
    if text is None:
        error = RegistrarError(ErrorCode.REQUIRED, field=header)
        error.status = 400
        raise error
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _wrong(header, "bytes, such as 1048576")
    return int(text)


def _wrong(field: str, expected: Any) -> RegistrarError:
    return RegistrarError(
        ErrorCode.INVALID_ARGUMENT,
        field=field,
        detail_zh=f"应为 {expected}",
        detail_en=f"expected {expected}",
    )
