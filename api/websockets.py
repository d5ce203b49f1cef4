"""graphql-transport-ws: the session of a connection, signed in by `connection_init` or by the handshake's headers.

Each operation begins with the viewer as of then, in a context of its own. What a connection is closed with: 4401
without a valid token, 4403 for a service account, 4400 for what is not of the protocol, 4408 without `connection_init`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)

from archive_store.access.viewer import Viewer
from archive_store.audit.feed import NotificationFeed
from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.context import Context
from schema.errors import internal_error, shown_error
from schema.limits import check_query

INIT_WITHIN_SECONDS = 10.0
OPERATIONS_LIMIT = 20
_CLOSE_CODES = {
    ErrorCode.UNAUTHENTICATED: 4401,
    ErrorCode.FORBIDDEN: 4403,
    ErrorCode.INTERNAL: 4500,
    ErrorCode.TRY_AGAIN: 1013,
}
_OTHER_FAULTS = 4400


class Session:
    """A connection, and who is at its other end: a `schema.context.Presence`."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._state = connection.app.state
        self._headers: Mapping[str, str] = connection.headers
        # Strawberry puts the payload of `connection_init` here.
        self.connection_params: Mapping[str, object] | None = None

    @property
    def feed(self) -> NotificationFeed:
        feed: NotificationFeed = self._state.feed
        return feed

    async def viewer(self) -> Viewer:
        viewer: Viewer = await self._state.sign_in.viewer_told(self._state.store, self._told)
        return viewer

    async def context(self) -> Context:
        """The context of an operation that begins now."""
        return Context(self._state.store, await self.viewer(), self)

    async def begin(self) -> None:
        """Sign in. A service account is refused: what is told here is for people."""
        if (await self.viewer()).is_service:
            raise RegistrarError(ErrorCode.FORBIDDEN)

    @property
    def _told(self) -> Mapping[str, str]:
        told = (self.connection_params or {}).items()
        return {**self._headers, **{name.lower(): value for name, value in told if isinstance(value, str)}}


class TextWebSocket(ASGIWebSocketAdapter):
    """Sends text, where orjson makes bytes."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self.ws.send_text(self.view.encode_json_string(message))
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error


class TransportHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's handler, with a viewer for each operation and our errors."""

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)
        self._session: Session = told["context"]

    async def handle_message(self, message: Any) -> None:
        if not _is_well_formed(message):
            await self.handle_invalid_message("Failed to parse message")
            return
        try:
            await super().handle_message(message)
        except RegistrarError as error:
            await self._close(error)
        except WebSocketDisconnected:
            raise
        except Exception as error:
            await self._close(internal_error(error))

    async def handle_subscribe(self, message: Any) -> None:
        if self.connection_acknowledged:
            try:
                check_query(message["payload"]["query"])
                if len(self.operations) >= OPERATIONS_LIMIT:
                    raise RegistrarError(ErrorCode.TOO_LARGE, limit=f"{OPERATIONS_LIMIT} operations")
            except RegistrarError as error:
                told = [_graphql_error(error).formatted]
                await self.send_message({"id": message["id"], "type": "error", "payload": told})
                return
        await super().handle_subscribe(message)

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        try:
            context = await self._session.context()
        except RegistrarError as error:
            await operation.send_initial_errors([_graphql_error(error)])
            return
        # Read by the base at once, before any other operation runs.
        self.context = context
        await super().run_operation(operation)

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected) and not self._is_closed:
            internal_error(error)

    async def _close(self, error: RegistrarError) -> None:
        if not self._is_closed:
            await self.websocket.close(_CLOSE_CODES.get(error.code, _OTHER_FAULTS), error.code)

    @property
    def _is_closed(self) -> bool:
        assert isinstance(self.websocket, TextWebSocket)  # noqa: S101
        return self.websocket.ws.application_state is WebSocketState.DISCONNECTED


def _graphql_error(error: RegistrarError) -> GraphQLError:
    return shown_error(GraphQLError(str(error), original_error=error))


def _is_well_formed(message: object) -> bool:
    """Whether the types are those of the protocol, where Strawberry takes them for granted."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] not in ("subscribe", "complete"):
        return True
    if not isinstance(message.get("id"), str):
        return False
    if message["type"] == "complete":
        return True
    payload = message.get("payload")
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
