"""The signed-in viewer."""

from __future__ import annotations

from typing import Any

import strawberry

from archive_store.access.viewer import Viewer as StoredViewer
from schema.context import Request
from schema.enums import Post
from schema.nodes import Connection
from schema.tasks.queries import resolve_tasks
from schema.tasks.types import Task


@strawberry.type(description="Who is signed in, with the posts in force today.")
class Viewer:
    name: str
    is_service: bool = strawberry.field(
        description="A program's account; it reads, and never asks or decides."
    )

    tasks: Connection[Task] = strawberry.field(
        resolver=resolve_tasks, description="待办: what awaits the viewer's decision, newest first."
    )

    @strawberry.field(description="岗位 in force.")
    def posts(self) -> list[Post]:
        return sorted(_viewer(self).posts)

    @strawberry.field(description="Classes taught, of a teacher.")
    def class_names(self) -> list[str]:
        return sorted(_viewer(self).class_names)


def _viewer(source: Any) -> StoredViewer:
    assert isinstance(source, StoredViewer)  # noqa: S101
    return source


async def resolve_viewer(info: Request) -> Viewer:
    """The viewer of this request."""
    return info.context.viewer  # type: ignore[return-value]
