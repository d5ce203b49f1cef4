"""The GraphQL endpoint: Strawberry's ASGI view with our context, orjson, and typed refusals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.exceptions import HTTPException as FormError
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLRequestData
from strawberry.http.parse_content_type import parse_content_type
from strawberry.schema import Schema
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UnsetType

from api.graphiql.page import GraphiQLPage
from api.problems import problem_response
from api.websockets import INIT_WITHIN_SECONDS, Session, TextWebSocket, TransportHandler
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.texts import size_text
from schema.context import Context
from schema.limits import check_query

# Of a body without files; one with a roster has a limit of its own.
BODY_LIMIT = 1024 * 1024
# What Strawberry and Starlette meet in a body that is not shaped as they expect.
_SHAPE_FAULTS = (AttributeError, FormError, LookupError, RecursionError, TypeError, ValueError)


def keep_uploads_in_memory(limit: int) -> None:
    """Files of multipart requests up to `limit` bytes stay off the disk: a roster is full of sensitive values."""
    MultiPartParser.spool_max_size = limit


ALLOW = {"Allow": "GET, POST"}


class GraphQLEndpoint(GraphQL[Context | Session, None]):
    """Signs the viewer in before anything of the operation is read; on a WebSocket, see `api.websockets`."""

    websocket_adapter_class = TextWebSocket
    graphql_transport_ws_handler_class = TransportHandler

    def __init__(
        self,
        schema: Schema,
        *,
        graphiql: GraphiQLPage | None,
        upload_limit: int,
        websocket_origins: Sequence[str] = (),
    ) -> None:
        keep_uploads_in_memory(upload_limit)
        self._graphiql = graphiql
        self._upload_limit = upload_limit
        super().__init__(
            schema,
            graphql_ide=None,
            multipart_uploads_enabled=True,
            # The older graphql-ws protocol stays off: it has no refusal by code.
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=timedelta(seconds=INIT_WITHIN_SECONDS),
            max_subscriptions_per_connection=None,  # ours is told in our format
            allowed_origins=websocket_origins,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.run(WebSocket(scope, receive, send))
            return
        limit = self._upload_limit if _is_upload(Request(scope)) else BODY_LIMIT
        request = Request(scope, _limited(receive, limit))
        try:
            # The page asks for no token; what it sends then does.
            if self._graphiql and self._is_for_page(request):
                response = self._graphiql.page()
            else:
                response = await self.run(request)
        except HTTPException as error:
            refusal = RegistrarError(ErrorCode.INVALID_QUERY, detail=error.reason)
            refusal.status = error.status_code
            response = problem_response(refusal, ALLOW if error.status_code == 405 else None)
        except _BodyTooLargeError:
            response = problem_response(self._too_large(request))
        except RegistrarError as error:
            response = problem_response(error)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Any) -> Context | Session:
        session = Session(request)
        return session if isinstance(request, WebSocket) else await session.context()

    async def on_ws_connect(self, context: Context | Session) -> UnsetType | dict[str, object] | None:
        assert isinstance(context, Session)  # noqa: S101
        await context.begin()
        return await super().on_ws_connect(context)

    def _too_large(self, request: Request) -> RegistrarError:
        """Of the roster, where the body is one: its limit is what the user can keep to."""
        if _is_upload(request):
            limit = request.app.state.store.settings.roster_size_limit
            return RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=size_text(limit))
        return RegistrarError(ErrorCode.TOO_LARGE, limit=size_text(BODY_LIMIT))

    async def parse_http_body(
        self, request: AsyncHTTPRequestAdapter
    ) -> GraphQLRequestData | list[GraphQLRequestData]:
        try:
            data = await super().parse_http_body(request)
        except _SHAPE_FAULTS as error:
            raise HTTPException(400, "The request is not shaped as a GraphQL operation.") from error
        for operation in data if isinstance(data, list) else [data]:
            check_query(operation.query or "")
            if not isinstance(operation.operation_name, (str, type(None))):
                raise HTTPException(400, "The `operationName` must be a string or null, if provided.")
        return data

    def decode_json(self, data: str | bytes) -> object:
        # Refuses what nests too deeply and what is no text, such as half of a surrogate pair.
        return orjson.loads(data)

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

    @staticmethod
    def _is_for_page(request: Request) -> bool:
        """A browser's own request; `query` in its address fills the page in."""
        return request.method == "GET" and "text/html" in request.headers.get("accept", "")


class _BodyTooLargeError(Exception):
    """The body is over the limit."""


def _is_upload(request: Request) -> bool:
    try:
        content_type, _ = parse_content_type(request.headers.get("content-type", ""))
    except ValueError:
        return False
    return content_type == "multipart/form-data"


def _limited(receive: Receive, limit: int) -> Receive:
    """Receive a body of `limit` bytes at most. Starlette's own limit answers in plain text, not in our format."""
    received = 0

    async def receive_some() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _BodyTooLargeError
        return message

    return receive_some
