"""One error format: `errors` of a mutation's payload, and `extensions` of a GraphQL error.

A `RegistrarError` is shown as it is. Anything else is a defect: logged once with its trace under a reference,
shown as `internal` with that reference.
"""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, ParamSpec, TypeVar

import strawberry
import structlog
from graphql import GraphQLError
from pymongo.errors import ConnectionFailure
from strawberry.exceptions import MissingQueryError
from strawberry.federation import Schema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionContext
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStoreError

log = structlog.get_logger("registrar.graphql")


@strawberry.type(description="What went wrong, for the person who asked.")
class UserError:
    code: str = strawberry.field(description="Stable code, such as `conflict`.")
    field: str | None = strawberry.field(
        description="Path of the input at fault, such as `changes.phone`; of an approval, the record's field."
    )
    rule: str | None = strawberry.field(description="Source of the rule that was broken.")
    message_zh: str = strawberry.field(description="The sentence in Chinese (中文).")
    message_en: str = strawberry.field(description="The sentence in English.")


def camel_case(name: str | None) -> str | None:
    """A store's dotted field name as GraphQL spells it."""
    if name is None:
        return None
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def snake_case(name: str) -> str:
    """A GraphQL field name as the store spells it."""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def user_error(error: RegistrarError) -> UserError:
    return UserError(
        code=error.code,
        field=camel_case(error.field),
        rule=error.rule,
        message_zh=error.message.zh,
        message_en=error.message.en,
    )


def internal_error(error: BaseException) -> RegistrarError:
    """Log a defect once; what its user sees instead. A store that does not answer is no defect: TRY_AGAIN."""
    if isinstance(error, (ConnectionFailure, ObjectStoreError)):
        log.error("store_unreachable", error=type(error).__name__)
        return RegistrarError(ErrorCode.TRY_AGAIN)
    reference = uuid.uuid4().hex[:12]
    log.error("unexpected_error", reference=reference, exc_info=error)
    return RegistrarError(ErrorCode.INTERNAL, reference=reference)


Args = ParamSpec("Args")
Payload = TypeVar("Payload")


def typed_errors(
    payload_type: Callable[..., Payload],
) -> Callable[[Callable[Args, Awaitable[Payload]]], Callable[Args, Awaitable[Payload]]]:
    """Turn what a mutation raises into its payload's `errors`."""

    def wrap(resolve: Callable[Args, Awaitable[Payload]]) -> Callable[Args, Awaitable[Payload]]:
        @functools.wraps(resolve)
        async def guarded(*args: Args.args, **kwargs: Args.kwargs) -> Payload:
            try:
                return await resolve(*args, **kwargs)
            except RegistrarError as error:
                return payload_type(errors=[user_error(error)])

        return guarded

    return wrap


_FAULTS_OF_QUERY = (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError)


def shown_error(error: GraphQLError) -> GraphQLError:
    """The error in the one format."""
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if isinstance(original, RegistrarError):
        told = original
    elif original is None or isinstance(original, _FAULTS_OF_QUERY):  # syntax, validation, variables …
        told = RegistrarError(ErrorCode.INVALID_QUERY, detail=error.message)
    elif error.nodes and not error.path:  # of a value that a scalar cannot read; nothing has run yet
        told = RegistrarError(ErrorCode.INVALID_QUERY, detail="A value does not fit its type.")
    else:
        told = internal_error(original)
    return GraphQLError(
        told.message.en,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={
            "code": told.code,
            "field": camel_case(told.field),
            "rule": told.rule,
            "messageZh": told.message.zh,
            "messageEn": told.message.en,
        },
    )


class TypedErrorSchema(Schema):
    """A schema that gives each error of an operation the one format, and logs a defect once."""

    async def execute(self, query: str | None, *args: Any, **kwargs: Any) -> Any:
        """Answer once, and so no subscription: those are for `stream`."""
        allowed: Iterable[OperationType] = kwargs.pop("allowed_operation_types", None) or OperationType
        kwargs["allowed_operation_types"] = set(allowed) - {OperationType.SUBSCRIPTION}
        return await super().execute(query, *args, **kwargs)

    async def stream(self, *args: Any, **kwargs: Any) -> StreamResult:
        return self._answered(await super().stream(*args, **kwargs))

    async def _answered(self, results: StreamResult) -> StreamResult:
        """What an extension raises, such as `ParserCache` or `DocumentLimits`, is an answer too."""
        try:
            async with aclosing(results):
                async for result in results:
                    yield result
        except Exception as error:
            raised = error if isinstance(error, GraphQLError) else GraphQLError("", original_error=error)
            yield PreExecutionError(data=None, errors=[shown_error(raised)])

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        # In place: the list is the one that the answer is made of.
        errors[:] = [error if "code" in (error.extensions or {}) else shown_error(error) for error in errors]
