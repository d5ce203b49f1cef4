"""Logs as JSON lines, one line and one count per request or WebSocket, and defects told.

Never a header, a query or a body.
"""

from __future__ import annotations

import logging
import time

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_response
from schema.errors import internal_error

_REQUESTS = Counter("registrar_requests_total", "Requests by route and status.", ["route", "status"])
_SECONDS = Histogram("registrar_request_seconds", "Time to answer, by route.", ["route"])
log = structlog.get_logger("registrar.http")


def configure_logging() -> None:
    # Of what it tells, the origin of a refused handshake is a header; `RequestLog` has the refusal.
    logging.getLogger("strawberry.ws").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )


class RequestLog:
    """Counts and times requests. Plain ASGI, so that bodies stream through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._connection(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, has_started, is_stream = time.perf_counter(), 500, False, False

        async def note_status(message: Message) -> None:
            nonlocal status, has_started, is_stream
            if message["type"] == "http.response.start":
                status, has_started = message["status"], True
                is_stream = any(value.startswith(b"text/event-stream") for _, value in message["headers"])
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        except Exception as error:
            # Here and not in a handler of Starlette's, after which the server would log the trace once more.
            shown = internal_error(error)
            if has_started:
                raise
            await problem_response(shown)(scope, receive, note_status)
        finally:
            # The route, never the path: a path names a record.
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = time.perf_counter() - started
            _REQUESTS.labels(route, str(status)).inc()
            if not is_stream:
                _SECONDS.labels(route).observe(seconds)
            log.info(
                "request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1)
            )

    async def _connection(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One line and one count of a WebSocket, by the code that it was closed with; 403 where it was refused."""
        started, code, is_accepted = time.perf_counter(), 1006, False

        async def note_end(message: Message) -> None:
            nonlocal code, is_accepted
            if message["type"] == "websocket.accept":
                is_accepted = True
            elif message["type"] == "websocket.close":
                code = message.get("code", 1000) if is_accepted else 403
            await send(message)

        async def note_leaving() -> Message:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect" and code == 1006:
                code = message.get("code", 1005)
            return message

        try:
            await self._app(scope, note_leaving, note_end)
        except Exception as error:
            internal_error(error)
            if code == 1006:
                await note_end({"type": "websocket.close", "code": 1011})
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = round(time.perf_counter() - started, 1)
            _REQUESTS.labels(route, str(code)).inc()
            log.info("connection", route=route, code=code, seconds=seconds)
