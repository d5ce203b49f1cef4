"""Awards and sanctions of a student, for the student's own type."""

from __future__ import annotations

from typing import Any

import strawberry

from archive_store.access.policy import Withheld
from schema.conduct.types import Award, Sanction
from schema.context import Request
from schema.nodes import key_of_source


async def resolve_awards(root: strawberry.Parent[Any], info: Request) -> list[Award] | None:
    found = await info.context.loaders.conduct.awards_of.load(key_of_source(root))
    if found is None:
        info.context.withhold({"Student.awards": Withheld.NOT_PERMITTED})
    return found  # type: ignore[return-value]


async def resolve_sanctions(root: strawberry.Parent[Any], info: Request) -> list[Sanction] | None:
    found = await info.context.loaders.conduct.sanctions_of.load(key_of_source(root))
    if found is None:
        info.context.withhold({"Student.sanctions": Withheld.NOT_PERMITTED})
    return found  # type: ignore[return-value]
