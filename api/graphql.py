"""The GraphQL endpoint: Strawberry's ASGI view with our context, orjson, and typed refusals."""

from __future__ import annotations

from typing import Any

import orjson
from cross_web import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.schema import Schema

from api.problems import problem_response
from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.context import Context


def keep_uploads_in_memory(limit: int) -> None:
    """Files of multipart requests up to `limit` bytes stay off the disk: a roster is full of sensitive values."""
    MultiPartParser.spool_max_size = limit


class GraphQLEndpoint(GraphQL[Context, None]):
    """Signs the viewer in before anything of the operation is read."""

    def __init__(self, schema: Schema, *, graphiql: bool, body_limit: int) -> None:
        keep_uploads_in_memory(body_limit)
        self._body_limit = body_limit
        super().__init__(
            schema,
            graphql_ide="graphiql" if graphiql else None,
            multipart_uploads_enabled=True,
            subscription_protocols=(),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, _limited(receive, self._body_limit))
        try:
            # The page asks for no token; what it sends then does.
            if self.graphql_ide and self.should_render_graphql_ide(self.request_adapter_class(request)):
                response = await self.render_graphql_ide(request)
            else:
                response = await self.run(request)
        except HTTPException as error:
            refusal = RegistrarError(ErrorCode.INVALID_QUERY, detail=error.reason)
            refusal.status = error.status_code
            response = problem_response(refusal)
        except RegistrarError as error:
            response = problem_response(error)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Any) -> Context:
        state = request.app.state
        return Context(state.store, await state.sign_in.viewer_of(request))

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

    async def render_graphql_ide(self, request: Request) -> Response:
        page = await super().render_graphql_ide(request)
        page.headers["Referrer-Policy"] = "no-referrer"
        return page


def _limited(receive: Receive, limit: int) -> Receive:
    """Receive a body of `limit` bytes at most. Starlette's own limit answers in plain text, not in our format."""
    received = 0

    async def receive_some() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise RegistrarError(ErrorCode.TOO_LARGE, limit=f"{limit} bytes")
        return message

    return receive_some
