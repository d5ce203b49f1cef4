"""Naming an enum of the store in the schema, with a Chinese word for each of its values."""

from __future__ import annotations

from enum import Enum

import strawberry
from strawberry.types.enum import has_enum_definition


def name_enum(kind: type[Enum], description: str, words: dict[str, str], *, name: str | None = None) -> None:
    """Name the enum in the schema, and each of its values in Chinese."""
    strawberry.enum(kind, name=name, description=description)
    assert has_enum_definition(kind)  # noqa: S101
    for value in kind.__strawberry_definition__.values:
        value.description = words[value.name]
