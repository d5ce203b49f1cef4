"""What each resolver is handed: the store, the viewer, loaders, and the fields kept back so far."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from strawberry.types import Info

from archive_store.access.policy import Withheld
from archive_store.access.viewer import Viewer
from archive_store.audit.feed import NotificationFeed
from archive_store.foundation.store import Store

if TYPE_CHECKING:
    from schema.loaders import Loaders


class Presence(Protocol):
    """Who is at the other end of an open connection: asked for again as long as something is sent to them."""

    @property
    def feed(self) -> NotificationFeed: ...

    async def viewer(self) -> Viewer:
        """The viewer as of now; UNAUTHENTICATED once the token has expired or the person is gone."""


class Context:
    """One request's context. A subscription begins it anew for each event."""

    def __init__(self, store: Store, viewer: Viewer, presence: Presence | None = None) -> None:
        self.store = store
        self.presence = presence
        self.begin(viewer)

    def begin(self, viewer: Viewer) -> None:
        """Nothing that was loaded or kept back before counts any more."""
        self.viewer = viewer
        self.redactions: dict[str, Withheld] = {}
        self.__dict__.pop("loaders", None)

    def withhold(self, coordinates: Mapping[str, Withheld]) -> None:
        """Note schema coordinates (`Student.phone`) of which a value was kept back, and why."""
        for coordinate, reason in coordinates.items():
            # Where it differs by row, what the viewer can do something about is said.
            if self.redactions.get(coordinate) is not Withheld.PURPOSE_REQUIRED:
                self.redactions[coordinate] = reason

    @cached_property
    def loaders(self) -> Loaders:
        from schema.loaders import Loaders

        return Loaders(self)


Request = Info[Context, None]
