"""What each resolver is handed: the store, the viewer, loaders, and the fields kept back so far."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from strawberry.types import Info

from archive_store.access.viewer import Viewer
from archive_store.foundation.store import Store

if TYPE_CHECKING:
    from schema.loaders import Loaders


class Context:
    """One request's context."""

    def __init__(self, store: Store, viewer: Viewer) -> None:
        self.store = store
        self.viewer = viewer
        self.redactions: set[str] = set()

    def withhold(self, coordinates: Iterable[str]) -> None:
        """Note schema coordinates (`Student.phone`) whose values the viewer may not read."""
        self.redactions.update(coordinates)

    @cached_property
    def loaders(self) -> Loaders:
        from schema.loaders import Loaders

        return Loaders(self)


Request = Info[Context, None]
