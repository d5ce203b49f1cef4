"""Errors over HTTP: one JSON shape, `{"error": {code, field, rule, message: {zh, en}}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStoreAwayError
from schema.errors import camel_case

log = structlog.get_logger("registrar.http")


def problem_body(error: RegistrarError) -> dict[str, Any]:
    """What a client is told of an error."""
    return {
        "code": error.code,
        "field": camel_case(error.field),
        "rule": error.rule,
        "message": {"zh": error.message.zh, "en": error.message.en},
    }


def problem_response(error: RegistrarError, headers: Mapping[str, str] | None = None) -> Response:
    challenge = {"WWW-Authenticate": "Bearer"} if error.code is ErrorCode.UNAUTHENTICATED else {}
    return Response(
        orjson.dumps({"error": problem_body(error)}),
        error.status,
        {**challenge, **(headers or {})},
        media_type="application/json",
    )


async def _registrar_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RegistrarError)  # noqa: S101
    return problem_response(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 413:
        return problem_response(RegistrarError(ErrorCode.TOO_LARGE, limit="request body"))
    if error.status_code == 404:
        return problem_response(RegistrarError(ErrorCode.NOT_FOUND))
    told = RegistrarError(ErrorCode.INVALID_ARGUMENT, detail_zh=error.detail, detail_en=error.detail)
    told.status = error.status_code
    # A 405 names the methods that are allowed.
    return problem_response(told, error.headers)


async def _store_away(request: Request, error: Exception) -> Response:
    log.error("object_store_away", exc_info=error)
    return problem_response(RegistrarError(ErrorCode.TRY_AGAIN))


EXCEPTION_HANDLERS = {
    RegistrarError: _registrar_error,
    HTTPException: _http_error,
    ObjectStoreAwayError: _store_away,
}
