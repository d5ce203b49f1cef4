"""Scalars whose stored form is text already."""

from __future__ import annotations

from datetime import date
from typing import Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig

from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.errors import camel_case

Day = NewType("Day", date)


def _parse_day(value: object) -> date:
    try:
        return date.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        # Not from the cause, which repeats the value.
        raise RegistrarError(ErrorCode.INVALID_DATE) from None


_DAY = strawberry.scalar(
    name="Date",
    description="A calendar day, ISO 8601 (`2011-05-03`).",
    serialize=lambda value: value if isinstance(value, str) else value.isoformat(),
    parse_value=_parse_day,
)


def shown_value(value: Any) -> Any:
    """A stored value as the types spell it: keys in camel case, without keys of our own."""
    if isinstance(value, list):
        return [shown_value(item) for item in value]
    if isinstance(value, dict):
        return {camel_case(name): shown_value(item) for name, item in value.items() if name != "person_id"}
    return value


def member(source: object, name: str) -> object:
    """A field of a source that is a stored row or an object. What was not loaded is null."""
    return source.get(name) if isinstance(source, dict) else getattr(source, name)


CONFIG = StrawberryConfig(default_resolver=member, scalar_map={Day: _DAY})
