"""`scan`."""

from __future__ import annotations

import strawberry

from archive_store.scans.queries import find_scan
from schema.context import Request
from schema.nodes import key_of
from schema.scans.types import Scan, note_withheld


async def resolve_scan(info: Request, id: strawberry.ID) -> Scan | None:  # noqa: A002
    """One scan; null when there is none to see."""
    key = key_of(id, "Scan", field="id")
    view = await find_scan(info.context.store, info.context.viewer, key)
    if view is not None:
        note_withheld(info, [view])
    return view  # type: ignore[return-value]
