"""A term, course or arrangement by its type's name and key, by the loader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bson import ObjectId

from schema.academics.loaders import AcademicNodeKey
from schema.context import Request


def academic_node(type_name: str) -> Callable[[Request, ObjectId], Awaitable[Any]]:
    async def load(info: Request, key: ObjectId) -> Any:
        return await info.context.loaders.academics.nodes.load(AcademicNodeKey(type_name, key))

    return load
